import * as tf from '@tensorflow/tfjs-core';
import { ownKernel } from './own_kernel';
import { type RopeScaling, rotaryFrequencies } from './rotary_frequencies';

/** Cosines and sines of the rotary angles, in the half-split layout of Llama: features i and i + F/2 form a pair. */
export interface RotaryTables {
  /** [R, F], R = number of positions. */
  readonly cos: Float32Array;
  /** [R, F]. */
  readonly sin: Float32Array;
}

/**
 * Rotary position tables (Su et al., arXiv 2104.09864): angle of pair i at position p is p times the pair's frequency.
 *
 * @param positions token positions, 0 first.
 * @param headSize F, even.
 * @param theta base of the wavelengths, 10000 in Llama 2.
 * @param scaling how wavelengths are stretched; null for not at all.
 */
export function rotaryTables(
  positions: ArrayLike<number>,
  headSize: number,
  theta: number,
  scaling: RopeScaling | null = null,
): RotaryTables {
  const half = headSize / 2;
  const { frequencies, amplitude } = rotaryFrequencies(headSize, theta, scaling);
  const cos = new Float32Array(positions.length * headSize);
  const sin = new Float32Array(positions.length * headSize);
  for (let row = 0; row < positions.length; row++) {
    for (let i = 0; i < half; i++) {
      // in float32, as checkpoints are trained: at position 1000 it rounds by up to 3e-5
      const angle = Math.fround(positions[row] * frequencies[i]);
      const at = row * headSize + i;
      cos[at] = cos[at + half] = amplitude * Math.cos(angle);
      sin[at] = sin[at + half] = amplitude * Math.sin(angle);
    }
  }
  return { cos, sin };
}

/**
 * Rotates pairs of features by the tables' angles. The gradient is the rotation by the opposite angles.
 *
 * @param x [..., F]; cos and sin broadcast against it.
 */
export function applyRotary<T extends tf.Tensor>(x: T, cos: tf.Tensor, sin: tf.Tensor): T {
  const rotate = tf.customGrad((input, save) => {
    (save as tf.GradSaveFunc)([cos, sin]);
    return {
      value: rotation(input as tf.Tensor, cos, sin, 1),
      gradFunc: (dy, saved) => rotation(dy as tf.Tensor, saved[0], saved[1], -1),
    };
  });
  return rotate(x) as T;
}

/** Rotates by the angles of the tables, or by the opposite ones for a sign of -1. */
function rotation(x: tf.Tensor, cos: tf.Tensor, sin: tf.Tensor, sign: 1 | -1): tf.Tensor {
  const kernel = tablesAreRepeated(x.shape, cos.shape) ? ownKernel('ILRecRotate') : null;
  if (kernel !== null) return kernel({ x, cos, sin }, { sign })[0];
  return tf.tidy(() => {
    const [first, second] = tf.split(x, 2, -1); // [..., F / 2] each
    return tf.add(tf.mul(x, cos), tf.mul(tf.concat([tf.neg(second), first], -1), sign === 1 ? sin : tf.neg(sin)));
  });
}

/**
 * Whether the kernel can broadcast tables [tables, 1, ..., R, F] over x [tables, ..., R, F]: it reads each table
 * several times in a row.
 */
function tablesAreRepeated(shape: readonly number[], tables: readonly number[]): boolean {
  const padded = [...new Array<number>(Math.max(0, shape.length - tables.length)).fill(1), ...tables];
  if (padded.length !== shape.length) return false;
  const rank = shape.length;
  const own = padded.slice(0, -2);
  const repeatedFrom = own.findLastIndex((n) => n !== 1) + 1; // the axes before it have tables of their own
  return (
    padded[rank - 1] === shape[rank - 1] &&
    padded[rank - 2] === shape[rank - 2] &&
    own.every((n, axis) => axis >= repeatedFrom || n === shape[axis])
  );
}
