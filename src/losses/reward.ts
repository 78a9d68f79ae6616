import type * as tf from '@tensorflow/tfjs-core';

/** What a collaborative reward is given: the token ids and labels of one batch, on the CPU. */
export interface RewardContext {
  /** Token ids of the model's input, [B * T] row by row. */
  readonly inputIds: Int32Array;
  /** Labels as given to the loss, [B * T] row by row, already shifted. */
  readonly labels: Int32Array;
  readonly batchSize: number;
  readonly sequenceLength: number;
  /** Flat indices into [B * T] of the response positions, ascending, [P]. */
  readonly positions: Int32Array;
  readonly vocabSize: number;
}

/** A sparse reward: one entry for each pair of response position and token. Most masses of 0 are left out. */
export interface RewardEntries {
  /** Indices into the response positions, each in [0, P), [K]. */
  readonly rows: Int32Array;
  /** [K] */
  readonly tokens: Int32Array;
  /** [K]; may stay on the device. The caller disposes it. */
  readonly masses: tf.Tensor1D;
}

/**
 * Computes c, the mass of each next token, [P, V]. It is non-negative; each row sums to 1 over the tokens that may
 * follow, or is all zero where none may. The caller disposes the result; no gradient flows through it.
 */
export interface Reward {
  (context: RewardContext): tf.Tensor2D;
  /** The same without the zeros, if the reward knows them. It spares a large vocabulary its [P, V]. */
  readonly entries?: (context: RewardContext) => RewardEntries;
}
