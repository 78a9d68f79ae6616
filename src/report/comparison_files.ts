import { type Comparison, TABLE_METRICS } from '../runs/comparison';
import { adjustedColumn, budgetColumns, cellOf, COST_COLUMNS, LIST_COLUMNS } from './comparison_columns';
import { bestMethod } from './conclusion';
import { outcomeOf, pairOf } from './wording';

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
  const columns = [adjustedColumn(comparison), ...budgetColumns(comparison), ...COST_COLUMNS, ...LIST_COLUMNS];
  const header = [
    ...['method', 'title', 'seeds'],
    ...TABLE_METRICS.flatMap((name) => [name, `${name}_low`, `${name}_high`]),
    ...columns.map(({ name }) => name),
  ];
  const rows = comparison.methods.map((one) => [
    ...[one.method, one.title, one.runs.length],
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
  const { methods, data, pairs, seeds } = comparison;
  const best = bestMethod(comparison);
  const costs = COST_COLUMNS.filter(({ name }) => /^epoch/.test(name));
  const headers = [...TABLE_METRICS.map((name) => name.toUpperCase()), '95\\,\\% of NDCG@10'];
  const rows = methods.map((one) => {
    const pair = pairOf(pairs, best.method, one.method);
    const mark = pair !== undefined && outcomeOf(pair) === 'ahead' ? '$^\\dagger$' : '';
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
    `% ${data.name}: ${data.users} users, ${data.items} items; ${seeds.length} training seeds. Needs booktabs.`,
    `% Dagger: ${best.title} is ahead, adjusted p < 0.05 by Holm's method over ${pairs.length} pairs.`,
    `\\begin{tabular}{l${'r'.repeat(headers.length + costs.length)}}`,
    '\\toprule',
    `Method & ${[...headers, 'epoch/SFT', 'with teachers'].join(' & ')} \\\\`,
    '\\midrule',
    ...rows.map((row) => `${row.join(' & ')} \\\\`),
    '\\bottomrule',
    '\\end{tabular}',
  ];
  return lines.join('\n') + '\n';
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
