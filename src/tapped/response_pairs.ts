import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { calledAs, IlrecError, UnnamedError } from '../errors';
import { itemsEndingAt, nodeOfPrefix, type PrefixTrie } from '../generation/prefix_trie';
import type { ItemScorer } from '../models/item_scorer';
import { type PromptHistory, walkTrie } from '../rewards/trie_walk';
import type { TokenRestriction } from '../rewards/valid_items';
import type { TapOptions } from '../taps';
import { ContentKey } from './content_key';
import { checkCount, type PairBatch, positionsOf, type PreferencePairs } from './preference_pairs';
import { ReferenceReader } from './reference_reader';
import { rowLogProbs } from './row_log_probs';

/** A model that says which of two items a user prefers, and how rows of a batch are read as items. */
export interface ResponseOracle {
  /** The model. */
  readonly scorer: ItemScorer;
  /** The items' token sequences: `buildPrefixTrie` makes it. */
  readonly trie: PrefixTrie;
  /** For text prompts: reads the history from the tokens up to and including the first response position. */
  readonly historyOf?: PromptHistory;
}

export interface ResponsePairsOptions {
  /** The frozen reference, which is read now: usually the model that the training starts from. */
  reference: tfl.LayersModel;
  /** The rows of the training: each group's chosen response, then its rejected ones, one response in a row. */
  batches: Iterable<PairBatch>;
  /** G, rows of a group, 2 or more. Default 2. */
  groupSize?: number;
  /** Tokens that the softmax of policy and reference is restricted to. Default the whole vocabulary. */
  restrictTo?: TokenRestriction;
  /** Scores the items of each group, for `rosePo`. Default none. */
  oracle?: ResponseOracle;
  /** Where the reference's head is, for models in which it cannot be found. */
  taps?: TapOptions;
  /** What `table()` gave for the same batches; then neither reference nor oracle is asked. */
  known?: ResponseTable;
}

/** What is remembered of R different rows, in the order in which the batches held them. */
export interface ResponseTable {
  /** Log-probability of each row's response under the reference, [R]. */
  readonly reference: Float32Array;
  /** The oracle's log-score of each row's item, [R]; null without an oracle. */
  readonly oracle: Float32Array | null;
}

/** Pairs whose responses are rows of a batch. */
export interface ResponsePairs extends PreferencePairs {
  /** What is remembered, to be kept and handed back as `known`. */
  table(): ResponseTable;
}

/**
 * Prepares pairs for `dpo`, `sDpo` and `rosePo` whose responses are rows of a batch: asks the reference about every row
 * once, so that it costs neither time nor memory in training.
 *
 * A row is found again by its tokens, so the batches may come in any order, and from `fit` as well as `fitDataset`, as
 * long as the rows of a group follow one another; `fit` needs `shuffle: false`.
 *
 * @param options see `ResponsePairsOptions`.
 * @returns pairs for the option `pairs`.
 * @throws IlrecError when the batches are not whole groups, a row has no response, or `known` belongs to other batches.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { causalLM, dpo, responsePairs } from 'tfjs-ilrec';
 *
 * // one prompt, [1, 5]; 3 is the chosen response and 4 the rejected one
 * const batch = { inputIds: Int32Array.of(1, 5, 1, 5), labels: Int32Array.of(-100, 3, -100, 4), batchSize: 2, sequenceLength: 2 };
 * const model = causalLM({ vocabSize: 7, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2 });
 * const method = dpo({ pairs: await responsePairs({ reference: model, batches: [batch] }), beta: 0.5 });
 * model.compile({ optimizer: tf.train.adam(0.01), loss: method.loss, metrics: method.metrics });
 * method.attach(model);
 * const [xs, ys] = [tf.tensor2d(batch.inputIds, [2, 2], 'int32'), tf.tensor2d(batch.labels, [2, 2], 'int32')];
 * const { history } = await model.fit(xs, ys, { epochs: 3, shuffle: false, verbose: 0 });
 * method.detach();
 * console.log(Number(history.loss[0]).toFixed(4), history.loss[2] < history.loss[0]); // 0.6931 true
 * ```
 */
