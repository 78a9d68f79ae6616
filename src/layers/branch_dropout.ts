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

/** The dropouts of one call of a block; each use takes a mask of its own. */
export interface BranchDropout {
  /** Null where nothing is dropped. */
  readonly attention: ((probabilities: tf.Tensor) => tf.Tensor) | null;
  hidden(branch: tf.Tensor): tf.Tensor;
}

/** @param step number of training calls before this one; null outside training, where nothing is dropped. */
export function branchDropout(
  { attentionDropout = 0, hiddenDropout = 0, seed = 0 }: BranchDropoutArgs,
  step: number | null,
): BranchDropout {
  if (step === null) return { attention: null, hidden: (x) => x };
  const none = attentionDropout === 0;
  let site = none ? 1 : 0; // the attention's place, the first, is kept: the masks of the branches do not depend on it
  return {
    attention: none ? null : (x) => dropout(x, attentionDropout, mixSeeds(seed, step, site++)),
    hidden: (x) => dropout(x, hiddenDropout, mixSeeds(seed, step, site++)),
  };
}
