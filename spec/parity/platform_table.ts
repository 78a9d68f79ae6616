import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { difference, GROUPS, type PlatformRun } from './parity_case';
import { parityCases } from './run_cases';

/** One platform's part of docs/platforms.json. */
export interface PlatformResult {
  readonly platform: string;
  /** Cases that passed, of how many. */
  readonly passed: Readonly<Record<string, readonly [number, number]>>;
  /**
   * The largest difference of a case, divided by its tolerance: 1 is the limit. Null if a case gave no numbers, or
   * unequal ones where equal ones are required.
   */
  readonly largestShare: number | null;
  readonly stepsPerSecond: number | null;
}

export const RESULTS_FILE = fileURLToPath(new URL('../../docs/platforms.json', import.meta.url));
export const README_FILE = fileURLToPath(new URL('../../README.md', import.meta.url));
const [BEGIN, END] = ['<!-- platforms:begin -->', '<!-- platforms:end -->'];

/** Platforms that were never run, and what the table says of them; docs/platforms.md says why. */
const NOT_RUN: readonly (readonly [string, string])[] = [
  ['tfjs-node-gpu (CUDA)', 'not run'],
  ['WebGPU on a real GPU', 'not run'],
  ['Firefox, Safari', 'not run'],
  ['webgl', 'not supported'],
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

/** The README's table, in the form that Prettier gives it. */
export function platformTable(results: readonly PlatformResult[]): string {
  const rows = [
    ['Platform', 'Cases passed', 'Largest difference / tolerance', 'Steps/s'],
    ...results.map(({ platform, passed, largestShare, stepsPerSecond }) => [
      platform,
      casesPassed(passed),
      largestShare === 0 ? 'reference' : String(largestShare ?? '✘'),
      String(stepsPerSecond ?? ''),
    ]),
    ...NOT_RUN.map(([platform, state]) => [platform, state, '', '']),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const [header, ...body] = rows.map((row) => line(row.map((cell, column) => cell.padEnd(widths[column]))));
  return [header, line(widths.map((width) => '-'.repeat(width))), ...body].join('\n');
}

/** `✔ 25 of 25`, or with each group that failed: `✘ 24 of 25 (losses 8 of 9)`. */
function casesPassed(passed: PlatformResult['passed']): string {
  const failed = GROUPS.filter((group) => passed[group][0] < passed[group][1]);
  const sum = (place: 0 | 1): number => GROUPS.reduce((total, group) => total + passed[group][place], 0);
  const count = `${sum(0)} of ${sum(1)}`;
  if (failed.length === 0) return `✔ ${count}`;
  return `✘ ${count} (${failed.map((group) => `${group} ${passed[group].join(' of ')}`).join(', ')})`;
}

/** @throws Error if the README has no marks for the table. */
export function withTable(readme: string, table: string): string {
  const [from, to] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`README.md must hold ${BEGIN} and ${END}, got neither or one`);
  return `${readme.slice(0, from + BEGIN.length)}\n\n${table}\n\n${readme.slice(to)}`;
}

export function readResults(): PlatformResult[] {
  return JSON.parse(readFileSync(RESULTS_FILE, 'utf8')) as PlatformResult[];
}
