import type * as tf from '@tensorflow/tfjs-core';
import { dropout, mixSeeds } from '../ops/dropout';

export interface BranchDropoutArgs {
  /** Dropout of the attention probabilities, in [0, 1). Default 0. */
  attentionDropout?: number;
  /** Dropout of a branch before it is added to the residual stream, in [0, 1). Default 0. */
  hiddenDropout?: number;
  /** Seed of the masks. Default 0. */
  seed?: number;
}

/** Dropout in one call of a block; each use draws a new mask. */
export interface BranchDropout {
  /** Null when nothing is dropped. */
  readonly attention: ((probabilities: tf.Tensor) => tf.Tensor) | null;
  hidden(branch: tf.Tensor): tf.Tensor;
}

/** @param step number of earlier training calls; null outside training, where nothing is dropped. */
export function branchDropout(
  { attentionDropout = 0, hiddenDropout = 0, seed = 0 }: BranchDropoutArgs,
  step: number | null,
): BranchDropout {
  if (step === null) return { attention: null, hidden: (x) => x };
  const none = attentionDropout === 0;
  let site = none ? 1 : 0; // number 0 belongs to the attention, so that the branches' masks do not depend on it
  return {
    attention: none ? null : (x) => dropout(x, attentionDropout, mixSeeds(seed, step, site++)),
    hidden: (x) => dropout(x, hiddenDropout, mixSeeds(seed, step, site++)),
  };
}
