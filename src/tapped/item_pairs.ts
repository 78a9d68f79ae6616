import * as tf from '@tensorflow/tfjs-core';
import { IlrecError, UnnamedError } from '../errors';
import { type ItemScorer, scorePrefixes } from '../models/item_scorer';
import { ofTokens } from '../vocabulary/head_of_tokens';
import { hiddenSizeOf } from '../vocabulary/vocabulary_projection';
import { ContentKey } from './content_key';
import { type PairBatch, positionsOf, type PreferencePairs, type ResponseGroups } from './preference_pairs';
import type { TappedBatch } from './tapped_batch';

/** What was chosen after E histories. Example e follows the first `lengths[e]` items of `histories[rows[e]]`. */
export interface PreferenceExamples {
  /** N. */
  readonly numItems: number;
  /** Item numbers, oldest first. */
  readonly histories: readonly (readonly number[])[];
  /** [E], ascending. */
  readonly rows: Int32Array;
  /** [E] */
  readonly lengths: Int32Array;
  /** The item that was chosen, [E]. */
  readonly chosen: Int32Array;
}

/** Says which items were rejected after each history, n for each: [E * n] row by row. */
export type RejectedItems = (examples: PreferenceExamples) => Int32Array | Promise<Int32Array>;

export interface ItemPairsOptions {
  /** The frozen reference, which is read now: `causalItemScorer(model)` of the model that the training starts from. */
  reference: ItemScorer;
  /** The batches of the training: at each response position the label is the chosen item. */
  batches: Iterable<PairBatch>;
  /** The rejected items, such as `randomRejected(...)` or `topRejected(...)`. */
  rejected: RejectedItems;
  /** Scores the items of each group, for `rosePo`. Default none. */
  oracle?: ItemScorer;
  /** What `table()` gave for the same batches; then nobody is asked. */
  known?: ItemTable;
}

/** What is remembered of E different examples, in the order in which the batches held them. */
export interface ItemTable {
  /** n, rejected items of an example. */
  readonly numRejected: number;
  /** [E * n] */
  readonly rejected: Int32Array;
  /** The reference's log-scores of the chosen item and the rejected ones, [E * (1 + n)]. */
  readonly reference: Float32Array;
  /** The oracle's log-scores of the same items; null without an oracle. */
  readonly oracle: Float32Array | null;
}

/** Pairs of items at the positions of a batch. */
export interface ItemPairs extends PreferencePairs {
  /** What is remembered, to be kept and handed back as `known`. */
  table(): ItemTable;
}

/** Scores that are made at once: 64 MiB. */
const SCORES_AT_ONCE = 2 ** 24;

/**
 * Prepares pairs for `dpo`, `sDpo` and `rosePo` for a model whose tokens are items, `causalLM({ items })`: one pass over a
 * history then scores what was chosen and rejected at every position.
 *
 * Chosen and rejected items share the softmax of their position, whose normaliser cancels, so only their own scores are
 * made. A position is found again by the items before it and its label, so the batches may come in any order.
 *
 * @param options see `ItemPairsOptions`.
 * @returns pairs for the option `pairs`.
 * @throws IlrecError when a label is not an item, `rejected` returns another number of items or one that does not exist,
 *   or `known` belongs to other batches.
 * @example
 * ```ts
 * import { causalItemScorer, causalLM, createBatches, itemPairs, randomRejected } from 'tfjs-ilrec';
 *
 * const [bosTokenId, padTokenId] = [5, 5]; // five items, 0 to 4
 * const batches = createBatches({ sequences: [[0, 1, 2], [3, 2]], itemTokens: [[0], [1], [2], [3], [4]], bosTokenId, padTokenId });
 * const model = causalLM({ vocabSize: 5, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2, items: {} });
 * const pairs = await itemPairs({
 *   reference: causalItemScorer(model),
 *   batches: batches.batchesOf(0),
 *   rejected: randomRejected({ numRejected: 2 }),
 * });
 * console.log(pairs.groupSize, pairs.table().rejected.length); // 3 10
 * ```
 */
