import * as tf from '@tensorflow/tfjs-core';
import { calledAs, UnnamedError } from '../errors';
import { groupAdvantages, grpoLoss, rankReward, ruleReward } from '../losses';
import { type ItemScorer, scorePrefixes } from '../models/item_scorer';
import { stopGradient } from '../ops/stop_gradient';
import type { TapOptions } from '../taps';
import { LEFT_OUT } from '../vocabulary/candidate_cross_entropy';
import { candidateLogits } from '../vocabulary/candidate_logits';
import { vocabSizeOf } from '../vocabulary/vocabulary_projection';
import { checkItemOptions, itemBatch, itemHeadOf, type ItemSoftmaxOptions } from './item_softmax';
import { checkCount } from './preference_pairs';
import type { TappedBatch } from './tapped_batch';
import { createTappedMethod, refuseUnknown, type TappedMethod } from './tapped_method';

export interface GrpoOptions {
  /** The frozen reference, which is asked at every step: `causalItemScorer` of a copy of the model as it begins. */
  reference: ItemScorer;
  /** G, items of a group: the best ones of the model at that moment. 2 or more. Default 16. */
  groupSize?: number;
  /** beta, weight of the KL term, 0 or more. Default 0.001. */
  klWeight?: number;
  /** Whether misses are punished by their rank, beside the reward of 1 for the target. Default true. */
  rankReward?: boolean;
  /** 'exclude' leaves items of the history out of groups and softmax, but for the target. Default 'allow'. */
  seen?: ItemSoftmaxOptions['seen'];
  /** Label of positions that do not count. Default -100. */
  ignoreIndex?: number;
  /** Where the head is, for models in which it cannot be found. */
  taps?: TapOptions;
}

/**
 * Makes the method of group relative policy optimisation for a model whose tokens are items, `causalLM({ items })`: at
 * every position the model's own G best items are compared by a reward that can be verified (MiniOneRec, arXiv
 * 2510.24431, after Shao et al., arXiv 2402.03300).
 *
 * ```
 * R_i = 1[ y_i = y* ] + rank reward,   A_i = (R_i - mean R) / (std R + 1e-4)
 * L = mean_i [ -exp( lp_i - stopgrad lp_i ) A_i + beta ( exp(ref_i - lp_i) - (ref_i - lp_i) - 1 ) ]
 * ```
 * An item is one token, so constrained beam search over a group is one pass over the history and its G highest scores. A
 * group without the target has only its KL term. The scores of all items at all positions of a batch, [P, N], are in
 * memory at once.
 *
 * @param options see `GrpoOptions`.
 * @returns what `compile` and `fit` take; its metrics are `hitRatio`, the share of groups that hold the target, and `kl`,
 *   the estimate of KL(pi || ref) over the groups.
 * @throws IlrecError on an option out of range, or one that does not exist.
 * @example
 * ```ts
 * import { AdamW, causalItemScorer, causalLM, createBatches, grpo, trainModel } from 'tfjs-ilrec';
 *
 * const [bosTokenId, padTokenId] = [9, 9]; // nine items, 0 to 8
 * const itemTokens = Array.from({ length: 9 }, (_, item) => [item]);
 * const batches = createBatches({ sequences: [[0, 1, 2], [3, 2]], itemTokens, bosTokenId, padTokenId });
 * const model = () => causalLM({ vocabSize: 9, hiddenSize: 8, numHiddenLayers: 1, numAttentionHeads: 2, items: {}, seed: 1 });
 * const hits: number[] = [];
 * await trainModel({
 *   model: model(),
 *   method: grpo({ reference: causalItemScorer(model()), groupSize: 4 }),
 *   optimizer: new AdamW({ learningRate: 0.01 }),
 *   batches,
 *   epochs: 3,
 *   callbacks: [{ onStep: ({ metrics }) => void hits.push(metrics.hitRatio) }],
 * });
 * console.log(hits.length); // 3
 * ```
 */
