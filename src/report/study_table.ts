import type { PairedDifference } from '../evaluation/paired_difference';
import { type Study, STUDY_METRICS } from '../runs/study';
import { alignColumns } from './comparison_table';
import { concludeFromStudy } from './study_conclusion';

/**
 * Writes a study as text for a terminal: each arm, and its paired difference to the first.
 *
 * @param study of `studyMethods`.
 * @returns lines separated by `\n`.
 * @example
 * ```ts
 * import { studyMethods, studyTable } from 'tfjs-ilrec/node';
 *
 * const study = { method: 'popularity', config: { training: { validationUsers: 0 } }, arms: [{ name: 'Popularity' }] };
 * const table = studyTable(await studyMethods({ data: 'data', out: 'runs/studied', study }));
 * console.log(table.split('\n')[2].trim().split(/\s+/)[0]); // HR@10
 * ```
 */
export function studyTable(study: Study): string {
  const { data, backend, split, users, rows: cases, seeds, arms } = study;
  const { shown, notShown } = concludeFromStudy(study);
  const header = [
    '',
    ...STUDY_METRICS.flatMap((name) => [name.toUpperCase(), 'difference, 95 % interval']),
    'p',
    'steps',
    'seconds',
  ];
  const rows = arms.map(({ name, mean, differences, runs }) => [
    name,
    ...STUDY_METRICS.flatMap((metric) => [mean[metric].toFixed(4), differenceText(differences?.[metric])]),
    differences === null ? '' : differences['ndcg@10'].adjustedPValue.toFixed(3),
    String(runs[0].manifest.steps),
    runs.reduce((sum, { manifest }) => sum + manifest.seconds, 0).toFixed(0),
  ]);
  const seedText = seeds.length === 1 ? `seed ${seeds[0]}` : `seeds ${seeds.join(', ')}`;
  return [
    `${data.name}: ${cases === users ? '' : `${cases} rows of `}${users} users of the ${split} split; backend ${backend}; ${seedText}`,
    '',
    ...alignColumns([header, ...rows]),
    '',
    `Differences are to ${arms[0].name}, paired over users, seeds averaged first. p is that of NDCG@10, corrected for ` +
      `${arms.length - 1} comparisons by Holm's method.`,
    '',
    ...shown,
    ...notShown.map((line) => `Not shown: ${line}`),
  ].join('\n');
}

function differenceText(difference: PairedDifference | undefined): string {
  if (difference === undefined) return '';
  const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`;
  const {
    difference: mean,
    ci95: [low, high],
  } = difference;
  return `${signed(mean)} [${signed(low)}, ${signed(high)}]`;
}