export async function itemPairs(options: ItemPairsOptions): Promise<ItemPairs> {
  const { reference, batches, rejected, oracle, known } = options;
  const { numItems } = reference;
  const { examples, numbers } = readExamples(batches, numItems);
  const table = known ?? (await makeTable(examples, { reference, rejected, oracle }));
  const { numRejected } = table;
  const groupSize = 1 + numRejected;
  const numExamples = examples.chosen.length;
  if (table.reference.length !== numExamples * groupSize)
    throw new IlrecError(
      `itemPairs: known must be the table of these batches, ${numExamples} examples, got ` +
        `${table.reference.length / groupSize}`,
    );
  return {
    groupSize,
    hasOracle: table.oracle !== null,
    table: () => table,
    groupsOf(batch) {
      const found = positionKeys(batchOf(batch), batch.positions, numItems).map((key) => numbers.get(key));
      const strange = found.indexOf(undefined);
      if (strange >= 0)
        throw new UnnamedError(
          'each position must be one of those that itemPairs was given, got another with the label ' +
            `${batch.labelIds[strange]}; give it all batches`,
        );
      return groupsAt(batch, found as number[], table);
    },
  };
}

function batchOf({ inputIds, allLabels, batchSize, sequenceLength }: TappedBatch): PairBatch {
  return { inputIds, labels: allLabels, batchSize, sequenceLength };
}

/** The groups of some examples, one at each position of the batch. */
function groupsAt(batch: TappedBatch, examples: readonly number[], table: ItemTable): ResponseGroups {
  const { numRejected, rejected } = table;
  const groupSize = 1 + numRejected;
  const numPositions = examples.length;
  const items = new Int32Array(numPositions * groupSize);
  examples.forEach((example, p) => {
    items[p * groupSize] = batch.labelIds[p];
    items.set(rejected.subarray(example * numRejected, (example + 1) * numRejected), p * groupSize + 1);
  });
  const remembered = (of: Float32Array): Float32Array => {
    const values = new Float32Array(items.length);
    examples.forEach((example, p) =>
      values.set(of.subarray(example * groupSize, (example + 1) * groupSize), p * groupSize),
    );
    return values;
  };
  return {
    policy: scoresOfItems(batch, items, groupSize),
    reference: tf.tensor2d(remembered(table.reference), [numPositions, groupSize]),
    oracle: table.oracle === null ? null : remembered(table.oracle),
  };
}

/** Scores of G items at each position, [P, G]. Gradient flows to the model. */
function scoresOfItems(batch: TappedBatch, items: Int32Array, groupSize: number): tf.Tensor2D {
  const { head } = batch;
  if (head === null)
    throw new UnnamedError('itemPairs needs a head that is one matrix; use responsePairs for this model');
  const hiddenSize = hiddenSizeOf(head);
  return tf.tidy(() => {
    const { weight, bias } = ofTokens(head, tf.tensor1d(items, 'int32')); // [P * G, D]
    const rows = tf.reshape(weight, [-1, groupSize, hiddenSize]); // [P, G, D]
    let scores: tf.Tensor = tf.sum(tf.mul(rows, tf.expandDims(batch.finalHidden(), 1)), 2); // [P, G]
    if (bias !== null) scores = tf.add(scores, tf.reshape(bias, [-1, groupSize]));
    const { repeatBias = null } = head;
    if (repeatBias !== null) scores = tf.add(scores, tf.mul(seenMarks(batch, items, groupSize), repeatBias));
    return scores as tf.Tensor2D;
  });
}

/** 1 at items that come before their position, [P, G]. */
function seenMarks(
  { inputIds, positions, sequenceLength }: TappedBatch,
  items: Int32Array,
  groupSize: number,
): tf.Tensor2D {
  const marks = new Float32Array(items.length);
  positions.forEach((position, p) => {
    const seen = new Set(inputIds.subarray(position - (position % sequenceLength), position + 1));
    for (let at = p * groupSize; at < (p + 1) * groupSize; at++) marks[at] = seen.has(items[at]) ? 1 : 0;
  });
  return tf.tensor2d(marks, [positions.length, groupSize]);
}

