/**
 * Up to this share of repeats, items seen are left out of the lists. A list without them has room for others, but each
 * target that repeats an item of the history is then a miss. So this is for data where people hardly ever take an item
 * twice: 0.2 % of the targets is the most that it can be expected to lose.
 */
export const LARGEST_REPEAT_SHARE = 0.002;

/** The rule for items seen that the training data asks for, and why. */
export interface SeenChoice {
  /** Whether lists may hold items of the history, or leave them out. */
  readonly seen: 'allow' | 'exclude';
  /** Share of the training interactions that repeat an earlier item of the same user, 0 to 1. */
  readonly repeatShare: number;
}

/**
 * The share of interactions that repeat an earlier item of the same user.
 *
 * @param sequences item numbers in time order, [users].
 * @returns 0 to 1; 0 where there is no interaction.
 */
export function repeatShare(sequences: readonly ArrayLike<number>[]): number {
  let interactions = 0;
  let repeats = 0;
  for (const sequence of sequences) {
    interactions += sequence.length;
    repeats += sequence.length - new Set(Array.from(sequence)).size;
  }
  return interactions === 0 ? 0 : repeats / interactions;
}

/**
 * Chooses the rule for items seen.
 *
 * @param train the training part of the data alone, [users]: held-out items must not decide how they are asked for.
 * @returns `exclude` where at most `LARGEST_REPEAT_SHARE` of the interactions are repeats, else `allow`.
 */
export function chooseSeenRule(train: readonly ArrayLike<number>[]): SeenChoice {
  const share = repeatShare(train);
  return { seen: share <= LARGEST_REPEAT_SHARE ? 'exclude' : 'allow', repeatShare: share };
}
