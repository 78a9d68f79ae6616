import * as tf from '@tensorflow/tfjs-core';
import { isCustom, kindOf } from './layer_kinds';
import { classOf, type Site } from './model_graph';

/** Number of positions that a layer is tried on. */
const LENGTH = 5;

/**
 * Whether tensors can be read synchronously. On WebGPU they cannot; in some browsers the attempt kills the GPU process.
 */
export function canReadAtOnce(): boolean {
  return tf.getBackend() !== 'webgpu';
}

/**
 * Whether a layer treats each position alone, found by running it on a few numbers and on the same numbers in reverse
 * order.
 *
 * @returns true also where this cannot be tried: the widths are unknown, or the backend cannot be read synchronously.
 */
export function isPointwise({ layer, inputs }: Site): boolean {
  const widths = inputs.map(({ tensor }) => tensor.shape[tensor.rank - 1]);
  if (!canReadAtOnce() || inputs.some(({ tensor }) => tensor.rank !== 3) || widths.some((width) => width === null))
    return true;
  return tf.tidy(() => {
    try {
      const xs = widths.map((width, i) => wave(width as number, i));
      const run = (rows: tf.Tensor[]): tf.Tensor => {
        const output = layer.call(rows, {});
        return Array.isArray(output) ? output[0] : output;
      };
      const [forward, backward] = [run(xs), run(xs.map((x) => tf.reverse(x, 1)))]; // [1, T, E]
      const difference = tf.max(tf.abs(tf.sub(forward, tf.reverse(backward, 1))));
      const [worst, size] = tf.stack([difference, tf.max(tf.abs(forward))]).dataSync();
      return worst <= 1e-4 * size;
    } catch {
      return false; // a layer that takes only one length is not a norm
    }
  });
}

/**
 * Whether a layer lets positions see each other. A custom layer is tried; where that cannot be, its name decides.
 */
export function mixesPositions(site: Site): boolean {
  const { layer, inputs } = site;
  if (kindOf(layer) !== 'mixer') return false;
  if (!isCustom(layer)) return true;
  const isTried =
    canReadAtOnce() && inputs.every(({ tensor }) => tensor.rank === 3 && tensor.shape[tensor.rank - 1] !== null);
  return isTried ? !isPointwise(site) : !/mlp|feed|ffn|glu|gate|dense|expert/i.test(classOf(layer));
}

/** Numbers without a pattern, [1, T, D]. */
function wave(width: number, phase: number): tf.Tensor3D {
  return tf.tensor3d(
    Float32Array.from({ length: LENGTH * width }, (_, i) => Math.sin(1 + phase + 2.3 * i + 0.1 * i * i)),
    [1, LENGTH, width],
  );
}
