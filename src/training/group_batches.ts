import { IlrecError } from '../errors';
import { mixSeeds } from '../ops/dropout';
import { type Batch, type Batches, batchOrder } from './batches';

/** A prompt and the responses that are compared: the chosen one first. */
export interface ResponseGroup {
  readonly prompt: ArrayLike<number>;
  readonly responses: readonly ArrayLike<number>[];
}

export interface GroupBatchOptions {
  /** Groups of the training. */
  numGroups: number;
  /** Makes a group; called when a batch needs it. */
  groupAt: (index: number) => ResponseGroup;
  /** Fills rows on the right. */
  padTokenId: number;
  /** Groups of a batch, 1 or more; one batch of the epoch holds the rest. Default 16. */
  groupsPerBatch?: number;
  /** Seed of the order of groups and batches; each epoch has another order. Default 0. */
  seed?: number;
  /** Rows are padded to a multiple of this many tokens, so that few shapes occur. Default 8. */
  bucketTokens?: number;
  /** Label of positions that are not targets. Default -100. */
  ignoreIndex?: number;
}

/**
 * Turns groups of responses into batches for preference learning: a row is `prompt response`, the rows of a group follow
 * one another, and labels are the tokens of the response alone, shifted by one.
 *
 * @param options see `GroupBatchOptions`.
 * @returns the batches of every epoch; groups of similar length share a batch.
 * @throws IlrecError when a size is not a positive integer. When an epoch's batches are made: when a prompt or a response
 *   has no token.
 * @example
 * ```ts
 * import { groupBatches } from 'tfjs-ilrec';
 *
 * const group = { prompt: [1, 8, 9], responses: [[4, 2], [5, 2]] }; // chosen and rejected
 * const batches = groupBatches({ numGroups: 1, groupAt: () => group, padTokenId: 0, bucketTokens: 4 });
 * const [batch] = batches.batchesOf(0);
 * console.log(Array.from(batch.inputIds).join(' ')); // 1 8 9 4 1 8 9 5
 * console.log(Array.from(batch.labels).join(' ')); // -100 -100 4 2 -100 -100 5 2
 * ```
 */
export function groupBatches(options: GroupBatchOptions): Batches {
  const {
    numGroups,
    groupAt,
    padTokenId,
    groupsPerBatch = 16,
    seed = 0,
    bucketTokens = 8,
    ignoreIndex = -100,
  } = options;
  for (const [name, value] of Object.entries({ numGroups, groupsPerBatch, bucketTokens })) {
    if (!Number.isInteger(value) || value < 1)
      throw new IlrecError(`groupBatches: ${name} must be a positive integer, got ${value}`);
  }

  /** Input tokens of a group's longest row: the last token of a response is only a label. */
  function lengthOf(index: number): number {
    const { prompt, responses } = groupAt(index);
    const shortest = Math.min(prompt.length, ...responses.map(({ length }) => length));
    if (shortest < 1)
      throw new IlrecError(
        `groupBatches: a prompt and its responses must have at least one token, got none in group ${index}`,
      );
    return prompt.length - 1 + Math.max(...responses.map(({ length }) => length));
  }

  return {
    stepsPerEpoch: Math.ceil(numGroups / groupsPerBatch),
    *batchesOf(epoch, startStep = 0) {
      const lengths = Int32Array.from({ length: numGroups }, (_, index) => lengthOf(index));
      const order = batchOrder(lengths, groupsPerBatch, mixSeeds(seed, epoch));
      for (let step = startStep; step < order.length; step++)
        yield groupRows(Array.from(order[step], groupAt), { padTokenId, bucketTokens, ignoreIndex });
    },
  };
}

/** One batch of groups, a response in a row, the rows of a group one after the other. */
export function groupRows(
  groups: readonly ResponseGroup[],
  {
    padTokenId,
    bucketTokens = 8,
    ignoreIndex = -100,
  }: Pick<GroupBatchOptions, 'padTokenId' | 'bucketTokens' | 'ignoreIndex'>,
): Batch {
  const rows = groups.flatMap(({ prompt, responses }) => responses.map((response) => ({ prompt, response })));
  const longest = rows.reduce((most, { prompt, response }) => Math.max(most, prompt.length + response.length - 1), 0);
  const sequenceLength = bucketTokens * Math.ceil(longest / bucketTokens);
  const inputIds = new Int32Array(rows.length * sequenceLength).fill(padTokenId);
  const labels = new Int32Array(rows.length * sequenceLength).fill(ignoreIndex);
  let numTokens = 0;
  rows.forEach(({ prompt, response }, row) => {
    const offset = row * sequenceLength;
    const tokens = Int32Array.from(response);
    inputIds.set(prompt, offset);
    inputIds.set(tokens.subarray(0, tokens.length - 1), offset + prompt.length);
    labels.set(tokens, offset + prompt.length - 1);
    numTokens += prompt.length + tokens.length - 1;
  });
  return { inputIds, labels, batchSize: rows.length, sequenceLength, numTokens };
}
