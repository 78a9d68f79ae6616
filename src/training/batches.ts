import { IlrecError } from '../errors';
import { mixSeeds } from '../ops/dropout';
import { createRandom } from '../random';
import { cutRows, type Row } from './rows';

/** One training batch on the CPU: the model's input and the loss's labels. */
export interface Batch {
  /** Token ids [B * T], row by row, padded on the right. */
  readonly inputIds: Int32Array;
  /** The token after each target position, the ignore index elsewhere, [B * T]. */
  readonly labels: Int32Array;
  /**
   * For an encoder-decoder: the decoder's input, [B * T], row by row. The labels are of its positions, and `inputIds`
   * [B * S] is what the encoder reads, S the sequence length.
   */
  readonly decoderInputIds?: Int32Array;
  readonly batchSize: number;
  readonly sequenceLength: number;
  /** Input tokens without padding, as tokens/s counts them. */
  readonly numTokens: number;
}

/** The batches of every epoch, made on demand. The same seed gives the same batches, from any step on. */
export interface Batches {
  readonly stepsPerEpoch: number;
  /**
   * @param epoch from 0.
   * @param startStep how many batches of the epoch to skip. Default 0.
   */
  batchesOf(epoch: number, startStep?: number): Generator<Batch, void, undefined>;
}

export interface BatchOptions {
  /** The item numbers of each user to train on, oldest first. */
  sequences: readonly ArrayLike<number>[];
  /** Token ids of each item. */
  itemTokens: readonly ArrayLike<number>[];
  /** Labels of each item's tokens. Default the token ids. */
  itemLabels?: readonly ArrayLike<number>[];
  /**
   * 'packed': a row is a history in which every item is a target. 'single': a row is one target and the history before
   * it. Default 'packed'.
   */
  batching?: 'packed' | 'single';
  /** B, rows of a batch, 1 or more; one batch of the epoch holds the rest. Default 64. */
  batchSize?: number;
  /** Items that a row may show before a target, 1 or more. Default 20. */
  maxHistory?: number;
  /** Whether the first item of a history is a target too, although nothing comes before it. Default true. */
  trainFirstItem?: boolean;
  /** Seed of the order of rows and batches; each epoch has another order. Default 0. */
  seed?: number;
  /**
   * Rows are padded to a multiple of this many tokens, at most to the longest row of the data, so that few shapes
   * occur. Default 8.
   */
  bucketTokens?: number;
  /** The first token of each row. Default 1. */
  bosTokenId?: number;
  /** Fills rows on the right. Default 0. */
  padTokenId?: number;
  /** Label of positions that are not targets. Default -100. */
  ignoreIndex?: number;
}

/** Rows are sorted by length within pools of this many batches. */
const BATCHES_PER_POOL = 32;

/**
 * Turns users' histories into training batches: a row is `[bos] tokens of each item`, its labels are shifted by one.
 *
 * @param options see `BatchOptions`.
 * @returns the batches of every epoch; rows of similar length share a batch.
 * @throws IlrecError when a size is not a positive integer, or no row holds a target.
 *
 * @example
 * ```ts
 * import { createBatches } from 'tfjs-ilrec';
 *
 * const batches = createBatches({ sequences: [[0, 1]], itemTokens: [[3, 5], [4, 5]], bucketTokens: 1 });
 * const [batch] = batches.batchesOf(0);
 * console.log(Array.from(batch.inputIds)); // [ 1, 3, 5, 4 ]
 * console.log(Array.from(batch.labels)); // [ 3, 5, 4, 5 ]
 * ```
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

  /** Number of input tokens of a row: bos and all tokens but the last. */
  function tokensOf({ sequence, start, end }: Row): number {
    let length = 0;
    for (let i = start; i < end; i++) length += itemTokens[sequences[sequence][i]].length;
    return length;
  }

  function collate(chosen: Int32Array): Batch {
    const longest = longestOf(chosen.map((row) => lengths[row]));
    const sequenceLength = Math.min(longestRow, bucketTokens * Math.ceil(longest / bucketTokens)); // no row needs more
    const inputIds = new Int32Array(chosen.length * sequenceLength).fill(padTokenId);
    const labels = new Int32Array(chosen.length * sequenceLength).fill(ignoreIndex);
    let numTokens = 0;
    chosen.forEach((index, b) => {
      const { sequence, start, end, firstTarget } = rows[index];
      const offset = b * sequenceLength;
      let t = 0; // position before the next token
      inputIds[offset] = bosTokenId;
      for (let i = start; i < end; i++) {
        const item = sequences[sequence][i];
        const tokens = itemTokens[item];
        for (let j = 0; j < tokens.length; j++, t++) {
          if (i >= firstTarget) labels[offset + t] = itemLabels[item][j];
          if (t + 1 < lengths[index]) inputIds[offset + t + 1] = tokens[j]; // the last token is only a label
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

/**
 * Shuffles the rows, sorts each pool by length, cuts batches and shuffles them. Only the rows that remain may make a
 * smaller batch.
 * @returns row numbers of each batch.
 */
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
