import * as tf from '@tensorflow/tfjs-core';
import { stopGradient } from '../ops/stop_gradient';
import { collaborativeReward } from './collaborative_reward';
import { crossEntropy } from './cross_entropy';
import { crossLayerDistillation } from './cross_layer_distillation';
import { crossLayerPreference, type Penalty } from './cross_layer_preference';
import { selfHardNegatives, type ThresholdReference } from './self_hard_negatives';

export interface IlrecObjectiveOptions {
  /** alpha of CPO, >= 0. */
  penaltyWeight: number;
  penalty: Penalty;
  /** phi, > 0. */
  thresholdScale: number;
  thresholdReference: ThresholdReference;
  /** lambda of CPD, >= 0. */
  distillationWeight: number;
  /** mu of CRR, >= 0. */
  rewardWeight: number;
  /** Slice of the vocabulary for CPD; the whole by default. */
  itemTokens?: ArrayLike<number>;
}

/** What the response positions of a batch give the objective. */
export interface IlrecObjectiveInputs {
  /** z^L [P, V]. */
  readonly finalLogits: tf.Tensor2D;
  /** z~ [P, V]; null when there is no intermediate layer or no term uses it. */
  readonly ensembleLogits: tf.Tensor2D | null;
  /** z^l for l in S, [S * P, V]; null when lambda is 0. */
  readonly intermediateLogits: tf.Tensor2D | null;
  /** y, int32 [P]. */
  readonly labels: tf.Tensor1D;
  /** c [P, V]; null when mu is 0. */
  readonly reward: tf.Tensor2D | null;
}

/** The objective and its parts; all but `total` are off the tape. */
export interface IlrecTerms {
  readonly total: tf.Scalar;
  readonly crossEntropy: tf.Scalar;
  readonly cpo: tf.Scalar;
  readonly cpd: tf.Scalar;
  readonly crr: tf.Scalar;
  /** Mean |N_t|; 0 where no term uses the negatives. */
  readonly numNegatives: tf.Scalar;
  /** Mean final-layer probability on N_t. */
  readonly penaltyMass: tf.Scalar;
  /** KL of each layer of S to the final one, first layer first, [S]; empty when lambda is 0. */
  readonly klPerLayer: tf.Tensor1D;
}

/**
 * ILRec's objective on the response rows (arXiv 2602.17410).
 *
 * ```
 * L = L_CPO + lambda * L_CPD + mu * L_CRR
 * ```
 * alpha = lambda = mu = 0 is exactly response-only cross-entropy. Without an intermediate layer N_t is empty and CPD is 0.
 *
 * @returns scalars; the caller disposes them (or calls inside a tidy).
 */
export function ilrecObjective(inputs: IlrecObjectiveInputs, options: IlrecObjectiveOptions): IlrecTerms {
  const { finalLogits, ensembleLogits, intermediateLogits, labels, reward } = inputs;
  const { penaltyWeight, penalty, thresholdScale, thresholdReference, distillationWeight, rewardWeight, itemTokens } =
    options;
  return tf.tidy(() => {
    const detachedLogits = stopGradient(finalLogits); // [P, V]
    const none = tf.scalar(0);
    const negatives =
      ensembleLogits === null
        ? null
        : selfHardNegatives(ensembleLogits, finalLogits, labels, { thresholdScale, thresholdReference });
    const plain = negatives === null || penaltyWeight === 0; // then L_CPO is cross-entropy

    const cpo = plain
      ? crossEntropy(finalLogits, labels)
      : crossLayerPreference(finalLogits, labels, negatives.weights, { penaltyWeight, penalty });
    const kl =
      intermediateLogits === null ? null : crossLayerDistillation(finalLogits, intermediateLogits, { itemTokens }); // [S]
    const cpd = kl === null ? none : tf.mean(kl);
    const crr =
      reward === null
        ? none
        : collaborativeReward(finalLogits, labels, negatives?.mask ?? tf.zerosLike(detachedLogits), reward);
    let total: tf.Tensor = cpo;
    if (kl !== null && distillationWeight !== 0) total = tf.add(total, tf.mul(cpd, distillationWeight));
    if (reward !== null && rewardWeight !== 0) total = tf.add(total, tf.mul(crr, rewardWeight));

    return {
      total: total as tf.Scalar,
      crossEntropy: plain ? stopGradient(cpo) : crossEntropy(detachedLogits, labels),
      cpo: stopGradient(cpo),
      cpd: stopGradient(cpd as tf.Scalar),
      crr: stopGradient(crr),
      numNegatives: negatives === null ? tf.clone(none) : tf.mean<tf.Scalar>(tf.sum(negatives.mask, 1)),
      penaltyMass:
        negatives === null
          ? tf.clone(none)
          : tf.mean<tf.Scalar>(tf.sum(tf.mul(tf.softmax(detachedLogits), negatives.mask), 1)),
      klPerLayer: kl === null ? tf.tensor1d([]) : stopGradient(kl),
    };
  });
}