export async function responsePairs(options: ResponsePairsOptions): Promise<ResponsePairs> {
  const { reference, batches, groupSize = 2, restrictTo, oracle, taps, known } = options;
  calledAs('responsePairs', () => checkCount('groupSize', groupSize, 2));
  const numbers = new Map<number, number>(); // of rows, by their keys
  const groups = new Set<number>(); // keys of the groups
  const values = { reference: [] as number[], oracle: [] as number[] };
  const reader =
    known === undefined ? new ReferenceReader({ name: 'responsePairs', model: reference, restrictTo, taps }) : null;
  try {
    for (const batch of batches) {
      const keys = calledAs('responsePairs', () => rowKeys(batch, positionsOf(batch), groupSize));
      const rows = keys.flatMap((key, row) => (numbers.has(key) ? [] : [row]));
      const logProbs = await reader?.read(batch, rowLogProbs);
      const scores = known === undefined && oracle !== undefined ? await oracleScores(oracle, batch) : null;
      for (const row of rows) {
        if (numbers.has(keys[row])) continue; // twice in one batch
        numbers.set(keys[row], numbers.size);
        if (logProbs !== undefined) values.reference.push(logProbs[row]);
        if (scores !== null) values.oracle.push(scores[row]);
      }
      for (const key of groupKeys(keys, numbers, groupSize)) groups.add(key);
    }
  } finally {
    reader?.dispose();
  }
  const table = known ?? {
    reference: Float32Array.from(values.reference),
    oracle: oracle === undefined ? null : Float32Array.from(values.oracle),
  };
  if (table.reference.length !== numbers.size)
    throw new IlrecError(
      `responsePairs: known must be the table of these batches, ${numbers.size} rows, got ${table.reference.length}`,
    );
  return {
    groupSize,
    hasOracle: table.oracle !== null,
    table: () => table,
    groupsOf(batch) {
      const { inputIds, allLabels: labels, batchSize, sequenceLength, positions } = batch;
      const keys = rowKeys({ inputIds, labels, batchSize, sequenceLength }, positions, groupSize);
      const strange = keys.findIndex((key) => !numbers.has(key));
      if (strange >= 0)
        throw new UnnamedError(
          `each row must be one of those that responsePairs was given, got another as row ${strange} of a batch; give ` +
            'it all batches',
        );
      const mixed = groupKeys(keys, numbers, groupSize).findIndex((key) => !groups.has(key));
      if (mixed >= 0)
        throw new UnnamedError(
          `the rows of a group must follow one another as responsePairs was given them, got others as group ${mixed} of ` +
            'a batch; `fit` needs shuffle: false',
        );
      const rows = keys.map((key) => numbers.get(key) as number);
      const remembered = (of: Float32Array): Float32Array => Float32Array.from(rows, (row) => of[row]);
      const shape: [number, number] = [batchSize / groupSize, groupSize];
      return {
        policy: tf.reshape(rowLogProbs(batch, { restrictTo }), shape),
        reference: tf.tensor2d(remembered(table.reference), shape),
        oracle: table.oracle === null ? null : remembered(table.oracle),
      };
    },
  };
}

/** The key of each row: its tokens up to the response, and the response. */
function rowKeys(
  { inputIds, labels, batchSize, sequenceLength }: PairBatch,
  positions: Int32Array,
  groupSize: number,
): number[] {
  if (batchSize % groupSize !== 0)
    throw new UnnamedError(
      `a batch must hold whole groups of ${groupSize} rows, got ${batchSize} rows; set groupSize, and no shuffling`,
    );
  let p = 0;
  return Array.from({ length: batchSize }, (_, row) => {
    const end = (row + 1) * sequenceLength;
    if (!(positions[p] < end))
      throw new UnnamedError(`each row must have a response, got none in row ${row} of a batch`);
    const key = new ContentKey();
    for (let at = row * sequenceLength; at <= positions[p]; at++) key.add(inputIds[at]);
    for (key.add(-1); positions[p] < end; p++) key.add(labels[positions[p]]);
    return key.value;
  });
}

/** The key of each group: which rows it holds, in their order. */
function groupKeys(keys: readonly number[], numbers: ReadonlyMap<number, number>, groupSize: number): number[] {
  return Array.from({ length: keys.length / groupSize }, (_, group) => {
    const content = new ContentKey();
    for (let row = group * groupSize; row < (group + 1) * groupSize; row++)
      content.add(numbers.get(keys[row]) as number);
    return content.value;
  });
}

/** The oracle's log-score of each row's item after its history, [B]. */
async function oracleScores({ scorer, trie, historyOf }: ResponseOracle, batch: PairBatch): Promise<Float32Array> {
  const { labels, batchSize, sequenceLength } = batch;
  const positions = positionsOf(batch);
  const context = { ...batch, positions, vocabSize: Infinity };
  const { histories, rows, lengths, nodes } = walkTrie(trie, context, new Set(), historyOf);
  const known: number[][] = [];
  const items: number[] = [];
  for (let p = 0, row = 0; row < batchSize; row++) {
    const end = (row + 1) * sequenceLength;
    const first = p;
    const response: number[] = [];
    for (; positions[p] < end; p++) response.push(labels[positions[p]]);
    const node = nodeOfPrefix(trie, response);
    const [item] = node < 0 ? [] : itemsEndingAt(trie, node);
    if (item === undefined)
      throw new IlrecError(
        `responsePairs: each response must be an item of the oracle's trie, got ${response.join(' ')} in row ${row}`,
      );
    if (nodes[first] < 0)
      throw new IlrecError(
        `responsePairs: historyOf of the oracle must read a history from each prompt, got null for row ${row}; make the ` +
          'batches with prompts of the same language',
      );
    known.push(histories[rows[first]].slice(0, lengths[first]));
    items.push(item);
  }
  const scores = tf.tidy(() => {
    const all = tf.reshape(scorer.score(known), [-1]); // [B * N]
    const places = Int32Array.from(items, (item, row) => row * scorer.numItems + item);
    return tf.gather(all, tf.tensor1d(places, 'int32'));
  });
  return await scores.data<'float32'>().finally(() => scores.dispose());
}