export function grpo(options: GrpoOptions): TappedMethod {
  return calledAs('grpo', () => {
    refuseUnknown(options, [
      'reference',
      'groupSize',
      'klWeight',
      'rankReward',
      'seen',
      'ignoreIndex',
      'taps',
    ] satisfies (keyof GrpoOptions)[]);
    const { reference, groupSize = 16, klWeight = 1e-3, rankReward: ranks = true, seen, ...shared } = options;
    if (typeof (reference as ItemScorer | undefined)?.score !== 'function')
      throw new UnnamedError(`reference must be a scorer of items, got ${String(reference)}`);
    checkCount('groupSize', groupSize, 2);
    if (!(klWeight >= 0)) throw new UnnamedError(`klWeight must be 0 or more, got ${klWeight}`);
    checkItemOptions({ seen });
    return createTappedMethod({
      ...shared,
      name: 'grpo',
      metrics: ['hitRatio', 'kl'],
      inputIdsReader: 'the softmax over items',
      loss: (batch) => {
        const { policy, referred, hits } = groupsOf(batch, { reference, groupSize, seen });
        const rewards = ranks ? tf.add<tf.Tensor2D>(hits, rankReward(hits)) : hits; // [P, G]
        const tokens = { policy: tf.reshape(policy, [-1, 1]), reference: tf.reshape(referred, [-1, 1]) } as const;
        const advantages = tf.reshape(groupAdvantages(rewards), [-1]) as tf.Tensor1D; // [P * G]
        return {
          total: grpoLoss(tokens as Parameters<typeof grpoLoss>[0], advantages, { klWeight }),
          hitRatio: tf.mean(tf.max(hits, 1)),
          kl: grpoLoss(tokens as Parameters<typeof grpoLoss>[0], tf.zerosLike(advantages), { klWeight: 1 }),
        };
      },
    }).method;
  });
}

/** The model's best items at each position, [P, G] each. */
interface ItemGroups {
  /** Log-probability under the policy. Gradient flows to the model. */
  readonly policy: tf.Tensor2D;
  /** Log-probability under the reference. */
  readonly referred: tf.Tensor2D;
  /** 1 for the target. */
  readonly hits: tf.Tensor2D;
}

function groupsOf(
  batch: TappedBatch,
  { reference, groupSize, seen }: Required<Pick<GrpoOptions, 'reference' | 'groupSize'>> & Pick<GrpoOptions, 'seen'>,
): ItemGroups {
  const head = itemHeadOf(batch);
  const numItems = vocabSizeOf(head);
  if (reference.numItems !== numItems)
    throw new UnnamedError(`reference must score the model's ${numItems} items, got ${reference.numItems}`);
  const laid = itemBatch(batch, head, { seen }, { future: null, reward: null });
  const { leftOut, leftOutAt, numPositions } = laid.candidates;
  for (let p = 0; p < numPositions; p++) {
    const room = numItems - (leftOutAt[p + 1] - leftOutAt[p]);
    if (room < groupSize)
      throw new UnnamedError(`groupSize must be at most the ${room} items that may be listed, got ${groupSize}`);
  }
  const logits = candidateLogits(batch.finalHidden(), laid.head, laid.candidates); // [P, N]
  const items = tf.topk(stopGradient(logits), groupSize).indices; // int32 [P, G]
  const offsets = tf.tensor2d(
    Int32Array.from({ length: numPositions }, (_, p) => p * numItems),
    [numPositions, 1],
    'int32',
  );
  const places = tf.reshape(tf.add(items, offsets), [-1]); // [P * G]
  const logProbsIn = (scores: tf.Tensor2D): tf.Tensor2D =>
    tf.reshape(tf.gather(tf.reshape(tf.logSoftmax(scores), [-1]), places), [numPositions, groupSize]);
  const left = new Float32Array(numPositions * numItems);
  for (let p = 0; p < numPositions; p++)
    for (let at = leftOutAt[p]; at < leftOutAt[p + 1]; at++) left[p * numItems + leftOut[at]] = LEFT_OUT;
  const scores = tf.add<tf.Tensor2D>(scoresAt(batch, reference), tf.tensor2d(left, [numPositions, numItems]));
  return {
    policy: logProbsIn(logits),
    referred: logProbsIn(stopGradient(scores)),
    hits: ruleReward(items as tf.Tensor2D, batch.labels),
  };
}

/** A model's scores of all items at each response position, [P, N]. */
function scoresAt({ inputIds, positions, sequenceLength, batchSize }: TappedBatch, scorer: ItemScorer): tf.Tensor2D {
  const isItem = (id: number): boolean => id < scorer.numItems;
  const histories = Array.from({ length: batchSize }, (_, row) =>
    [...inputIds.subarray(row * sequenceLength, (row + 1) * sequenceLength)].filter(isItem),
  );
  const rows = positions.map((position) => Math.floor(position / sequenceLength));
  const lengths = positions.map(
    (position, p) => inputIds.subarray(rows[p] * sequenceLength, position + 1).filter(isItem).length,
  );
  return scorePrefixes(scorer, histories, rows, lengths);
}
