import { IlrecError } from '../errors';
import { mixSeeds } from '../ops/dropout';
import { createRandom } from '../random';
import { cutRows, type Row } from './rows';

/** One training batch on the CPU: what becomes the model's input and the loss's labels. */
export interface Batch {
  /** [B * T] row by row, padded right. */
  readonly inputIds: Int32Array;
  /** [B * T] the token after each position, the ignore index elsewhere. */
  readonly labels: Int32Array;
  readonly batchSize: number;
  readonly sequenceLength: number;
  /** Input tokens without padding: the number that tokens/s counts. */
  readonly numTokens: number;
}

/** The batches of every epoch, made when asked for; the same seed gives the same batches, from any step on. */
export interface Batches {
  readonly stepsPerEpoch: number;
  /** @param startStep how many batches of the epoch to leave out. */
  batchesOf(epoch: number, startStep?: number): Generator<Batch, void, undefined>;
}

export interface BatchOptions {
  /** Per user the item numbers to train on, oldest first. */
  sequences: readonly ArrayLike<number>[];
  /** Token ids per item. */
  itemTokens: readonly ArrayLike<number>[];
  /** The labels of an item's tokens, where they are not the token ids themselves. */
  itemLabels?: readonly ArrayLike<number>[];
  /** `packed`: a row is a history in which every item is a target; `single`: a row is one target and the history before it. Default 'packed'. */
  batching?: 'packed' | 'single';
  /** Rows of a batch, 1 or more; the last batch of an epoch holds the rest. Default 64. */
  batchSize?: number;
  /** Items before a target that a row may show, 1 or more. Default 20. */
  maxHistory?: number;
  /** Whether the first item of a history, which has nothing before it, is a target too. Default true. */
  trainFirstItem?: boolean;
  /** Order of rows and batches, together with the epoch. Default 0. */
  seed?: number;
  /** Rows are padded to a multiple of this many tokens, or to the longest row of the data, so that few shapes occur. Default 8. */
  bucketTokens?: number;
  bosTokenId?: number;
  padTokenId?: number;
  /** Label of positions that are no target. Default -100. */
  ignoreIndex?: number;
}

/** Batches whose rows are alike in length are cut from this many batches' worth of shuffled rows. */
const BATCHES_PER_POOL = 32;

/**
 * Turns histories into batches: `[bos] tokens of each item`, labels shifted by one.
 *
 * @throws IlrecError when a size is no positive integer, or no row holds a target.
 */
export function createBatches(options: BatchOptions): Batches {
  const {
    sequences,
    itemTokens,
    batching = 'packed',
    batchSize = 64,
    maxHistory = 20,
    trainFirstItem = true,
    seed = 0,
  } = options;
  const { bucketTokens = 8, bosTokenId = 1, padTokenId = 0, ignoreIndex = -100, itemLabels = itemTokens } = options;
  for (const [name, value] of Object.entries({ batchSize, maxHistory, bucketTokens })) {
    if (!Number.isInteger(value) || value < 1)
      throw new IlrecError(`createBatches: ${name} must be a positive integer, got ${value}`);
  }
  const rows = cutRows(sequences, { batching, maxHistory, trainFirstItem });
  if (rows.length === 0)
    throw new IlrecError(
      'createBatches: there must be at least one target, got none; give users with two training items or more',
    );
  const lengths = Int32Array.from(rows, (row) => tokensOf(row));
  const longestRow = longestOf(lengths);

  /** Input tokens of a row: bos and all tokens but the last. */
  function tokensOf({ sequence, start, end }: Row): number {
    let length = 0;
    for (let i = start; i < end; i++) length += itemTokens[sequences[sequence][i]].length;
    return length;
  }

  function collate(chosen: Int32Array): Batch {
    const longest = longestOf(chosen.map((row) => lengths[row]));
    const sequenceLength = Math.min(longestRow, bucketTokens * Math.ceil(longest / bucketTokens)); // no row of the data needs more
    const inputIds = new Int32Array(chosen.length * sequenceLength).fill(padTokenId);
    const labels = new Int32Array(chosen.length * sequenceLength).fill(ignoreIndex);
    let numTokens = 0;
    chosen.forEach((index, b) => {
      const { sequence, start, end, firstTarget } = rows[index];
      const offset = b * sequenceLength;
      let t = 0; // position of the token before the next one
      inputIds[offset] = bosTokenId;
      for (let i = start; i < end; i++) {
        const item = sequences[sequence][i];
        const tokens = itemTokens[item];
        for (let j = 0; j < tokens.length; j++, t++) {
          if (i >= firstTarget) labels[offset + t] = itemLabels[item][j];
          if (t + 1 < lengths[index]) inputIds[offset + t + 1] = tokens[j]; // the last token is a label only
        }
      }
      numTokens += lengths[index];
    });
    return { inputIds, labels, batchSize: chosen.length, sequenceLength, numTokens };
  }

  return {
    stepsPerEpoch: Math.ceil(rows.length / batchSize),
    *batchesOf(epoch, startStep = 0) {
      const order = batchOrder(lengths, batchSize, mixSeeds(seed, epoch));
      for (let step = startStep; step < order.length; step++) yield collate(order[step]);
    },
  };
}

function longestOf(lengths: Int32Array): number {
  return lengths.reduce((longest, length) => Math.max(longest, length), 0);
}

/** Shuffles the rows, sorts each pool of them by length, cuts batches and shuffles those; only the epoch's last rows may make a smaller batch. */
export function batchOrder(lengths: Int32Array, batchSize: number, seed: number): Int32Array[] {
  const random = createRandom(seed);
  const shuffled = random.shuffle(Int32Array.from(lengths.keys()));
  const batches: Int32Array[] = [];
  const poolSize = batchSize * BATCHES_PER_POOL;
  for (let low = 0; low < shuffled.length; low += poolSize) {
    const pool = shuffled.slice(low, low + poolSize).sort((a, b) => lengths[a] - lengths[b] || a - b);
    for (let i = 0; i < pool.length; i += batchSize) batches.push(pool.subarray(i, i + batchSize));
  }
  return random.shuffle(batches);
}
