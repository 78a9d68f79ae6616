import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { difference, GROUPS, type PlatformRun } from './parity_case';
import { parityCases } from './run_cases';

/** One platform's part of docs/platforms.json. */
export interface PlatformResult {
  readonly platform: string;
  /** Cases that passed, of how many. */
  readonly passed: Readonly<Record<string, readonly [number, number]>>;
  /** The largest difference of a case, divided by its tolerance: 1 is the limit. Null if a case gave no numbers, or unequal ones where equal ones are required. */
  readonly largestShare: number | null;
  readonly stepsPerSecond: number | null;
}

export const RESULTS_FILE = fileURLToPath(new URL('../../docs/platforms.json', import.meta.url));
export const README_FILE = fileURLToPath(new URL('../../README.md', import.meta.url));
const [BEGIN, END] = ['<!-- platforms:begin -->', '<!-- platforms:end -->'];

/** What nothing here can run, said as it is. */
const UNTESTED: readonly (readonly [string, string])[] = [
  ['tfjs-node-gpu (CUDA)', 'the same JavaScript and addon as tfjs-node; not run on a CUDA device'],
  [
    'WebGPU on a real GPU',
    'the software adapters above run the same shaders; `npm run bench:gpu` is there to check one',
  ],
  ['Firefox, Safari', 'not tried'],
  ['webgl', 'not supported for training: its weights drift'],
];

export function resultOf(platform: string, run: PlatformRun, reference: PlatformRun): PlatformResult {
  const shareOf = ({ name, tolerance }: (typeof parityCases)[number]): number => {
    const found = difference(run.numbers[name] ?? [], reference.numbers[name]);
    return tolerance === 0 ? (found === 0 ? 0 : Infinity) : found / tolerance;
  };
  const passed = GROUPS.map((group) => {
    const cases = parityCases.filter((each) => each.group === group);
    return [group, [cases.filter((each) => shareOf(each) <= 1).length, cases.length]] as const;
  });
  const largest = Math.max(...parityCases.map(shareOf));
  const rounded = (value: number | null): number | null =>
    value === null || !Number.isFinite(value) ? null : Number(value.toPrecision(2));
  return {
    platform,
    passed: Object.fromEntries(passed),
    largestShare: rounded(largest),
    stepsPerSecond: rounded(run.stepsPerSecond),
  };
}

/** The README's table. */
export function platformTable(results: readonly PlatformResult[]): string {
  const mark = ([passed, all]: readonly [number, number]): string =>
    passed === all ? `✔ ${all}` : `✘ ${passed} of ${all}`;
  return [
    `| Platform | ${GROUPS.join(' | ')} | largest difference / tolerance | steps/s |`,
    `|---|${GROUPS.map(() => '---|').join('')}---|---|`,
    ...results.map(
      ({ platform, passed, largestShare, stepsPerSecond }) =>
        `| ${platform} | ${GROUPS.map((group) => mark(passed[group])).join(' | ')} | ${largestShare === 0 ? 'reference' : (largestShare ?? '✘')} | ${stepsPerSecond ?? ''} |`,
    ),
    ...UNTESTED.map(([platform, why]) => `| ${platform} | ✘ | ✘ | ✘ | ✘ | ${why} | |`),
  ].join('\n');
}

/** @throws Error if the README has no marks for the table. */
export function withTable(readme: string, table: string): string {
  const [from, to] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`README.md must hold ${BEGIN} and ${END}, got neither or one`);
  return `${readme.slice(0, from + BEGIN.length)}\n${table}\n${readme.slice(to)}`;
}

export function readResults(): PlatformResult[] {
  return JSON.parse(readFileSync(RESULTS_FILE, 'utf8')) as PlatformResult[];
}
