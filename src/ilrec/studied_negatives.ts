import * as tf from '@tensorflow/tfjs-core';
import { UnnamedError } from '../errors';
import type { NegativesOptions } from '../losses';
import { mixSeeds } from '../ops/dropout';
import { stopGradient } from '../ops/stop_gradient';
import { type FutureTargets, refuseUnknownFields } from '../tapped/item_softmax';
import type { Reward } from '../losses/reward';

/**
 * Departures from the paper's negatives: what the choice of the layers, of the weights and of the tokens is worth. Any of
 * them makes logits of all response positions.
 */
export interface StudiedNegatives {
  /**
   * Whose probabilities make the negatives: the intermediate layers', the final layer's own, or nobody's, which puts as
   * many random tokens with equal weights in the place of the layers' negatives. Default 'layers'.
   */
  source?: 'layers' | 'final' | 'random';
  /** M, how many negatives of a position count at most, the likeliest. Default null, all. */
  maxCount?: number | null;
  /** gamma, >= 0: negatives weigh by their probability to this power; 0 the same for all. Default 1. */
  exponent?: number;
  /**
   * Tokens that are never negatives, since they may be right: those of the user's next items (as many as
   * `futureTargets.numItems`; its weight may be 0), those that the reward finds at least as likely as the label. Default
   * none.
   */
  spare?: readonly ('future' | 'reward')[];
  /** Seed of random negatives. Default 0. */
  seed?: number;
}

/** @throws UnnamedError on a field out of range, or one that does not exist. */
export function checkNegatives(
  negatives: StudiedNegatives,
  { reward, futureTargets }: { readonly reward?: Reward; readonly futureTargets?: FutureTargets },
): void {
  refuseUnknownFields('negatives', negatives, [
    'source',
    'maxCount',
    'exponent',
    'spare',
    'seed',
  ] satisfies (keyof StudiedNegatives)[]);
  const { source = 'layers', maxCount = null, exponent = 1, spare = [] } = negatives;
  if (!['layers', 'final', 'random'].includes(source))
    throw new UnnamedError(`negatives.source must be 'layers', 'final' or 'random', got '${source}'`);
  if (maxCount !== null && !(Number.isInteger(maxCount) && maxCount >= 1))
    throw new UnnamedError(`negatives.maxCount must be a positive integer or null, got ${maxCount}`);
  if (!(exponent >= 0 && Number.isFinite(exponent)))
    throw new UnnamedError(`negatives.exponent must be at least 0, got ${exponent}`);
  const wrong = spare.find((one) => !['future', 'reward'].includes(one));
  if (wrong !== undefined) throw new UnnamedError(`negatives.spare must be among 'future', 'reward', got '${wrong}'`);
  if (spare.includes('reward') && reward === undefined)
    throw new UnnamedError("negatives.spare holds 'reward' and no reward is given; pass `reward`");
  if (spare.includes('future') && futureTargets === undefined)
    throw new UnnamedError(
      "negatives.spare holds 'future' and the next items are not known; pass `futureTargets`, with weight 0 if they " +
        'are to be spared alone',
    );
}

/** What the objective is told. @param step training steps done, so that each draws other random tokens. */
export function negativesAt(
  step: number,
  { source, maxCount, exponent, seed = 0 }: StudiedNegatives = {},
): NegativesOptions {
  return { maxCount, exponent, ...(source === 'random' ? { randomSeed: 1 + mixSeeds(seed, step) } : {}) };
}

/**
 * The logits whose probabilities make the negatives, [P, V].
 *
 * @param intermediateLogits [S * P, V].
 */
export function ensembleOf(
  finalLogits: tf.Tensor2D,
  intermediateLogits: tf.Tensor2D | null,
  { source }: StudiedNegatives = {},
): tf.Tensor2D | null {
  if (source === 'final') return stopGradient(finalLogits);
  if (intermediateLogits === null) return null;
  const [numPositions, vocabSize] = finalLogits.shape;
  return tf.mean<tf.Tensor2D>(tf.reshape(stopGradient(intermediateLogits), [-1, numPositions, vocabSize]), 0);
}

/**
 * Tokens that are never negatives, 1 or 0, [P, V]; null where all may be.
 *
 * @param labels y, int32 [P].
 * @param masses c [P, V].
 * @param future mass of the user's next items, [P, V].
 */
export function sparedOf(
  labels: tf.Tensor1D,
  { spare = [] }: StudiedNegatives = {},
  masses: tf.Tensor2D | null,
  future: () => tf.Tensor2D,
): tf.Tensor2D | null {
  const parts: tf.Tensor2D[] = [];
  if (spare.includes('future')) parts.push(tf.cast(tf.greater(future(), 0), 'float32') as tf.Tensor2D);
  if (spare.includes('reward') && masses !== null) {
    const ofLabel = tf.sum(tf.mul(masses, tf.oneHot(labels, masses.shape[1])), 1, true); // c(y) [P, 1]
    const likely = tf.logicalAnd(tf.greaterEqual(masses, ofLabel), tf.greater(masses, 0));
    parts.push(tf.cast(likely, 'float32') as tf.Tensor2D);
  }
  return parts.length === 0 ? null : parts.reduce((all, part) => tf.maximum(all, part));
}
