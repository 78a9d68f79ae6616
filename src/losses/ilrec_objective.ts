import * as tf from '@tensorflow/tfjs-core';
import { stopGradient } from '../ops/stop_gradient';
import { collaborativeReward } from './collaborative_reward';
import { crossEntropy, oneHotLabels } from './cross_entropy';
import { crossLayerDistillation, distillationTokensOf } from './cross_layer_distillation';
import { crossLayerPreference } from './cross_layer_preference';
import type { Penalty } from './penalty';
import { randomNegatives } from './random_negatives';
import {
  selfHardNegatives,
  type SelfHardNegatives,
  type SelfHardNegativesOptions,
  type ThresholdReference,
} from './self_hard_negatives';

export interface IlrecObjectiveOptions {
  /** alpha, weight of the penalty of CPO, >= 0. */
  penaltyWeight: number;
  /** s, how a negative's logit is raised. */
  penalty: Penalty;
  /** phi, scale of the threshold that makes a token a negative, > 0. */
  thresholdScale: number;
  /** p_ref, whose probability of the label sets the threshold. */
  thresholdReference: ThresholdReference;
  /** lambda, weight of CPD, >= 0. */
  distillationWeight: number;
  /** mu, weight of CRR, >= 0. */
  rewardWeight: number;
  /**
   * Where CRR takes the reward: on the negatives and the label, as in the paper, or everywhere. Default 'negatives'.
   */
  rewardTargets?: 'negatives' | 'all';
  /** Which negatives count, and how much. Default all that reach the threshold, weighted by p~. */
  negatives?: NegativesOptions;
  /** Weight of the mean cross-entropy of the intermediate layers (deep supervision), >= 0. Default 0. */
  deepSupervisionWeight?: number;
  /** Token ids on which CPD compares the layers. Default the whole vocabulary. */
  distillationTokens?: ArrayLike<number>;
  /** @deprecated The old name of `distillationTokens`. */
  itemTokens?: ArrayLike<number>;
}

/** Departures from the paper's negatives, for studies. */
export interface NegativesOptions extends Pick<SelfHardNegativesOptions, 'maxCount' | 'exponent'> {
  /** Takes as many random tokens, with equal weights, in place of the negatives: the seed of the draw. Default none. */
  randomSeed?: number;
}

/** What the objective reads at the response positions of a batch. */
export interface IlrecObjectiveInputs {
  /** z^L [P, V]. */
  readonly finalLogits: tf.Tensor2D;
  /** z~ [P, V]; null when there is no intermediate layer or no term uses it. */
  readonly ensembleLogits: tf.Tensor2D | null;
  /** z^l for l in S, [S * P, V]; null when lambda and the weight of deep supervision are 0. */
  readonly intermediateLogits: tf.Tensor2D | null;
  /** y, int32 [P]. */
  readonly labels: tf.Tensor1D;
  /** c [P, V]; null when mu is 0. */
  readonly reward: tf.Tensor2D | null;
  /** Tokens that are never negatives, 1 or 0, [P, V]. Default none. */
  readonly spared?: tf.Tensor2D | null;
  /** Tokens that take part in the softmax, 1 or 0, [P, V]; random negatives are drawn from them. Default all. */
  readonly allowed?: tf.Tensor2D | null;
}

/** The objective and its terms. Only `total` has a gradient. */
export interface IlrecTerms {
  /** L, what is trained. */
  readonly total: tf.Scalar;
  /** L_CE of the final layer, without any penalty. */
  readonly crossEntropy: tf.Scalar;
  /** L_CPO; equals `crossEntropy` when alpha is 0 or nothing is a negative. */
  readonly cpo: tf.Scalar;
  /** L_CPD; 0 when lambda is 0. */
  readonly cpd: tf.Scalar;
  /** L_CRR; 0 when mu is 0. */
  readonly crr: tf.Scalar;
  /** Mean |N_t|; 0 when no term uses the negatives. */
  readonly numNegatives: tf.Scalar;
  /** Mean final-layer probability on N_t. */
  readonly penaltyMass: tf.Scalar;
  /** KL of each layer of S to the final one, first layer first, [S]; empty when lambda is 0. */
  readonly klPerLayer: tf.Tensor1D;
}

