import { type ComparedMethod, type Comparison, TABLE_METRICS } from '../runs/comparison';
import { adjustedColumn, budgetColumns, cellOf, type Column, COST_COLUMNS, LIST_COLUMNS } from './comparison_columns';
import { type Compared, comparedOf, lookOf, otherOf } from './compared';
import { type Outcome, outcomeOf } from './wording';

/**
 * Writes a comparison as CSV: one row per method, with every number of the tables unrounded.
 *
 * @param comparison of `compareMethods`.
 * @returns lines separated by `\n`, the first of them the names of the columns; empty fields are not known.
 * @example
 * ```ts
 * import { compareMethods, comparisonCsv } from 'tfjs-ilrec/node';
 *
 * const comparison = await compareMethods({ data: 'data', out: 'runs/csv', methods: ['popularity', 'markov'] });
 * console.log(comparisonCsv(comparison).split('\n')[1].split(',').slice(0, 3).join()); // popularity,Popularity,1
 * ```
 */
export function comparisonCsv(comparison: Comparison): string {
  const { tests } = comparedOf(comparison);
  const columns = [adjustedColumn(tests), ...budgetColumns(comparison), ...COST_COLUMNS, ...LIST_COLUMNS];
  return metricsCsv(comparison.methods, ['method', 'title'], (one) => [one.method, one.title], columns);
}

/** A row per method: what names it, its seeds, each metric with its interval, and columns. */
export function metricsCsv(
  methods: readonly ComparedMethod[],
  nameHeaders: readonly string[],
  namesOf: (method: ComparedMethod) => readonly string[],
  columns: readonly Column[],
): string {
  const header = [
    ...[...nameHeaders, 'seeds'],
    ...TABLE_METRICS.flatMap((name) => [name, `${name}_low`, `${name}_high`]),
    ...columns.map(({ name }) => name),
  ];
  const rows = methods.map((one) => [
    ...[...namesOf(one), one.runs.length],
    ...TABLE_METRICS.flatMap((name) => [one.mean[name], ...one.ci95[name]]),
    ...columns.map(({ value }) => value(one) ?? ''),
  ]);
  return [header, ...rows].map((row) => row.map(csvField).join(',') + '\n').join('');
}

function csvField(value: string | number): string {
  const text = String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Writes a comparison as a LaTeX table for the package booktabs: metrics, the interval of NDCG@10, and the seconds of
 * an epoch over SFT's. The highest mean of a column is bold; a dagger marks what the best method is ahead of.
 *
 * @param comparison of `compareMethods`.
 * @returns a `tabular` with a comment above it.
 * @example
 * ```ts
 * import { compareMethods, comparisonLatex } from 'tfjs-ilrec/node';
 *
 * const comparison = await compareMethods({ data: 'data', out: 'runs/tex', methods: ['popularity', 'markov'] });
 * console.log(comparisonLatex(comparison).includes('\\toprule')); // true
 * ```
 */
export function comparisonLatex(comparison: Comparison): string {
  const compared = comparedOf(comparison);
  const { name } = lookOf(compared, compared.tests.reference);
  return metricsLatex(compared, {
    first: 'Method',
    note: `Dagger: ${name} is ahead, adjusted p < 0.05 by Holm's method over ${comparison.pairs.length} pairs.`,
    marks: { ahead: '$^\\dagger$', behind: '', none: '' },
    costs: COST_COLUMNS.filter(({ name: cost }) => /^epoch/.test(cost)),
    costHeaders: ['epoch/SFT', 'with teachers'],
  });
}

/** Metrics, the interval of NDCG@10 and costs as a LaTeX table; a mark says what the test of a method shows. */
export function metricsLatex(
  { methods, data, seeds, tests }: Compared,
  {
    first,
    note,
    marks,
    costs,
    costHeaders,
  }: {
    /** Head of the first column. */
    first: string;
    /** What the marks mean. */
    note: string;
    marks: Readonly<Record<Outcome, string>>;
    costs: readonly Column[];
    costHeaders: readonly string[];
  },
): string {
  const headers = [...TABLE_METRICS.map((name) => name.toUpperCase()), '95\\,\\% of NDCG@10', ...costHeaders];
  const rows = methods.map((one) => {
    const pair = tests.pairs.find((test) => otherOf(tests, test) === one.method);
    const mark = pair === undefined ? '' : marks[outcomeOf(pair)];
    const values = TABLE_METRICS.map((name) => {
      const highest = Math.max(...methods.map(({ mean }) => mean[name]));
      const text = one.mean[name].toFixed(4);
      return one.mean[name] === highest ? `\\textbf{${text}}` : text;
    });
    const interval = `[${one.ci95['ndcg@10'].map((bound) => bound.toFixed(4)).join(', ')}]`;
    return [
      `${latexText(one.title)}${mark}`,
      ...values,
      interval,
      ...costs.map((cost) => latexText(cellOf(cost, one))),
    ];
  });
  const lines = [
    `% ${oneLine(data.name)}: ${data.users} users, ${data.items} items; ${seeds.length} training seeds. Needs booktabs.`,
    `% ${oneLine(note)}`,
    `\\begin{tabular}{l${'r'.repeat(headers.length)}}`,
    '\\toprule',
    `${first} & ${headers.join(' & ')} \\\\`,
    '\\midrule',
    ...rows.map((row) => `${row.join(' & ')} \\\\`),
    '\\bottomrule',
    '\\end{tabular}',
  ];
  return lines.join('\n') + '\n';
}

/** A name that stays within a comment. */
function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ');
}

/** Text with LaTeX's own characters escaped. */
function latexText(text: string): string {
  const names: Record<string, string> = {
    '\\': '\\textbackslash{}',
    '~': '\\textasciitilde{}',
    '^': '\\textasciicircum{}',
    '–': '--',
  };
  return text.replace(/[\\~^–&%$#_{}]/g, (character) => names[character] ?? `\\${character}`);
}
