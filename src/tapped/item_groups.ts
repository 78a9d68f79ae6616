import * as tf from '@tensorflow/tfjs-core';
import { UnnamedError } from '../errors';
import { gumbel } from '../generation/beam_sampling';
import { ruleReward } from '../losses';
import { type ItemScorer, scorePrefixes } from '../models/item_scorer';
import { mixSeeds } from '../ops/dropout';
import { stopGradient } from '../ops/stop_gradient';
import { createRandom } from '../random';
import { type CandidateHead, type Candidates, columnsOf, LEFT_OUT } from '../vocabulary/candidate_cross_entropy';
import {
  candidateLogProbs,
  logProbsAt,
  mapCandidateLogits,
  rowsPerBlock,
  valuesAt,
} from '../vocabulary/candidate_log_probs';
import { vocabSizeOf } from '../vocabulary/vocabulary_projection';
import type { ComparedGroups, GroupOptions } from './compared_groups';
import { itemBatch, itemHeadOf } from './item_softmax';
import type { TappedBatch } from './tapped_batch';

/**
 * The groups of a batch of a model whose tokens are items: G items at each position. Scores of all items exist for a
 * block of positions at a time.
 *
 * @throws UnnamedError when the reference scores other items, or fewer than G may be listed.
 */
export function itemGroups(batch: TappedBatch, reference: ItemScorer, options: GroupOptions): ComparedGroups {
  const { groupSize, seen } = options;
  const head = itemHeadOf(batch);
  const numItems = vocabSizeOf(head);
  if (reference.numItems !== numItems)
    throw new UnnamedError(`reference must score the model's ${numItems} items, got ${reference.numItems}`);
  const laid = itemBatch(batch, head, { seen }, { future: null, reward: null });
  const { leftOutAt, numPositions } = laid.candidates;
  for (let p = 0; p < numPositions; p++) {
    const room = numItems - (leftOutAt[p + 1] - leftOutAt[p]);
    if (room < groupSize)
      throw new UnnamedError(`groupSize must be at most the ${room} items that may be listed, got ${groupSize}`);
  }
  const hidden = batch.finalHidden();
  const items = listedItems(stopGradient(hidden), offTheTape(laid.head), laid.candidates, batch.step, options); // [P, G]
  const inOneColumn = (logProbs: tf.Tensor2D): tf.Tensor2D => tf.reshape(logProbs, [-1, 1]); // [P * G, 1]
  return {
    tokens: {
      policy: inOneColumn(candidateLogProbs(hidden, laid.head, laid.candidates, items)),
      reference: inOneColumn(referredLogProbs(batch, reference, laid.candidates, items)),
    },
    hits: ruleReward(items, batch.labels),
  };
}

function offTheTape({ weight, bias, repeatBias }: CandidateHead): CandidateHead {
  return {
    weight: stopGradient(weight),
    bias: stopGradient(bias),
    repeatBias: repeatBias === null ? null : stopGradient(repeatBias),
  };
}

/** The items of each position's group, by the model's scores, best first, int32 [P, G]. */
function listedItems(
  hidden: tf.Tensor2D,
  head: CandidateHead,
  candidates: Candidates,
  step: number,
  { groupSize, groups, temperature, seed }: GroupOptions,
): tf.Tensor2D {
  const random = createRandom(mixSeeds(seed, step));
  return mapCandidateLogits(hidden, head, candidates, (logits) => {
    if (groups === 'beam') return tf.topk(logits, groupSize).indices as tf.Tensor2D;
    const noise = tf.tensor2d(
      Float32Array.from({ length: logits.size }, () => gumbel(random)),
      logits.shape,
    );
    const drawn = tf.topk(tf.add(tf.div(logits, temperature), noise), groupSize).indices as tf.Tensor2D; // [R, G]
    const order = tf.topk(valuesAt(logits, drawn), groupSize).indices as tf.Tensor2D;
    return valuesAt(drawn, order);
  });
}

/** Log-probabilities of the groups under the reference, over the items that the model's softmax is over, [P, G]. */
function referredLogProbs(
  batch: TappedBatch,
  reference: ItemScorer,
  { leftOut, leftOutAt }: Candidates,
  items: tf.Tensor2D,
): tf.Tensor2D {
  const { numItems } = reference;
  const groupSize = items.shape[1];
  const { inputIds, positions, sequenceLength, batchSize } = batch;
  const isItem = (id: number): boolean => id < numItems;
  const histories = Array.from({ length: batchSize }, (_, row) =>
    [...inputIds.subarray(row * sequenceLength, (row + 1) * sequenceLength)].filter(isItem),
  );
  const rows = positions.map((position) => Math.floor(position / sequenceLength));
  const lengths = positions.map(
    (position, p) => inputIds.subarray(rows[p] * sequenceLength, position + 1).filter(isItem).length,
  );
  const parts: tf.Tensor2D[] = [];
  for (let start = 0; start < positions.length;) {
    const end = endOfBlock(rows, start, rowsPerBlock(numItems));
    const part = tf.tidy(() => {
      const [first, size] = [rows[start], end - start];
      const ofBlock = histories.slice(first, rows[end - 1] + 1); // a history runs once for all its positions
      const numbers = rows.slice(start, end).map((row) => row - first);
      const scores = scorePrefixes(reference, ofBlock, numbers, lengths.slice(start, end)); // [R, N]
      const left = columnsOf(leftOut, leftOutAt, start, size, numItems, LEFT_OUT);
      const known = stopGradient(left === null ? scores : tf.add<tf.Tensor2D>(scores, left));
      return logProbsAt(known, tf.slice(items, [start, 0], [size, groupSize]));
    });
    parts.push(part);
    start = end;
  }
  return tf.concat(parts, 0);
}

/** The first position of a row at which the block may end: it has `most` positions, or is one row. */
function endOfBlock(rows: Int32Array, start: number, most: number): number {
  let end = start;
  for (let at = start; at < rows.length;) {
    const row = rows[at];
    while (rows[at] === row) at++;
    if (at - start > most && end > start) break;
    end = at;
  }
  return end;
}
