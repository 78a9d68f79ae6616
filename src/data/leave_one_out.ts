import { IlrecError } from '../errors';
import type { InteractionData, LeaveOneOut } from './types';

/** Leave-one-out holds out two interactions and needs one for training. */
export const MIN_SEQUENCE_LENGTH = 3;

/**
 * Splits each user's sequence: the last item is for test, the one before it for validation, the rest for training.
 *
 * The history before a test item is the training items and the validation item; `splitCases` makes it.
 *
 * @param data user ids, for the error, and one sequence per user, oldest item first.
 * @returns `train` [users], which shares memory with `data.sequences`, `validation` [users] and `test` [users].
 * @throws IlrecError when a user has fewer than three interactions; `prepareInteractions` drops such users.
 * @example
 * ```ts
 * import { leaveOneOut } from 'tfjs-ilrec';
 *
 * const { train, validation, test } = leaveOneOut({ userIds: ['ann'], sequences: [Int32Array.of(5, 3, 8, 2)] });
 * console.log(train[0], validation[0], test[0]); // Int32Array(2) [ 5, 3 ] 8 2
 * ```
 */
export function leaveOneOut(data: Pick<InteractionData, 'userIds' | 'sequences'>): LeaveOneOut {
  const numUsers = data.sequences.length;
  const train: Int32Array[] = [];
  const validation = new Int32Array(numUsers);
  const test = new Int32Array(numUsers);
  for (let user = 0; user < numUsers; user++) {
    const sequence = data.sequences[user];
    if (sequence.length < MIN_SEQUENCE_LENGTH) {
      throw new IlrecError(
        `leaveOneOut: user "${data.userIds[user]}" must have ${MIN_SEQUENCE_LENGTH} interactions or more, got ` +
          `${sequence.length}; prepareInteractions drops such users`,
      );
    }
    train.push(sequence.subarray(0, sequence.length - 2));
    validation[user] = sequence[sequence.length - 2];
    test[user] = sequence[sequence.length - 1];
  }
  return { train, validation, test };
}
