import type { PreparedData } from '../data/types';
import { IlrecError } from '../errors';
import { findMethod } from '../methods/registry';
import type { TrainConfig } from '../methods/train_config';
import type { StudyArm } from './study_file';

/** An arm that was left out, and why. */
export interface SkippedArm {
  readonly name: string;
  /** What the data lacks, as the end of a sentence. */
  readonly reason: string;
}

/**
 * Parts the arms that the data allows from those that it does not, among them arms that take the run of such a one.
 *
 * @param configs of the arms, in their order.
 * @throws IlrecError when the first arm, which the others are measured against, is not possible.
 */
export function possibleArms(
  arms: readonly StudyArm[],
  configs: readonly TrainConfig[],
  data: PreparedData,
): { possible: StudyArm[]; skipped: SkippedArm[] } {
  const skipped: SkippedArm[] = [];
  const possible = arms.filter(({ name, method, runs }, i) => {
    const needed = Object.values(runs).find((one) => skipped.some((arm) => arm.name === one));
    const writesItems = findMethod(method, [], 'studyMethods').kind === 'language-model';
    const lack = writesItems ? lackFor(configs[i], data) : null;
    const reason = lack ?? (needed === undefined ? null : `it takes the run of "${needed}", which is left out`);
    if (reason !== null) skipped.push({ name, reason });
    return reason === null;
  });
  if (possible[0] !== arms[0])
    throw new IlrecError(
      `studyMethods: the first arm must be possible on ${data.name}, got "${arms[0].name}": ${skipped[0].reason}; put ` +
        'another arm first',
    );
  return { possible, skipped };
}

/** What the data lacks for a config; null where it has all. */
function lackFor({ items }: TrainConfig, { itemIds, titles = [] }: PreparedData): string | null {
  if (items.style !== 'bigrec' || items.untitled !== 'refuse') return null;
  const titled = titles.filter((title) => title !== null).length;
  if (titled === itemIds.length) return null;
  return titled === 0
    ? 'it names items by their titles, and the data has none'
    : `it names items by their titles, and ${itemIds.length - titled} of ${itemIds.length} items have none`;
}
