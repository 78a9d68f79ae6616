import type * as tf from '@tensorflow/tfjs-core';

/** What a collaborative reward may look at: the token ids and labels of one batch, on the CPU. */
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

/** The masses of next tokens, without most of those that are 0; one entry for each pair of response position and token. */
export interface RewardEntries {
  /** Places among the response positions, [K]. */
  readonly rows: Int32Array;
  readonly tokens: Int32Array;
  /** [K]; they may stay on the device, where the loss can use them there. The caller disposes them. */
  readonly masses: tf.Tensor1D;
}

/**
 * The mass of each next token, [P, V]: non-negative, each row sums to 1 over the tokens that may follow, or is all zero where nothing may.
 * The caller disposes the result; no gradient flows through it.
 */
export interface Reward {
  (context: RewardContext): tf.Tensor2D;
  /** The same without the zeros, where the reward knows them: large vocabularies are then never held for each position. */
  readonly entries?: (context: RewardContext) => RewardEntries;
}