/**
 * Computes ILRec's objective and its terms from logits of the response rows.
 *
 * ```
 * L_CPT = L_CPO + lambda * L_CPD,   L = L_CPT + mu * L_CRR
 * ```
 * ILRec, arXiv 2602.17410. The terms: `selfHardNegatives` (N_t, w), `crossLayerPreference` (CPO),
 * `crossLayerDistillation` (CPD), `collaborativeReward` (CRR). alpha = lambda = mu = 0 is exactly response-only
 * cross-entropy. Without an intermediate layer N_t is empty and CPD is 0. `streamingObjective` computes the same
 * without logits.
 *
 * @param inputs logits, labels and reward of the P response positions; see `IlrecObjectiveInputs`.
 * @param options coefficients; see `IlrecObjectiveOptions`.
 * @returns scalars and [S]; the caller disposes them (or calls inside a tidy). Gradient of `total` flows to final and
 *   intermediate logits.
 * @throws IlrecError when penaltyWeight is below 0 or thresholdScale is not above 0.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { ilrecObjective } from 'tfjs-ilrec';
 *
 * const finalLogits = tf.tensor2d([[1, 2, -1]]);
 * const ensembleLogits = tf.tensor2d([[0, 3, 0]]); // token 1 is a negative
 * const labels = tf.tensor1d([0], 'int32');
 * const terms = ilrecObjective(
 *   { finalLogits, ensembleLogits, intermediateLogits: null, labels, reward: null },
 *   {
 *     penaltyWeight: 0.5,
 *     penalty: 'scale',
 *     thresholdScale: 1,
 *     thresholdReference: 'final',
 *     distillationWeight: 0,
 *     rewardWeight: 0,
 *   },
 * );
 * console.log(terms.crossEntropy.dataSync()[0].toFixed(4)); // 1.3490
 * console.log(terms.cpo.dataSync()[0].toFixed(4)); // 2.1429
 * console.log(terms.numNegatives.dataSync()[0]); // 1
 * ```
 */
export function ilrecObjective(inputs: IlrecObjectiveInputs, options: IlrecObjectiveOptions): IlrecTerms {
  const { finalLogits, ensembleLogits, intermediateLogits, labels, reward, spared, allowed } = inputs;
  const { penaltyWeight, penalty, thresholdScale, thresholdReference, distillationWeight, rewardWeight } = options;
  const { rewardTargets = 'negatives', negatives: departures = {}, deepSupervisionWeight = 0 } = options;
  const distillationTokens = distillationTokensOf('ilrecObjective', options);
  return tf.tidy(() => {
    const detachedLogits = stopGradient(finalLogits); // [P, V]
    const none = tf.scalar(0);
    const negatives =
      ensembleLogits === null
        ? null
        : negativesOf(ensembleLogits, finalLogits, labels, {
            ...{ thresholdScale, thresholdReference, spared, allowed },
            ...departures,
          });
    /** The tokens beside the label on which the reward counts, [P, V]. */
    const rewarded = (): tf.Tensor2D =>
      rewardTargets === 'all'
        ? tf.sub(1, oneHotLabels(labels, detachedLogits.shape[1]))
        : (negatives?.mask ?? tf.zerosLike(detachedLogits));
    const isPlain = negatives === null || penaltyWeight === 0; // then L_CPO is cross-entropy

    const cpo = isPlain
      ? crossEntropy(finalLogits, labels)
      : crossLayerPreference(finalLogits, labels, negatives.weights, { penaltyWeight, penalty });
    const klPerLayer =
      intermediateLogits === null
        ? null
        : crossLayerDistillation(finalLogits, intermediateLogits, { distillationTokens }); // [S]
    const cpd = klPerLayer === null ? none : tf.mean(klPerLayer);
    const crr = reward === null ? none : collaborativeReward(finalLogits, labels, rewarded(), reward);
    let total: tf.Tensor = cpo;
    if (klPerLayer !== null && distillationWeight !== 0) total = tf.add(total, tf.mul(cpd, distillationWeight));
    if (intermediateLogits !== null && deepSupervisionWeight !== 0) {
      const repeated = tf.tile(labels, [intermediateLogits.shape[0] / labels.shape[0]]); // [S * P]
      total = tf.add(total, tf.mul(crossEntropy(intermediateLogits, repeated), deepSupervisionWeight));
    }
    if (reward !== null && rewardWeight !== 0) total = tf.add(total, tf.mul(crr, rewardWeight));

    return {
      total: total as tf.Scalar,
      crossEntropy: isPlain ? stopGradient(cpo) : crossEntropy(detachedLogits, labels),
      cpo: stopGradient(cpo),
      cpd: stopGradient(cpd as tf.Scalar),
      crr: stopGradient(crr),
      numNegatives: negatives === null ? tf.clone(none) : tf.mean<tf.Scalar>(tf.sum(negatives.mask, 1)),
      penaltyMass:
        negatives === null
          ? tf.clone(none)
          : tf.mean<tf.Scalar>(tf.sum(tf.mul(tf.softmax(detachedLogits), negatives.mask), 1)),
      klPerLayer: klPerLayer === null ? tf.tensor1d([]) : stopGradient(klPerLayer),
    };
  });
}

/** The negatives, or random tokens in their place. */
function negativesOf(
  ensembleLogits: tf.Tensor2D,
  finalLogits: tf.Tensor2D,
  labels: tf.Tensor1D,
  {
    randomSeed,
    allowed,
    ...options
  }: SelfHardNegativesOptions & NegativesOptions & { readonly allowed?: tf.Tensor2D | null },
): SelfHardNegatives {
  const found = selfHardNegatives(ensembleLogits, finalLogits, labels, options);
  return randomSeed === undefined ? found : randomNegatives(found.mask, labels, randomSeed, allowed);
}
