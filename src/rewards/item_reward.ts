import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import { TopK } from '../generation/top_k';
import type { Reward, RewardContext, RewardEntries } from '../losses/reward';
import { type ItemScorer, scorePrefixes } from '../models/item_scorer';

/** Options of `itemReward`. */
export interface ItemRewardOptions {
  /** The teacher. */
  scorer: ItemScorer;
  /** Items of highest score that keep their mass, 1 or more; at most all. Default 50. */
  topK?: number;
  /** Whether items of the history get no mass. Default false. */
  excludeSeen?: boolean;
  /** The scores are divided by it before the softmax, above 0. Default 1. */
  temperature?: number;
}

/** A batch as far as the teacher reads it; `createBatches` makes them. */
export interface RewardBatch {
  readonly inputIds: Int32Array;
  readonly labels: Int32Array;
  readonly batchSize: number;
  readonly sequenceLength: number;
}

/** The teacher's items at every prefix that it has seen, best first, R prefixes in the order in which they came. */
export interface RewardTable {
  readonly topK: number;
  /** [R * topK], -1 where there are fewer. */
  readonly items: Int32Array;
  /** [R * topK] */
  readonly masses: Float32Array;
}

/** A reward for models whose tokens are items. It remembers what the teacher said of each history. */
export interface ItemReward extends Reward {
  /**
   * Asks the teacher about every response position of some batches, so that the teacher can then be freed. On WebGPU,
   * where a loss cannot wait for numbers, it must be called before training.
   *
   * @param known what `table` gave after the same batches; then the teacher is not asked.
   */
  prepare(batches: Iterable<RewardBatch>, known?: RewardTable): Promise<void>;
  /** What is remembered. */
  table(): RewardTable;
}

/** Scores that are read at once: 64 MiB. */
const SCORES_AT_ONCE = 2 ** 24;

/**
 * Makes the collaborative reward of a model whose tokens are the items, such as `causalLM({ items })`: the softmax of a
 * teacher's scores over its best items.
 *
 * ```
 * c_t(i) = softmax(score(i | history_t) / temperature) over the topK best items, 0 elsewhere
 * ```
 * The teacher is asked once for each history and then remembered, so that a training of several epochs pays for one.
 *
 * @param options see `ItemRewardOptions`.
 * @returns a reward for `ilrec({ reward })`.
 * @throws IlrecError when an option is out of range.
 * @example
 * ```ts
 * import { itemReward, markovScorer } from 'tfjs-ilrec';
 *
 * const reward = itemReward({ scorer: markovScorer([[0, 1], [0, 1], [0, 2]], 3), topK: 2 });
 * // one row: the start token 3, then item 0; the next item is asked for
 * await reward.prepare([{ inputIds: Int32Array.of(3, 0), labels: Int32Array.of(-100, 1), batchSize: 1, sequenceLength: 2 }]);
 * console.log(reward.table().items); // Int32Array(2) [ 1, 2 ]
 * ```
 */
