import { IlrecError } from '../errors';
import { mixSeeds } from '../ops/dropout';
import type { PromptExamples } from '../prompts/item_language';
import { type Batch, type Batches, batchOrder } from './batches';

export interface PromptBatchOptions {
  /**
   * Gives the examples of an epoch (from 0), the same number in each, for example `(epoch) =>
   * language.examples(sequences, { seed, epoch })`.
   */
  examples: (epoch: number) => PromptExamples;
  /** Fills rows on the right. */
  padTokenId: number;
  /** B, rows of a batch, 1 or more; one batch of the epoch holds the rest. Default 64. */
  batchSize?: number;
  /** Seed of the order of rows and batches; each epoch has another order. Default 0. */
  seed?: number;
  /** Rows are padded to a multiple of this many tokens, so that few shapes occur. Default 8. */
  bucketTokens?: number;
  /** Input tokens that the model's window holds; longer rows are refused. Default no limit. */
  maxTokens?: number;
  /** Label of positions that are not targets. Default -100. */
  ignoreIndex?: number;
}

/**
 * Turns prompts and responses into batches for `batchDataset` and `trainModel`: a row is `prompt response`, and its
 * labels are the tokens of the response alone, shifted by one. Rows of similar length share a batch.
 *
 * @param options see `PromptBatchOptions`.
 * @returns the batches of every epoch.
 * @throws IlrecError when a size is not a positive integer. When an epoch's batches are made: when it has another
 *   number of examples, or a row is too long.
 *
 * @example
 * ```ts
 * import { promptBatches } from 'tfjs-ilrec';
 *
 * const examples = [{ prompt: Int32Array.of(1, 8, 9), response: Int32Array.of(4, 2) }];
 * const batches = promptBatches({
 *   examples: () => ({ length: 1, lengthOf: () => 5, at: (index) => examples[index] }),
 *   padTokenId: 0,
 *   bucketTokens: 4,
 * });
 * const [batch] = batches.batchesOf(0);
 * console.log(Array.from(batch.inputIds)); // [ 1, 8, 9, 4 ]
 * console.log(Array.from(batch.labels)); // [ -100, -100, 4, 2 ]
 * ```
 */
export function promptBatches(options: PromptBatchOptions): Batches {
  const {
    examples,
    padTokenId,
    batchSize = 64,
    seed = 0,
    bucketTokens = 8,
    maxTokens = Infinity,
    ignoreIndex = -100,
  } = options;
  for (const [name, value] of Object.entries({
    batchSize,
    bucketTokens,
    ...(maxTokens !== Infinity && { maxTokens }),
  })) {
    if (!Number.isInteger(value) || value < 1)
      throw new IlrecError(`promptBatches: ${name} must be a positive integer, got ${value}`);
  }
  const numExamples = examples(0).length;

  function collate(drawn: PromptExamples, chosen: Int32Array, lengths: Int32Array): Batch {
    const longest = chosen.reduce((most, index) => Math.max(most, lengths[index]), 0);
    const sequenceLength = Math.min(maxTokens, bucketTokens * Math.ceil(longest / bucketTokens));
    const inputIds = new Int32Array(chosen.length * sequenceLength).fill(padTokenId);
    const labels = new Int32Array(chosen.length * sequenceLength).fill(ignoreIndex);
    let numTokens = 0;
    chosen.forEach((index, b) => {
      const { prompt, response } = drawn.at(index);
      const offset = b * sequenceLength;
      inputIds.set(prompt, offset);
      inputIds.set(response.subarray(0, response.length - 1), offset + prompt.length); // the last token is only a label
      labels.set(response, offset + prompt.length - 1);
      numTokens += lengths[index];
    });
    return { inputIds, labels, batchSize: chosen.length, sequenceLength, numTokens };
  }

  return {
    stepsPerEpoch: Math.ceil(numExamples / batchSize),
    *batchesOf(epoch, startStep = 0) {
      const drawn = examples(epoch);
      if (drawn.length !== numExamples)
        throw new IlrecError(
          `promptBatches: every epoch must have as many examples, got ${numExamples} in epoch 0 and ` +
            `${drawn.length} in epoch ${epoch}`,
        );
      const lengths = Int32Array.from({ length: numExamples }, (_, index) => drawn.lengthOf(index) - 1); // input tokens
      const tooLong = lengths.reduce((count, length) => count + Number(length > maxTokens), 0);
      if (tooLong > 0) {
        throw new IlrecError(
          `promptBatches: rows must have at most maxTokens = ${maxTokens} input tokens, got ${tooLong} longer ` +
            `ones of up to ${lengths.reduce((most, length) => Math.max(most, length), 0)} in epoch ${epoch}; set ` +
            "the language's maxPromptTokens and maxTitleTokens",
        );
      }
      const order = batchOrder(lengths, batchSize, mixSeeds(seed, epoch));
      for (let step = startStep; step < order.length; step++) yield collate(drawn, order[step], lengths);
    },
  };
}
