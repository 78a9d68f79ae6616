import { protocolText } from '../evaluation/protocol';
import { type ComparedMethod, type Comparison, TABLE_METRICS } from '../runs/comparison';
import { adjustedColumn, budgetColumns, cellOf, type Column, COST_COLUMNS, LIST_COLUMNS } from './comparison_columns';
import { comparedOf } from './compared';
import { bestPairs, concludeFrom } from './conclusion';
import { titlesOf, verdict } from './wording';

/** Options of `comparisonTable`. */
export interface ComparisonTableOptions {
  /** Whether the table says how widely the lists spread: coverage, Gini, top shares. Default true. */
  diversity?: boolean;
  /** Whether it says what the numbers show. Default true; false for a run that only shows that all works. */
  conclusions?: boolean;
}

/**
 * Writes a comparison as text for a terminal: tables of quality, cost and lists, paired tests of the best method, what
 * is shown and what is not, and the protocol.
 *
 * @param comparison of `compareMethods`.
 * @param options what to leave out; see `ComparisonTableOptions`.
 * @returns lines separated by `\n`.
 * @example
 * ```ts
 * import { compareMethods, comparisonTable } from 'tfjs-ilrec/node';
 *
 * const comparison = await compareMethods({ data: 'data', out: 'runs/table', methods: ['popularity', 'markov'] });
 * console.log(comparisonTable(comparison).split('\n')[2].trim().split(/\s+/)[0]); // HR@1
 * ```
 */
export function comparisonTable(
  comparison: Comparison,
  { diversity = true, conclusions = true }: ComparisonTableOptions = {},
): string {
  const { methods, data, backend, seeds } = comparison;
  const lists = [...(diversity ? LIST_COLUMNS : []), ...budgetColumns(comparison)];
  const adjusted = adjustedColumn(comparedOf(comparison).tests);
  const quality = [
    ['', ...TABLE_METRICS.map((name) => name.toUpperCase()), '95 % of NDCG@10', adjusted.header],
    ...methods.map((one) => [
      one.title,
      ...TABLE_METRICS.map((name) => one.mean[name].toFixed(4)),
      `[${one.ci95['ndcg@10'].map((bound) => bound.toFixed(4)).join(', ')}]`,
      cellOf(adjusted, one),
    ]),
  ];
  const { shown, notShown } = concludeFrom(comparison);
  const lines = [
    `${data.name}: ${data.users} users, ${data.items} items, ${data.interactions} interactions; backend ${backend}; ${seeds.length === 1 ? `seed ${seeds[0]}` : `seeds ${seeds.join(', ')}`}`,
    '',
    ...alignColumns(quality),
    '',
    ...alignColumns(columnsTable(methods, COST_COLUMNS)),
    '',
    ...(lists.length === 0 ? [] : [...alignColumns(columnsTable(methods, lists)), '']),
    ...(conclusions
      ? [
          ...bestPairs(comparison).map((pair) => verdict(pair, methods)),
          '',
          ...shown,
          ...notShown.map((line) => `Not shown: ${line}`),
        ]
      : []),
    ...costNotes(comparison),
    '',
    ...protocolLines(comparison),
  ];
  return lines.join('\n');
}

/** A row of headers and a row per method. */
function columnsTable(methods: readonly ComparedMethod[], columns: readonly Column[]): string[][] {
  return [
    ['', ...columns.map(({ header }) => header)],
    ...methods.map((one) => [one.title, ...columns.map((column) => cellOf(column, one))]),
  ];
}

/** What the columns of costs count. */
export function costNotes({ secondsOf, methods }: Pick<Comparison, 'secondsOf' | 'methods'>): string[] {
  if (methods.every(({ kind }) => kind === 'counts')) return [];
  const epoch =
    secondsOf === 'steps'
      ? 'those of an epoch are of its steps'
      : 'those of an epoch include validation, since a log of an older release does not tell the steps apart';
  return [
    `Seconds are of a run's own training with its validations, over all calls; ${epoch}. Seconds of the runs that it ` +
      'needs, its teachers, are apart. Peak memory is that of the process, without that of a GPU.',
  ];
}

/** Each different protocol once, with the methods it holds for. */
export function protocolLines(comparison: Pick<Comparison, 'protocols' | 'methods'>): string[] {
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
