import type { LeaveOneOut } from './types';

/** What is asked of a recommender: after this history, which item? */
export interface EvaluationCases {
  /** Items before the target, oldest first, [users]. */
  readonly histories: Int32Array[];
  /** The item to be found, [users]. */
  readonly targets: Int32Array;
}

/** Validation: the training items, then the last but one item is the target. Test: the validation item belongs to the history, the last item is the target. */
export function splitCases({ train, validation, test }: LeaveOneOut, split: 'valid' | 'test'): EvaluationCases {
  if (split === 'valid') return { histories: train, targets: validation };
  const histories = train.map((items, user) => {
    const history = new Int32Array(items.length + 1);
    history.set(items);
    history[items.length] = validation[user];
    return history;
  });
  return { histories, targets: test };
}
