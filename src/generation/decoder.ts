import type * as tf from '@tensorflow/tfjs-core';

/** What a decoder keeps between steps, such as its key-value cache. The rest is private to the decoder that made it. */
export interface DecoderState {
  /** B, number of prompts. */
  readonly batchSize: number;
  /** W, beams per prompt after the first step. */
  readonly beamWidth: number;
}

/** A causal language model for generation: each prompt runs once, then one token per beam and step. */
export interface CausalDecoder {
  /** V */
  readonly vocabSize: number;
  /**
   * Runs each prompt once, padded on the right to the longest.
   *
   * @param prompts [B] lists of at least one token id.
   * @param beamWidth W, beams per prompt after the first step.
   * @returns the state, to free with `dispose`.
   */
  prefill(prompts: readonly ArrayLike<number>[], beamWidth: number): DecoderState;
  /**
   * The normed hidden states of the last tokens: [B, D] after `prefill`, [B * W, D] after `step`. The state owns the
   * tensor: callers do not dispose it.
   */
  hidden(state: DecoderState): tf.Tensor2D;
  /**
   * Appends one token to each beam.
   *
   * @param tokens [B * W] token ids.
   * @param parents [B * W] the beam that each new beam continues, 0 to W - 1 within its prompt; all 0 after `prefill`.
   */
  step(state: DecoderState, tokens: Int32Array, parents: Int32Array): void;
  /**
   * Logits of hidden states [R, D]: of the whole vocabulary, [R, V], or of the given token ids, [R, U]. The caller
   * disposes the result.
   */
  project(hidden: tf.Tensor2D, tokens?: Int32Array): tf.Tensor2D;
  /** Frees the tensors of the state. */
  dispose(state: DecoderState): void;
}
