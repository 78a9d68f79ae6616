import { protocolText } from '../evaluation/protocol';
import { type Comparison, TABLE_METRICS } from '../runs/comparison';
import { titlesOf } from './method_style';
import { verdict } from './wording';

/**
 * Writes a comparison as text for a terminal: table, intervals, paired tests and protocol.
 *
 * @param comparison of `compareMethods`.
 * @returns lines separated by `\n`.
 * @example
 * ```ts
 * import { compareMethods, comparisonTable } from 'tfjs-ilrec/node';
 *
 * const comparison = await compareMethods({ data: 'data', out: 'runs/table', methods: ['popularity', 'markov'] });
 * console.log(comparisonTable(comparison).split('\n')[2].trim().split(/\s+/)[0]); // HR@1
 * ```
 */
export function comparisonTable(comparison: Comparison): string {
  const { methods, pairs, data, backend, seeds } = comparison;
  const titleOf = titlesOf(comparison);
  const header = ['', ...TABLE_METRICS.map((name) => name.toUpperCase()), 'NDCG@10, 95 % interval', 'steps', 'seconds'];
  const rows = methods.map(({ title, runs, mean, ci95 }) => [
    title,
    ...TABLE_METRICS.map((name) => mean[name].toFixed(4)),
    `[${ci95['ndcg@10'][0].toFixed(4)}, ${ci95['ndcg@10'][1].toFixed(4)}]`,
    String(runs[0].manifest.steps),
    runs.reduce((sum, { manifest }) => sum + manifest.seconds, 0).toFixed(1),
  ]);
  const lines = [
    `${data.name}: ${data.users} users, ${data.items} items, ${data.interactions} interactions; backend ${backend}; ${seeds.length === 1 ? `seed ${seeds[0]}` : `seeds ${seeds.join(', ')}`}`,
    '',
    ...alignColumns([header, ...rows]),
    '',
    ...pairs.map((pair) => verdict(pair, titleOf)),
    '',
    ...protocolLines(comparison),
  ];
  return lines.join('\n');
}

/** Each different protocol once, with the methods it holds for. */
export function protocolLines(comparison: Comparison): string[] {
  const titleOf = titlesOf(comparison);
  const methodsOf = new Map<string, string[]>();
  for (const [method, protocol] of Object.entries(comparison.protocols)) {
    const text = protocolText({
      ...protocol,
      ranking: protocol.ranking.replace(/^the scores of .*/, "the model's own scores"),
    });
    methodsOf.set(text, [...(methodsOf.get(text) ?? []), titleOf(method)]);
  }
  return [...methodsOf].map(([text, names]) => `${names.join(', ')}: ${text}`);
}

/** First column to the left, numbers to the right, two spaces between. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd(),
  );
}
