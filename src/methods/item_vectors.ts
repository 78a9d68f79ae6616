import * as tf from '@tensorflow/tfjs-core';
import type { CausalDecoder } from '../generation/decoder';

/** Items whose prompts run at once. */
const BATCH = 64;

/** Reads a table that is made, or only looked at, in a tidy. */
export async function readVectors(table: () => tf.Tensor2D): Promise<Float32Array> {
  const copy = tf.tidy(() => tf.clone(table()));
  return (await copy.data().finally(() => copy.dispose())) as Float32Array;
}

/**
 * A vector per item of a model that writes items token by token: what it has in mind after a history of that item
 * alone, the hidden state that its next token is read from. Items are alike where the same items come next.
 *
 * @param numItems N.
 * @returns [N, D] flat.
 */
export async function stateVectors(
  decoder: CausalDecoder,
  prompt: (history: ArrayLike<number>) => ArrayLike<number>,
  numItems: number,
): Promise<Float32Array> {
  let vectors = new Float32Array(0);
  for (let from = 0; from < numItems; from += BATCH) {
    const items = Array.from({ length: Math.min(BATCH, numItems - from) }, (_, i) => from + i);
    const state = decoder.prefill(
      items.map((item) => prompt([item])),
      1,
    );
    try {
      const hidden = decoder.hidden(state); // [B, D]
      if (from === 0) vectors = new Float32Array(numItems * hidden.shape[1]);
      vectors.set((await hidden.data()) as Float32Array, from * hidden.shape[1]);
    } finally {
      decoder.dispose(state);
    }
  }
  return vectors;
}
