import type { BenchRow } from './harness';

const [BEGIN, END] = ['<!-- bench:begin -->', '<!-- bench:end -->'];

/**
 * The text of bench/RESULTS.md with its section on speed made anew, between two comments; at the end where it has none
 * yet.
 */
export function withSpeedSection(text: string, rows: readonly BenchRow[]): string {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  const section = `${BEGIN}\n${speedSection(rows)}\n${END}`;
  return begin < 0 || end < 0
    ? `${text.trimEnd()}\n\n${section}\n`
    : text.slice(0, begin) + section + text.slice(end + END.length);
}

function speedSection(rows: readonly BenchRow[]): string {
  const machines = [...new Set(rows.map(({ machine }) => machine))];
  const lines = rows.map(
    (row) =>
      `| ${row.name} | ${row.what} | ${row.backend} | ${row.setting} | ${figure(row.ours, row.unit)} | ${figure(row.other, row.unit)} | **${row.ratio.toPrecision(3)}** ${spread(row)} | ${row.goal}${row.stretch === undefined ? '' : ` (${row.stretch})`} | ${verdict(row)} | ${row.ceiling?.toFixed(0) ?? ''} | ${row.error?.toExponential(0) ?? ''} |`,
  );
  const notes = [
    ...new Set(rows.filter(({ note }) => note !== undefined).map(({ name, note }) => `- **${name}** ${note}`)),
  ];
  return [
    '# Speed and memory',
    '',
    `\`npm run bench\` on ${machines.join('; ')}. Each ratio is measured side by side in one process, interleaved, median of at least 7 pairs, quartiles in brackets; \`ceiling\` is the backend's own product of`,
    '512 x 512 in that run (GFLOP/s), `error` the largest relative difference from the float64 reference in that run. Goals in parentheses are the stretch.',
    '',
    '| | ratio of | backend | sizes | ours | other | ratio | goal | met | ceiling | error |',
    '|---|---|---|---|---|---|---|---|---|---|---|',
    ...lines,
    '',
    ...notes,
  ].join('\n');
}

function figure(value: number, unit: BenchRow['unit']): string {
  if (unit === 'bytes') return `${(value / 2 ** 20).toFixed(value < 2 ** 20 ? 2 : 1)} MiB`;
  return `${value >= 100 ? value.toFixed(0) : value.toPrecision(3)} ${unit === 'per second' ? '/s' : unit === 'count' ? '' : unit}`.trim();
}

function spread({ quartiles }: BenchRow): string {
  return quartiles === undefined ? '' : `[${quartiles.map((value) => value.toPrecision(3)).join(', ')}]`;
}

function verdict({ met, stretchMet }: BenchRow): string {
  if (!met) return '✘';
  return stretchMet === true ? '✔✔' : '✔';
}
