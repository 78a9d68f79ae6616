import { IlrecError } from '../errors';
import type { InteractionData, LeaveOneOut } from './types';

/** Leave-one-out takes two interactions and needs one more to start from. */
export const MIN_SEQUENCE_LENGTH = 3;

/**
 * Splits each user's sequence: test is the last item, validation the one before, train the rest.
 *
 * `train` shares memory with `data.sequences`. The prompt for the test item is the sequence without its last item: train and validation.
 * @throws IlrecError when a user has fewer than three interactions; `prepareData` and `prepareInteractions` drop such users.
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
        `leaveOneOut: user "${data.userIds[user]}" must have ${MIN_SEQUENCE_LENGTH} interactions or more, got ${sequence.length}; run prepare, which drops such users`,
      );
    }
    train.push(sequence.subarray(0, sequence.length - 2));
    validation[user] = sequence[sequence.length - 2];
    test[user] = sequence[sequence.length - 1];
  }
  return { train, validation, test };
}
