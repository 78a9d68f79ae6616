import * as tf from '@tensorflow/tfjs-core';
import { ownKernel } from '../../ops/own_kernel';
import type { Penalty } from '../cross_layer_preference';

/** What decides on a row's negatives and their weights. */
export interface KnownRow {
  readonly label: number;
  /** A token is a negative where its z~ is at least this. */
  readonly threshold: number;
  /** log sum e^z of z~ and of z^L. */
  readonly ensemble: number;
  readonly final: number;
  /** Sum of p~ over N_t; 1 where there are no negatives. */
  readonly ensembleMass: number;
}

export interface PenalisedTile {
  /** z', [R, tile]. */
  readonly raised: tf.Tensor2D;
  /** dz' / dz, [R, tile]. */
  readonly growth: tf.Tensor2D;
  /** Of the negatives in the tile: sum of p~, number, sum of p^L; [R, 3]. */
  readonly sums: tf.Tensor2D;
}

/** Places of the penalties in the kernel. */
const KINDS: Readonly<Record<Penalty, number>> = { scale: 0, paper: 1, additive: 2 };

/** s and ds / dz. */
const STRENGTHS: Readonly<Record<Penalty, (z: tf.Tensor) => readonly [strength: tf.Tensor, slope: tf.Tensor]>> = {
  scale: (z) => [tf.abs(z), tf.sign(z)],
  paper: (z) => [z, tf.onesLike(z)],
  additive: (z) => [tf.onesLike(z), tf.zerosLike(z)],
};

/**
 * The penalty on a tile of logits whose rows' thresholds and normalisers are known.
 *
 * @param logits z^L of the tokens from `start` on, [R, tile].
 * @param blended z~ of them, [R, tile].
 */
export function penalise(logits: tf.Tensor2D, blended: tf.Tensor2D, rows: readonly KnownRow[], start: number, penaltyWeight: number, penalty: Penalty): PenalisedTile {
  const kernel = ownKernel('ILRecPenalise');
  if (kernel !== null) {
    const known = tf.tensor2d(Float32Array.from(rows.flatMap((row) => [row.threshold, row.ensemble, 1 / row.ensembleMass, row.final, row.label - start])), [rows.length, 5]);
    const [raised, growth, sums] = kernel({ logits, blended, known }, { penaltyWeight, kind: KINDS[penalty] }) as tf.Tensor2D[];
    return { raised, growth, sums };
  }
  const column = (read: (row: KnownRow) => number): tf.Tensor2D => tf.tensor2d(Float32Array.from(rows, read), [rows.length, 1]);
  const labels = tf.tensor1d(Int32Array.from(rows, ({ label }) => label - start), 'int32');
  const target = tf.cast(tf.oneHot(labels, logits.shape[1]), 'float32'); // no 1 where the label is in another tile
  const members = tf.mul(tf.cast(tf.greaterEqual(blended, column((row) => row.threshold)), 'float32'), tf.sub(1, target)); // [R, tile]
  const shares = tf.mul(tf.exp(tf.sub(blended, column((row) => row.ensemble))), members); // p~
  const plain = tf.mul(tf.exp(tf.sub(logits, column((row) => row.final))), members); // p^L
  const raise = tf.mul(shares, column((row) => penaltyWeight / row.ensembleMass)); // alpha w
  const [strength, slope] = STRENGTHS[penalty](logits);
  return {
    raised: tf.add(logits, tf.mul(raise, strength)),
    growth: tf.add(1, tf.mul(raise, slope)),
    sums: tf.concat([shares, members, plain].map((each) => tf.sum(each, 1, true)), 1) as tf.Tensor2D,
  };
}
