import type { Study } from '../runs/study';
import {
  adjustedColumn,
  budgetColumns,
  type Column,
  COST_COLUMNS,
  differenceColumns,
  epochOver,
  LIST_COLUMNS,
} from './comparison_columns';
import { metricsCsv, metricsLatex } from './comparison_files';
import type { Compared } from './compared';
import { comparedOfStudy } from './studied';

/** Cost of the arms; an epoch is measured by the first arm's. */
export function studyCostColumns({ methods: [first] }: Pick<Compared, 'methods'>): Column[] {
  const own = COST_COLUMNS.filter(({ name }) => !name.startsWith('epoch_'));
  const at = own.findIndex(({ name }) => name === 'seconds_per_epoch') + 1;
  return [...own.slice(0, at), epochOver(first), ...own.slice(at)];
}

/**
 * Writes a study as CSV: one row per arm, with every number of the tables unrounded.
 *
 * @param study of `studyMethods`.
 * @returns lines separated by `\n`, the first of them the names of the columns; empty fields are not known.
 * @throws IlrecError when an arm has a method that the package does not know.
 * @example
 * ```ts
 * import { studyCsv, studyMethods } from 'tfjs-ilrec/node';
 *
 * const study = { method: 'popularity', config: { training: { validationUsers: 0 } }, arms: [{ name: 'Popularity' }] };
 * const csv = studyCsv(await studyMethods({ data: 'data', out: 'runs/studied', study }));
 * console.log(csv.split('\n')[1].split(',').slice(0, 3).join()); // Popularity,popularity,1
 * ```
 */
export function studyCsv(study: Study): string {
  const compared = comparedOfStudy(study);
  const { methods, tests } = compared;
  const methodOf = new Map(study.arms.map(({ name, method }) => [name, method]));
  const columns = [
    ...differenceColumns(tests),
    adjustedColumn(tests),
    ...budgetColumns(compared),
    ...studyCostColumns(compared),
    ...LIST_COLUMNS,
  ];
  return metricsCsv(methods, ['arm', 'method'], ({ method }) => [method, methodOf.get(method) ?? ''], columns);
}

/**
 * Writes a study as a LaTeX table for the package booktabs: metrics, the interval of NDCG@10, and the seconds of an epoch
 * over those of the first arm. The highest mean of a column is bold; marks tell the arms that differ from the first.
 *
 * @param study of `studyMethods`.
 * @returns a `tabular` with a comment above it.
 * @throws IlrecError when an arm has a method that the package does not know.
 * @example
 * ```ts
 * import { studyLatex, studyMethods } from 'tfjs-ilrec/node';
 *
 * const study = { method: 'popularity', config: { training: { validationUsers: 0 } }, arms: [{ name: 'Popularity' }] };
 * const tex = studyLatex(await studyMethods({ data: 'data', out: 'runs/studied', study }));
 * console.log(tex.includes('\\toprule')); // true
 * ```
 */
export function studyLatex(study: Study): string {
  const compared = comparedOfStudy(study);
  const { reference, pairs } = compared.tests;
  return metricsLatex(compared, {
    first: 'Arm',
    note:
      `Dagger: ahead of ${reference}; double dagger: behind it; adjusted p < 0.05 by Holm's method over ` +
      `${pairs.length} comparisons.`,
    marks: { ahead: '$^\\dagger$', behind: '$^\\ddagger$', none: '' },
    costs: [epochOver(compared.methods[0])],
    costHeaders: ['epoch/first'],
  });
}
