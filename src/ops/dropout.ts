import * as tf from '@tensorflow/tfjs-core';

/**
 * Inverted dropout whose mask is a function of `seed` alone, the same on every backend. (The dropout of tfjs draws from
 * a JavaScript generator, which costs more than the rest of a small layer and cannot resume after a restart.)
 *
 * @param rate in [0, 1); 0 returns the input itself.
 * @param seed 32-bit integer.
 */
export function dropout<T extends tf.Tensor>(x: T, rate: number, seed: number): T {
  if (rate === 0) return x;
  return tf.tidy(() => tf.mul(x, tf.tensor(dropoutMask(x.size, rate, seed), x.shape))) as T;
}

/** 0 with probability `rate`, else 1 / (1 - rate), decided by a hash of (seed, index). */
export function dropoutMask(size: number, rate: number, seed: number): Float32Array {
  const mask = new Float32Array(size);
  const keep = 1 / (1 - rate);
  const threshold = Math.round(rate * 0x10000);
  const start = mix(seed | 0);
  for (let i = 0; i < size; i += 2) {
    const bits = mix((start + Math.imul(i, 0x9e3779b1)) | 0); // two 16-bit draws of each hash
    mask[i] = (bits & 0xffff) < threshold ? 0 : keep;
    if (i + 1 < size) mask[i + 1] = bits >>> 16 < threshold ? 0 : keep;
  }
  return mask;
}

/** A 32-bit seed from several integers. */
export function mixSeeds(...parts: number[]): number {
  return parts.reduce((hash, part) => mix((Math.imul(hash, 0x01000193) ^ part) | 0), 0x811c9dc5);
}

/** The integer hash "lowbias32" of C. Wellons' hash prospector (public domain). */
function mix(value: number): number {
  let x = value;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** A seed for tfjs's initializers, which would draw a random one for 0. */
export function initializerSeed(seed: number): number {
  return seed === 0 ? mixSeeds(0, 0) : seed;
}
