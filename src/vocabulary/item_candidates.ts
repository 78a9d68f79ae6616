import { createRandom } from '../random';
import { mixSeeds } from '../ops/dropout';
import type { Candidates } from './candidate_cross_entropy';

/** What one position is trained on. */
export interface ItemPosition {
  /** Items that have a share of the target, the label first, [K]. */
  readonly items: readonly number[];
  /** Their shares; the sum is 1. */
  readonly shares: readonly number[];
  /** Items that the user has chosen before. */
  readonly seen: Iterable<number>;
}

/** How the softmax over items is made. */
export interface ItemSoftmaxRule {
  /** Whether items of the history are left out of the softmax, unless they are targets. */
  readonly excludeSeen: boolean;
  /** Whether the head has a repeat bias; then items of the history are always candidates. */
  readonly hasRepeatBias: boolean;
  /** M, items drawn for all positions of a batch; null for all N. */
  readonly sample: Int32Array | null;
}

/** The candidates of a batch, and the items whose rows of the head they index. */
export interface ItemCandidates {
  /** [U]; null for all N items in order. */
  readonly items: Int32Array | null;
  readonly candidates: Candidates;
}

/** Draws M different items of N, the same for the same seed and step. Null where M items or fewer are left out. */
export function sampleItems(
  numItems: number,
  sampledItems: number | null,
  seed: number,
  step: number,
): Int32Array | null {
  if (sampledItems === null || numItems <= 2 * sampledItems) return null; // a sample would save little
  const random = createRandom(mixSeeds(seed, step));
  const drawn = new Set<number>();
  while (drawn.size < sampledItems) drawn.add(random.int(numItems));
  return Int32Array.from(drawn);
}

/**
 * Lays out the candidates of a batch.
 *
 * With a sample, a position scores the drawn items and, as its own candidates, its targets; drawn items that are its
 * targets, or that it leaves out, do not count twice. Without one it scores all items.
 */
export function itemCandidates(
  positions: readonly ItemPosition[],
  numItems: number,
  { excludeSeen, hasRepeatBias, sample }: ItemSoftmaxRule,
): ItemCandidates {
  const rowOf = new Int32Array(numItems).fill(-1); // of the candidates' head
  const items: number[] = [];
  const add = (item: number): number => {
    if (rowOf[item] < 0) {
      rowOf[item] = items.length;
      items.push(item);
    }
    return rowOf[item];
  };
  if (sample === null) for (let item = 0; item < numItems; item++) add(item);
  else sample.forEach(add);
  const numShared = items.length; // M

  const seenOf = positions.map(({ seen }) => new Set(hasRepeatBias || excludeSeen ? seen : []));
  const ownOf = positions.map(({ items: targets, shares }, p) => {
    const before = seenOf[p];
    const own = targets.map((item, i) => ({ item, share: shares[i], isSeen: before.has(item) }));
    if (sample === null || excludeSeen || !hasRepeatBias) return own;
    const known = new Set(targets);
    return [
      ...own,
      ...[...before].filter((item) => !known.has(item)).map((item) => ({ item, share: 0, isSeen: true })),
    ];
  });
  const numOwn = ownOf.reduce((most, { length }) => Math.max(most, length), 1); // K
  const size = positions.length * numOwn;
  const own = new Int32Array(size);
  const targets = new Float32Array(size);
  const ownMarks = new Uint8Array(size).fill(PADDING);
  const [leftOut, seenShared]: number[][] = [[], []];
  const [leftOutAt, seenAt] = [new Int32Array(positions.length + 1), new Int32Array(positions.length + 1)];
  positions.forEach((_, p) => {
    const mine = new Set<number>();
    ownOf[p].forEach(({ item, share, isSeen }, k) => {
      const at = p * numOwn + k;
      own[at] = add(item);
      targets[at] = share;
      ownMarks[at] = isSeen && hasRepeatBias ? SEEN : PLAIN;
      mine.add(item);
    });
    const isShared = (item: number): boolean => rowOf[item] >= 0 && rowOf[item] < numShared;
    // the own candidates of a sample are scored on their own
    if (sample !== null) for (const item of mine) if (isShared(item)) leftOut.push(rowOf[item]);
    if (excludeSeen || (hasRepeatBias && sample === null)) {
      for (const item of seenOf[p]) {
        if (excludeSeen && !mine.has(item)) {
          if (isShared(item)) leftOut.push(rowOf[item]);
        } else if (hasRepeatBias && sample === null) seenShared.push(rowOf[item]);
      }
    }
    leftOutAt[p + 1] = leftOut.length;
    seenAt[p + 1] = seenShared.length;
  });
  return {
    items: sample === null ? null : Int32Array.from(items),
    candidates: {
      numPositions: positions.length,
      numShared,
      sharedOffset: sample === null ? 0 : Math.log(numItems / numShared),
      numOwn,
      ownCount: sample !== null,
      own,
      targets,
      ownMarks,
      leftOut: Int32Array.from(leftOut),
      leftOutAt,
      seen: Int32Array.from(seenShared),
      seenAt,
    },
  };
}

/** Marks of own candidates. */
const [PLAIN, SEEN, PADDING] = [0, 1, 2];
