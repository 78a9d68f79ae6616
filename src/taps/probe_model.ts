import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { UnnamedError } from '../errors';
import { isCustom } from './layer_kinds';
import { widthOf } from './model_graph';
import { canReadAtOnce } from './probe_layer';
import type { TapLocations } from './tap_locations';

/** Number of positions that a model of any length is tried on. */
const PROBE_LENGTH = 4;
/** Largest difference between two runs, relative to the largest value, that counts as rounding. */
const ROUNDING = 1e-5;

/**
 * Refuses a head that makes probabilities inside a custom layer: used as logits they would be wrong silently.
 *
 * @throws UnnamedError that names the layer.
 */
export function refuseProbabilities({ toLogits, headInput, head }: TapLocations): void {
  const width = widthOf(headInput);
  if (width === null || toLogits.sides.length > 0 || !toLogits.parts.some(({ layer }) => isCustom(layer))) return;
  const [least, furthest] = readAtOnce(() => {
    const rows = tf.tensor2d(
      Float32Array.from({ length: 3 * width }, (_, i) => Math.sin(1 + 2.3 * i + 0.1 * i * i)),
      [3, width],
    );
    const logits = toLogits.run(rows, () => rows, {}); // [3, V]
    return tf.stack([tf.min(logits), tf.max(tf.abs(tf.sub(tf.sum(logits, 1), 1)))]);
  }) ?? [-1, 1];
  if (least >= 0 && furthest < 1e-3) {
    throw new UnnamedError(
      `the head "${head.name}" must make logits, got probabilities (each row sums to 1); give it the softmax as ` +
        'its option activation, or put a softmax layer behind it',
    );
  }
}

/**
 * Refuses a model whose hidden states change with later tokens, found by running it on the same tokens with another
 * last one. Only models with custom layers are tried; models with several inputs, or that give other values in a second
 * run, are let through.
 *
 * @param run runs the model on token ids [3, T] and returns what the head reads, [3, T, D].
 * @throws UnnamedError that names the position.
 */
export function refuseSeeingAhead(
  model: tfl.LayersModel,
  { graph, outputIndex, isCausal }: TapLocations,
  run: (ids: tf.Tensor2D) => tf.Tensor3D | null,
): void {
  const [input, ...others] = model.inputs;
  const isTried =
    !isCausal &&
    input.rank === 2 &&
    others.length === 0 &&
    input.shape[0] === null &&
    graph.graph.sites.some(({ layer }) => isCustom(layer));
  if (!isTried || graph.graph.sites.some(({ layer }) => layer.stateful)) return;
  const length = input.shape[1] ?? PROBE_LENGTH;
  const vocabSize = widthOf(graph.graph.outputs[outputIndex]) ?? 3;
  const ids = new Int32Array(3 * length).fill(1);
  ids[3 * length - 1] = vocabSize > 2 ? 2 : 0; // in the third row alone
  const compared = readAtOnce(() => {
    const states = run(tf.tensor2d(ids, [3, length], 'int32')); // [3, T, D]
    if (states === null) return tf.tensor1d([]);
    const [first, same, changed] = tf.split(states, 3, 0);
    const size = tf.max(tf.abs(first));
    const moved = tf.max(tf.abs(tf.sub(changed, first)), [0, 2]); // [T]
    return tf.concat([
      tf.stack([size, tf.max(tf.abs(tf.sub(same, first)))]),
      tf.slice(tf.reshape(moved, [length]), 0, length - 1),
    ]);
  });
  const [size, noise, ...moved] = compared ?? [];
  if (size === undefined || noise > ROUNDING * size) return;
  const position = moved.findIndex((difference) => difference > ROUNDING * size);
  if (position >= 0) {
    throw new UnnamedError(
      `the model must be causal, got hidden states at position ${position} that change with the token at ` +
        `position ${length - 1}; mask later positions in its attention, or set taps.causal where no response ` +
        'position sees them',
    );
  }
}

/** The numbers of a tensor; null if they cannot be computed, or not be read synchronously. */
function readAtOnce(compute: () => tf.Tensor): number[] | null {
  if (!canReadAtOnce()) return null;
  try {
    return tf.tidy(() => [...compute().dataSync()]);
  } catch {
    return null;
  }
}
