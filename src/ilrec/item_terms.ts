import * as tf from '@tensorflow/tfjs-core';
import { ilrecObjective, type IlrecTerms } from '../losses';
import { stopGradient } from '../ops/stop_gradient';
import { rewardEntries } from '../rewards/reward_entries';
import { itemBatch, itemHeadOf, itemSoftmaxTerms, massesOf, upcomingOf } from '../tapped/item_softmax';
import { rewardContext, type TappedBatch } from '../tapped/tapped_batch';
import { atCandidates, candidateLogits, labelColumns } from '../vocabulary/candidate_logits';
import { LEFT_OUT } from '../vocabulary/candidate_cross_entropy';
import { vocabSizeOf } from '../vocabulary/vocabulary_projection';
import type { FullIlrecOptions } from './ilrec_options';
import { ensembleOf, sparedOf } from './studied_negatives';
import { checkDistillationTokens, type StepCoefficients } from './terms';

/**
 * ILRec's terms for a model whose tokens are items, over the candidates of its softmax. The next items take their share
 * of the label in CPO.
 *
 * @throws UnnamedError when a label or a token of `distillationTokens` is not an item.
 */
export function ilrecItemTerms(
  batch: TappedBatch,
  options: FullIlrecOptions,
  coefficients: StepCoefficients,
): IlrecTerms {
  const { itemSoftmax = {}, futureTargets: future = null, rewardTargets, negatives } = options;
  const { penaltyWeight, distillationWeight, rewardWeight, deepSupervisionWeight = 0 } = coefficients;
  const spares = (what: 'future' | 'reward'): boolean => negatives?.spare?.includes(what) === true;
  const head = itemHeadOf(batch);
  checkDistillationTokens(coefficients.distillationTokens, vocabSizeOf(head));
  const entries =
    options.reward === undefined || (rewardWeight === 0 && !spares('reward'))
      ? null
      : rewardEntries(options.reward, rewardContext(batch, vocabSizeOf(head)));
  const restricts = entries !== null && rewardWeight !== 0 && rewardTargets === 'negatives';
  const trainsLayers = distillationWeight !== 0 || deepSupervisionWeight !== 0;
  const usesNegatives = penaltyWeight !== 0 || restricts;
  const usesLayers = batch.numLayers > 0 && (trainsLayers || (usesNegatives && negatives?.source !== 'final'));
  if (!usesLayers && !usesNegatives) {
    const reward = entries === null ? null : { entries, weight: rewardWeight };
    return plainTerms(itemSoftmaxTerms(batch, head, itemSoftmax, { future, reward }));
  }

  const laid = itemBatch(batch, head, itemSoftmax, {
    future,
    reward: entries === null ? null : { entries, weight: restricts ? 0 : rewardWeight },
  });
  const { candidates } = laid;
  const logitsOf = (hidden: tf.Tensor2D): tf.Tensor2D => candidateLogits(hidden, laid.head, candidates);
  const finalLogits = logitsOf(batch.finalHidden()); // [P, C]
  const [numPositions, numCandidates] = finalLogits.shape;
  const hiddenStates = usesLayers ? batch.hiddenStates() : null; // [S * P, D]
  const trained = hiddenStates !== null && !trainsLayers ? stopGradient(hiddenStates) : hiddenStates;
  const intermediateLogits = trained === null ? null : logitsOf(batch.earlyExitHidden(trained)); // [S * P, C]
  const labels = labelColumns(candidates);
  const masses = entries === null ? null : atCandidates(massesOf(laid), candidates); // [P, C]
  const terms = ilrecObjective(
    {
      finalLogits,
      ensembleLogits: ensembleOf(finalLogits, intermediateLogits, negatives),
      intermediateLogits: trainsLayers ? intermediateLogits : null,
      labels,
      reward: rewardWeight === 0 ? null : masses,
      spared: sparedOf(labels, negatives, masses, () => atCandidates(upcomingOf(laid), candidates)),
      allowed: negatives?.source === 'random' ? isScored(finalLogits) : null,
    },
    coefficients,
  );
  let { total } = terms;
  if (future !== null) {
    // CE(target) - CE(label): the log-sum-exp cancels
    const shares = tf.mul(tf.tensor2d(candidates.targets, [numPositions, candidates.numOwn]), 1 + laid.rewardWeight);
    const target = tf.sub(shares, tf.mul(massesOf(laid), laid.rewardWeight)); // label and next items alone
    const label = tf.oneHot(labels, numCandidates);
    const moved = tf.sub(tf.cast(label, 'float32'), atCandidates(target as tf.Tensor2D, candidates)); // [P, C]
    total = tf.add(total, tf.div(tf.sum(tf.mul(finalLogits, moved)), numPositions));
  }
  return { ...terms, total };
}

/** Candidates that take part in the softmax of a position, 1 or 0, [P, C]. */
function isScored(logits: tf.Tensor2D): tf.Tensor2D {
  return tf.cast(tf.greater(stopGradient(logits), LEFT_OUT / 2), 'float32') as tf.Tensor2D;
}

/** Where no term reads the layers below the last. */
function plainTerms({ total, crossEntropy, reward }: ReturnType<typeof itemSoftmaxTerms>): IlrecTerms {
  const none = tf.scalar(0);
  return {
    total,
    crossEntropy,
    cpo: tf.clone(crossEntropy),
    cpd: none,
    crr: reward,
    numNegatives: tf.clone(none),
    penaltyMass: tf.clone(none),
    klPerLayer: tf.tensor1d([]),
  };
}