/** The different examples of some batches, and their numbers by their keys. */
function readExamples(
  batches: Iterable<PairBatch>,
  numItems: number,
): { examples: PreferenceExamples; numbers: Map<number, number> } {
  const numbers = new Map<number, number>();
  const histories: number[][] = [];
  const [rows, lengths, chosen]: number[][] = [[], [], []];
  for (const batch of batches) {
    const { inputIds, labels, sequenceLength } = batch;
    const positions = positionsOf(batch);
    const keys = positionKeys(batch, positions, numItems);
    let row = -1;
    keys.forEach((key, p) => {
      const position = positions[p];
      const label = labels[position];
      if (label >= numItems)
        throw new IlrecError(`itemPairs: labels must be items below ${numItems}, got ${label}; give batches of items`);
      if (numbers.has(key)) return;
      numbers.set(key, numbers.size);
      const start = position - (position % sequenceLength);
      if (row !== start) {
        row = start;
        histories.push([...inputIds.subarray(start, start + sequenceLength)].filter((id) => id < numItems));
      }
      rows.push(histories.length - 1);
      lengths.push(inputIds.subarray(start, position + 1).reduce((count, id) => count + Number(id < numItems), 0));
      chosen.push(label);
    });
  }
  const [asRows, asLengths, asChosen] = [rows, lengths, chosen].map((values) => Int32Array.from(values));
  return { examples: { numItems, histories, rows: asRows, lengths: asLengths, chosen: asChosen }, numbers };
}

/** The key of each position: the items before it in its row, and its label. */
function positionKeys(
  { inputIds, labels, sequenceLength }: PairBatch,
  positions: Int32Array,
  numItems: number,
): number[] {
  let [key, at] = [new ContentKey(), 0];
  return Array.from(positions, (position) => {
    const start = position - (position % sequenceLength);
    if (at <= start) [key, at] = [new ContentKey(), start];
    for (; at <= position; at++) if (inputIds[at] < numItems) key.add(inputIds[at]);
    return key.with(labels[position]);
  });
}

async function makeTable(
  examples: PreferenceExamples,
  { reference, rejected, oracle }: Pick<ItemPairsOptions, 'reference' | 'rejected' | 'oracle'>,
): Promise<ItemTable> {
  const { numItems, chosen } = examples;
  const found = await rejected(examples);
  const numRejected = found.length / chosen.length;
  if (!(Number.isInteger(numRejected) && numRejected >= 1))
    throw new IlrecError(
      `itemPairs: rejected must return the same number of items for each of ${chosen.length} examples, got ` +
        `${found.length} items`,
    );
  const wrong = found.findIndex(
    (item, at) => !(item >= 0 && item < numItems) || item === chosen[Math.floor(at / numRejected)],
  );
  if (wrong >= 0)
    throw new IlrecError(
      `itemPairs: rejected items must be below ${numItems} and not the chosen one, got ${found[wrong]} for the chosen ` +
        `item ${chosen[Math.floor(wrong / numRejected)]}`,
    );
  return {
    numRejected,
    rejected: found,
    reference: await scoresOf(reference, examples, found, numRejected),
    oracle: oracle === undefined ? null : await scoresOf(oracle, examples, found, numRejected),
  };
}

/** A model's log-scores of the chosen and the rejected items of each example, [E * (1 + n)]. */
async function scoresOf(
  scorer: ItemScorer,
  examples: PreferenceExamples,
  rejected: Int32Array,
  numRejected: number,
): Promise<Float32Array> {
  const groupSize = 1 + numRejected;
  const scores = new Float32Array(examples.chosen.length * groupSize);
  for (const { from, to, all } of scoredExamples(scorer, examples)) {
    const values = tf.tidy(() => {
      const places = Int32Array.from({ length: (to - from) * groupSize }, (_, i) => {
        const [example, g] = [from + Math.floor(i / groupSize), i % groupSize];
        const item = g === 0 ? examples.chosen[example] : rejected[example * numRejected + g - 1];
        return (example - from) * scorer.numItems + item;
      });
      return tf.gather(tf.reshape(all, [-1]), tf.tensor1d(places, 'int32'));
    });
    all.dispose();
    scores.set(await values.data<'float32'>().finally(() => values.dispose()), from * groupSize);
  }
  return scores;
}

/** The scores of all items after some examples at a time, [to - from, N]; the caller disposes them. */
export function* scoredExamples(
  scorer: ItemScorer,
  { histories, rows, lengths, chosen }: PreferenceExamples,
): Generator<{ from: number; to: number; all: tf.Tensor2D }> {
  const atOnce = Math.max(1, Math.floor(SCORES_AT_ONCE / scorer.numItems / 4));
  for (let from = 0; from < chosen.length; from += atOnce) {
    const to = Math.min(chosen.length, from + atOnce);
    const [first, last] = [rows[from], rows[to - 1]];
    const own = rows.subarray(from, to).map((row) => row - first);
    const all = scorePrefixes(scorer, histories.slice(first, last + 1), own, lengths.subarray(from, to));
    yield { from, to, all };
  }
}
