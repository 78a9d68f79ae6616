import type { LeaveOneOut } from './types';

/** The questions of an evaluation: which item comes after each history? */
export interface EvaluationCases {
  /** Item numbers before the target, oldest first, [users]. */
  readonly histories: Int32Array[];
  /** The item number to find, [users]. */
  readonly targets: Int32Array;
  /** A number that the cases of one user share; absent where each user has one case, or nothing says whose it is. */
  readonly users?: Int32Array;
}

/**
 * Turns a leave-one-out split into questions for `evaluateRecommender`.
 *
 * For `valid` the history is the training items and the target the validation item. For `test` the history also has the
 * validation item, and the target is the last item.
 *
 * @param split what `leaveOneOut` returned.
 * @param name which targets to ask for.
 * @returns histories [users] and targets [users].
 * @example
 * ```ts
 * import { leaveOneOut, splitCases } from 'tfjs-ilrec';
 *
 * const split = leaveOneOut({ userIds: ['ann'], sequences: [Int32Array.of(5, 3, 8, 2)] });
 * const { histories, targets } = splitCases(split, 'test');
 * console.log(histories[0], targets[0]); // Int32Array(3) [ 5, 3, 8 ] 2
 * ```
 */
export function splitCases({ train, validation, test }: LeaveOneOut, name: 'valid' | 'test'): EvaluationCases {
  if (name === 'valid') return { histories: train, targets: validation };
  const histories = train.map((items, user) => {
    const history = new Int32Array(items.length + 1);
    history.set(items);
    history[items.length] = validation[user];
    return history;
  });
  return { histories, targets: test };
}
