import { IlrecError } from '../errors';
import { mixSeeds } from '../ops/dropout';
import type { PromptExamples } from '../prompts/item_language';
import { type Batch, type Batches, batchOrder } from './batches';

export interface EncoderDecoderBatchOptions {
  /** The examples, the same in every epoch: the encoder reads the prompt, the decoder writes the response. */
  examples: PromptExamples;
  /** Fills rows on the right. Default 0. */
  padTokenId?: number;
  /** The first token of the decoder. Default `padTokenId`, as in T5. */
  decoderStartTokenId?: number;
  /** B, rows of a batch, 1 or more; one batch of the epoch holds the rest. Default 64. */
  batchSize?: number;
  /** Seed of the order of rows and batches; each epoch has another order. Default 0. */
  seed?: number;
  /** Prompts are padded to a multiple of this many tokens, so that few shapes occur. Default 8. */
  bucketTokens?: number;
  /** Label of positions that are not targets. Default -100. */
  ignoreIndex?: number;
}

/**
 * Turns prompts and responses into batches of an encoder-decoder for `batchDataset` and `trainModel`: the encoder reads
 * the prompt, the decoder the start token and the response without its last token, and the labels are the response.
 * Examples of similar length share a batch.
 *
 * @param options see `EncoderDecoderBatchOptions`.
 * @returns the batches of every epoch.
 * @throws IlrecError when a size is not a positive integer, or there is no example.
 * @example
 * ```ts
 * import { encoderDecoderBatches } from 'tfjs-ilrec';
 *
 * const examples = [{ prompt: Int32Array.of(1, 8, 9), response: Int32Array.of(4, 2) }];
 * const batches = encoderDecoderBatches({
 *   examples: { length: 1, lengthOf: () => 5, at: (index) => examples[index] },
 *   bucketTokens: 4,
 * });
 * const [{ inputIds, decoderInputIds, labels }] = batches.batchesOf(0);
 * console.log(inputIds.join(), decoderInputIds?.join(), labels.join()); // 1,8,9,0 0,4 4,2
 * ```
 */
export function encoderDecoderBatches(options: EncoderDecoderBatchOptions): Batches {
  const { examples, padTokenId = 0, decoderStartTokenId = padTokenId, batchSize = 64, seed = 0 } = options;
  const { bucketTokens = 8, ignoreIndex = -100 } = options;
  for (const [name, value] of Object.entries({ batchSize, bucketTokens })) {
    if (!Number.isInteger(value) || value < 1)
      throw new IlrecError(`encoderDecoderBatches: ${name} must be a positive integer, got ${value}`);
  }
  if (examples.length === 0)
    throw new IlrecError('encoderDecoderBatches: there must be at least one example, got none');
  const lengths = Int32Array.from({ length: examples.length }, (_, index) => examples.lengthOf(index));

  function collate(chosen: Int32Array): Batch {
    const rows = Array.from(chosen, (index) => examples.at(index));
    const longestPrompt = rows.reduce((most, { prompt }) => Math.max(most, prompt.length), 0);
    const sequenceLength = bucketTokens * Math.ceil(longestPrompt / bucketTokens); // S
    const written = rows.reduce((most, { response }) => Math.max(most, response.length), 0); // T
    const inputIds = new Int32Array(rows.length * sequenceLength).fill(padTokenId);
    const decoderInputIds = new Int32Array(rows.length * written).fill(padTokenId);
    const labels = new Int32Array(rows.length * written).fill(ignoreIndex);
    rows.forEach(({ prompt, response }, row) => {
      inputIds.set(prompt, row * sequenceLength);
      decoderInputIds[row * written] = decoderStartTokenId;
      decoderInputIds.set(response.subarray(0, response.length - 1), row * written + 1);
      labels.set(response, row * written);
    });
    const numTokens = chosen.reduce((sum, index) => sum + lengths[index], 0);
    return { inputIds, decoderInputIds, labels, batchSize: rows.length, sequenceLength, numTokens };
  }

  return {
    stepsPerEpoch: Math.ceil(examples.length / batchSize),
    *batchesOf(epoch, startStep = 0) {
      const order = batchOrder(lengths, batchSize, mixSeeds(seed, epoch));
      for (let step = startStep; step < order.length; step++) yield collate(order[step]);
    },
  };
}
