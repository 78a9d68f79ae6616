import type { ComparedMethod, Comparison } from '../runs/comparison';
import { otherOf, type Tests } from './compared';
import { signed } from './wording';

/** What stands where a number is not known. */
export const UNKNOWN = '–';

/** A column beside the metrics: its name in files and in tables, its value per method, and how it is written. */
export interface Column {
  readonly name: string;
  readonly header: string;
  readonly value: (method: ComparedMethod) => number | null;
  readonly text: (value: number) => string;
}

const whole = (value: number): string => value.toFixed(0);
const decimals =
  (digits: number) =>
  (value: number): string =>
    value.toFixed(digits);
const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
const MEGABYTE = 2 ** 20;

/** Cost of training, averaged over seeds. */
export const COST_COLUMNS: readonly Column[] = [
  column('steps', 'steps', ({ runs }) => runs[0].manifest.steps, whole),
  column('seconds', 'seconds', ({ cost }) => cost.seconds, decimals(1)),
  column('teacher_seconds', 'teachers s', ({ cost }) => cost.needSeconds, decimals(1)),
  column('seconds_per_epoch', 's/epoch', ({ cost }) => cost.secondsPerEpoch, decimals(2)),
  column('epoch_over_sft', '× SFT', ({ cost }) => cost.epochOverSft, decimals(2)),
  column('epoch_with_teachers_over_sft', 'with teachers', ({ cost }) => cost.epochWithNeedsOverSft, decimals(2)),
  column('tokens_per_second', 'tokens/s', ({ cost }) => cost.tokensPerSecond, whole),
  column('response_tokens_per_second', 'response/s', ({ cost }) => cost.responseTokensPerSecond, whole),
  column(
    'peak_memory_bytes',
    'peak MB',
    ({ cost }) => cost.peakMemory,
    (bytes) => whole(bytes / MEGABYTE),
  ),
];

/** Seconds of an epoch over those of the first arm of a study. */
export function epochOver({ cost: first }: ComparedMethod): Column {
  const ratio = ({ cost: { secondsPerEpoch } }: ComparedMethod): number | null =>
    secondsPerEpoch === null || first.secondsPerEpoch === null ? null : secondsPerEpoch / first.secondsPerEpoch;
  return column('epoch_over_first', '× first', ratio, decimals(2));
}

/** How widely the lists spread. */
export const LIST_COLUMNS: readonly Column[] = [
  column('coverage@10', 'coverage@10', ({ lists }) => lists.coverage, percent),
  column('gini@10', 'Gini@10', ({ lists }) => lists.gini, decimals(3)),
  column('top3_share@10', 'top 3 share', ({ lists }) => lists.top3Share, percent),
  column('popular10_share@10', 'popular 10 share', ({ lists }) => lists.popular10Share, percent),
];

/** Validation NDCG@10 at equal steps and equal seconds; none where no method was validated. */
export function budgetColumns({ budgets }: Pick<Comparison, 'budgets'>): Column[] {
  if (budgets === null) return [];
  const of = (at: 'atSteps' | 'atSeconds') => (method: ComparedMethod) =>
    budgets.methods.find((one) => one.method === method.method)?.[at] ?? null;
  return [
    column('valid_ndcg@10_equal_steps', `valid., ${budgets.steps} steps`, of('atSteps'), decimals(4)),
    column('valid_ndcg@10_equal_seconds', `valid., ${budgets.seconds.toFixed(0)} s`, of('atSeconds'), decimals(4)),
  ];
}

/** The adjusted p-value of the test of each method against the one that all are tested against. */
export function adjustedColumn(tests: Tests): Column {
  const name = `adjusted_p_${tests.label.replaceAll(' ', '_')}`;
  return column(name, `adj. p ${tests.label}`, testValue(tests, 'adjustedPValue'), (value) =>
    value < 0.001 ? '< 0.001' : value.toFixed(3),
  );
}

function testValue(tests: Tests, key: 'adjustedPValue' | 'difference'): Column['value'] {
  return ({ method }) => tests.pairs.find((pair) => otherOf(tests, pair) === method)?.[key] ?? null;
}

/** The difference of each arm to the first, with its interval, for files. */
export function differenceColumns(tests: Tests): Column[] {
  const bound = (index: 0 | 1) => (method: ComparedMethod) =>
    tests.pairs.find((pair) => otherOf(tests, pair) === method.method)?.ci95[index] ?? null;
  return [
    column('ndcg@10_difference', 'difference', testValue(tests, 'difference'), signed),
    column('ndcg@10_difference_low', 'low', bound(0), signed),
    column('ndcg@10_difference_high', 'high', bound(1), signed),
  ];
}

/** A cell of a table. */
export function cellOf({ value, text }: Column, method: ComparedMethod): string {
  const number = value(method);
  return number === null ? UNKNOWN : text(number);
}

function column(name: string, header: string, value: Column['value'], text: Column['text']): Column {
  return { name, header, value, text };
}