export function itemReward({ scorer, topK = 50, excludeSeen = false, temperature = 1 }: ItemRewardOptions): ItemReward {
  if (!(Number.isInteger(topK) && topK >= 1))
    throw new IlrecError(`itemReward: topK must be a positive integer, got ${topK}`);
  if (!(temperature > 0 && Number.isFinite(temperature)))
    throw new IlrecError(`itemReward: temperature must be above 0, got ${temperature}; 1 is the default`);
  const { numItems } = scorer;
  const width = Math.min(topK, numItems);
  const prefixes = new Prefixes(numItems);
  const rowsAtOnce = Math.max(1, Math.floor(SCORES_AT_ONCE / numItems));
  const best = new TopK(width);
  let items = new Int32Array(0);
  let masses = new Float32Array(0);

  /** Makes room for all known prefixes. */
  const grow = (): void => {
    const needed = prefixes.size * width;
    if (items.length >= needed) return;
    const size = Math.max(needed, 2 * items.length);
    const [olderItems, olderMasses] = [items, masses];
    items = new Int32Array(size).fill(-1);
    masses = new Float32Array(size);
    items.set(olderItems);
    masses.set(olderMasses);
  };

  const keep = (id: number, history: readonly number[], scores: Float32Array): void => {
    const seen = excludeSeen ? new Set(history) : null;
    best.clear();
    for (let item = 0; item < numItems; item++) {
      const score = scores[item];
      if (Number.isNaN(score) || score === Infinity)
        throw new IlrecError(
          `itemReward: scores must be numbers, got ${score} from ${scorer.name} for item ${item}; its weights have ` +
            'diverged',
        );
      if (score === -Infinity) continue; // no mass
      if (best.accepts(score, item) && seen?.has(item) !== true) best.offer(score, item);
    }
    let [highest, sum] = [0, 0];
    const count = best.size;
    items.fill(-1, id * width, (id + 1) * width);
    masses.fill(0, id * width, (id + 1) * width);
    best.drain((rank, score, item) => {
      if (rank === 0) highest = score;
      const mass = Math.exp((score - highest) / temperature);
      items[id * width + rank] = item;
      masses[id * width + rank] = mass;
      sum += mass;
    });
    for (let rank = 0; rank < count; rank++) masses[id * width + rank] /= sum;
  };

  /** Asks about new prefixes, some at a time. */
  function* questions(found: readonly Found[]): Generator<{ scores: tf.Tensor2D; asked: readonly Found[] }> {
    grow();
    for (let from = 0; from < found.length; from += rowsAtOnce) {
      const asked = found.slice(from, from + rowsAtOnce);
      const rows = Int32Array.from(asked, ({ row }) => row);
      const first = rows[0];
      const histories = asked[0].histories.slice(first, rows[rows.length - 1] + 1);
      const lengths = Int32Array.from(asked, ({ length }) => length);
      yield {
        scores: scorePrefixes(
          scorer,
          histories,
          rows.map((row) => row - first),
          lengths,
        ),
        asked,
      };
    }
  }
  const keepAll = (values: Float32Array, asked: readonly Found[]): void =>
    asked.forEach(({ id, histories, row, length }, r) =>
      keep(id, histories[row].slice(0, length), values.subarray(r * numItems, (r + 1) * numItems)),
    );

  const entries = (context: RewardContext): RewardEntries => {
    const { size } = prefixes;
    const { ids, found } = prefixes.walk(context);
    try {
      for (const { scores, asked } of questions(found)) {
        const values = scores.dataSync<'float32'>();
        scores.dispose();
        keepAll(values, asked);
      }
    } catch (error) {
      prefixes.forget(size); // they are asked about again
      throw error;
    }
    const places: number[] = [];
    ids.forEach((id, p) => {
      for (let rank = 0; rank < width && items[id * width + rank] >= 0; rank++) places.push(p, id * width + rank);
    });
    const count = places.length / 2;
    return {
      rows: Int32Array.from({ length: count }, (_, i) => places[2 * i]),
      tokens: Int32Array.from({ length: count }, (_, i) => items[places[2 * i + 1]]),
      masses: tf.tensor1d(Float32Array.from({ length: count }, (_, i) => masses[places[2 * i + 1]])),
    };
  };
  const reward = (context: RewardContext): tf.Tensor2D =>
    tf.tidy(() => {
      const { rows, tokens, masses: values } = entries(context);
      const shape: [number, number] = [context.positions.length, context.vocabSize];
      const places = Int32Array.from(rows, (row, i) => row * context.vocabSize + tokens[i]);
      const flat = tf.unsortedSegmentSum(values, tf.tensor1d(places, 'int32'), shape[0] * shape[1]);
      return tf.reshape(flat, shape);
    });
  const ask = async (batch: RewardBatch): Promise<void> => {
    const { size } = prefixes;
    const { found } = prefixes.walk({ ...batch, positions: labelled(batch.labels) });
    try {
      for (const { scores, asked } of questions(found)) {
        const values = await scores.data<'float32'>();
        scores.dispose();
        keepAll(values, asked);
      }
    } catch (error) {
      prefixes.forget(size);
      throw error;
    }
  };
  const restore = (batches: Iterable<RewardBatch>, known: RewardTable): void => {
    const { size } = prefixes;
    for (const batch of batches) prefixes.walk({ ...batch, positions: labelled(batch.labels) });
    const needed = prefixes.size;
    if (known.topK !== width || known.items.length !== needed * width) {
      prefixes.forget(size);
      throw new IlrecError(
        `itemReward: known must be the table of these batches, ${needed} histories of ${width} items, got ` +
          `${known.items.length / known.topK} of ${known.topK}`,
      );
    }
    items = known.items.slice();
    masses = known.masses.slice();
  };
  const prepare = async (batches: Iterable<RewardBatch>, known?: RewardTable): Promise<void> => {
    if (known !== undefined) return restore(batches, known);
    for (const batch of batches) await ask(batch);
  };
  const table = (): RewardTable => ({
    topK: width,
    items: items.slice(0, prefixes.size * width),
    masses: masses.slice(0, prefixes.size * width),
  });
  return Object.assign(reward, { entries, prepare, table });
}

function labelled(labels: Int32Array): Int32Array {
  return Int32Array.from(labels.keys()).filter((position) => labels[position] >= 0);
}

/** A prefix that is met for the first time. */
interface Found {
  readonly id: number;
  readonly histories: readonly number[][];
  readonly row: number;
  readonly length: number;
}

/** Numbers the histories before response positions in the order in which they are met. */
class Prefixes {
  /** Distinct prefixes at response positions. */
  size = 0;
  private numNodes = 1;
  /** node * N + item -> the node after it. */
  private readonly next = new Map<number, number>();
  private readonly idOf = new Map<number, number>(); // of a node

  constructor(private readonly numItems: number) {}

  /** @returns the number of the prefix at each response position [P], and the prefixes that are new. */
  walk({
    inputIds,
    batchSize,
    sequenceLength,
    positions,
  }: Pick<RewardContext, 'inputIds' | 'batchSize' | 'sequenceLength' | 'positions'>): {
    ids: Int32Array;
    found: Found[];
  } {
    const ids = new Int32Array(positions.length);
    const found: Found[] = [];
    const histories: number[][] = Array.from({ length: batchSize }, () => []);
    let p = 0;
    for (let row = 0; row < batchSize; row++) {
      const end = (row + 1) * sequenceLength;
      let node = 0;
      for (let at = row * sequenceLength; at < end && positions[p] < end; at++) {
        const item = inputIds[at];
        if (item < this.numItems) {
          histories[row].push(item);
          node = this.child(node, item);
        }
        if (positions[p] !== at) continue;
        let id = this.idOf.get(node);
        if (id === undefined) {
          this.idOf.set(node, (id = this.size++));
          found.push({ id, histories, row, length: histories[row].length });
        }
        ids[p++] = id;
      }
    }
    return { ids, found };
  }

  /** Forgets all prefixes but the first `size`. */
  forget(size: number): void {
    for (const [node, id] of this.idOf) if (id >= size) this.idOf.delete(node);
    this.size = size;
  }

  private child(node: number, item: number): number {
    const key = node * this.numItems + item;
    let child = this.next.get(key);
    if (child === undefined) this.next.set(key, (child = this.numNodes++));
    return child;
  }
}
