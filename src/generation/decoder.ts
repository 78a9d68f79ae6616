import type * as tf from '@tensorflow/tfjs-core';

/** What a decoder keeps between steps (its key-value cache); only the decoder that made it looks further inside. */
export interface DecoderState {
  /** B, the prompts that were run. */
  readonly batchSize: number;
  /** W, the beams of each prompt after the first step. */
  readonly beamWidth: number;
}

/** A causal language model as generation sees it: the prompt runs once per user, then one token per beam and step. */
export interface CausalDecoder {
  readonly vocabSize: number;
  /** Runs each prompt once, right-padded to the longest. */
  prefill(prompts: readonly ArrayLike<number>[], beamWidth: number): DecoderState;
  /** The normed hidden states of the last token: [B, D] after prefill, [B * W, D] after a step. Owned by the state: callers do not dispose it. */
  hidden(state: DecoderState): tf.Tensor2D;
  /**
   * Appends one token to each beam.
   *
   * @param tokens [B * W] token ids.
   * @param parents [B * W] the beam, 0 to W - 1 within its own user, that each new beam continues; after prefill all are 0.
   */
  step(state: DecoderState, tokens: Int32Array, parents: Int32Array): void;
  /** The head's logits of hidden states [R, D]: of the whole vocabulary, [R, V], or only of the given token ids, [R, U]. The caller disposes the result. */
  project(hidden: tf.Tensor2D, tokens?: Int32Array): tf.Tensor2D;
  /** Frees the state's tensors. */
  dispose(state: DecoderState): void;
}
