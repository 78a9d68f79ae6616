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

/** Places of the penalties in the kernels. */
export const KINDS: Readonly<Record<Penalty, number>> = { scale: 0, paper: 1, additive: 2 };

/** s and ds / dz of tensors. */
export const TENSOR_STRENGTHS: Readonly<
  Record<Penalty, (z: tf.Tensor) => readonly [strength: tf.Tensor, slope: tf.Tensor]>
> = {
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
export function penalise(
  logits: tf.Tensor2D,
  blended: tf.Tensor2D,
  rows: readonly KnownRow[],
  start: number,
  penaltyWeight: number,
  penalty: Penalty,
): PenalisedTile {
  const kernel = ownKernel('ILRecPenalise');
  if (kernel !== null) {
    const known = tf.tensor2d(
      Float32Array.from(
        rows.flatMap((row) => [row.threshold, row.ensemble, 1 / row.ensembleMass, row.final, row.label - start]),
      ),
      [rows.length, 5],
    );
    const [raised, growth, sums] = kernel(
      { logits, blended, known },
      { penaltyWeight, kind: KINDS[penalty] },
    ) as tf.Tensor2D[];
    return { raised, growth, sums };
  }
  const members = membersOf(blended, rows, start);
  const shares = tf.mul(
    tf.exp(
      tf.sub(
        blended,
        column(rows, (row) => row.ensemble),
      ),
    ),
    members,
  ); // p~
  const plain = tf.mul(
    tf.exp(
      tf.sub(
        logits,
        column(rows, (row) => row.final),
      ),
    ),
    members,
  ); // p^L
  const raise = tf.mul(
    shares,
    column(rows, (row) => penaltyWeight / row.ensembleMass),
  ); // alpha w
  const [strength, slope] = TENSOR_STRENGTHS[penalty](logits);
  return {
    raised: tf.add(logits, tf.mul(raise, strength)),
    growth: tf.add(1, tf.mul(raise, slope)),
    sums: tf.concat(
      [shares, members, plain].map((each) => tf.sum(each, 1, true)),
      1,
    ) as tf.Tensor2D,
  };
}

export interface FirstOrderTile {
  /** p (x + p~ ds / dz) of the negatives, x = p~ s: what the penalty adds to p, to first order and without alpha over the sum of p~; [R, tile]. */
  readonly factors: tf.Tensor2D;
  /** Of the negatives in the tile: sum of p~, number, sums of p^L, of p^L x and of p^L x^2; [R, 5]. */
  readonly sums: tf.Tensor2D;
  /** Largest |x| and |p~ ds / dz| of the negatives in the tile, [R, 1]: what is left out is of second order in both. */
  readonly largest: tf.Tensor2D;
}

/** The penalty on a tile to first order in its weights, for rows whose sum of p~ over the negatives is not known yet. */
export function penaliseFirstOrder(
  logits: tf.Tensor2D,
  blended: tf.Tensor2D,
  rows: readonly KnownRow[],
  start: number,
  penalty: Penalty,
): FirstOrderTile {
  const kernel = ownKernel('ILRecPenaliseFirstOrder');
  if (kernel !== null) {
    const known = tf.tensor2d(
      Float32Array.from(rows.flatMap((row) => [row.threshold, row.ensemble, row.final, row.label - start])),
      [rows.length, 4],
    );
    const [factors, found] = kernel({ logits, blended, known }, { kind: KINDS[penalty] }) as tf.Tensor2D[];
    const [sums, largest] = tf.split(found, [5, 1], 1) as tf.Tensor2D[];
    return { factors, sums, largest };
  }
  const members = membersOf(blended, rows, start);
  const shares = tf.mul(
    tf.exp(
      tf.sub(
        blended,
        column(rows, (row) => row.ensemble),
      ),
    ),
    members,
  );
  const plain = tf.mul(
    tf.exp(
      tf.sub(
        logits,
        column(rows, (row) => row.final),
      ),
    ),
    members,
  );
  const [strength, slope] = TENSOR_STRENGTHS[penalty](logits);
  const x = tf.mul(shares, strength);
  const px = tf.mul(plain, x);
  const growth = tf.mul(shares, slope);
  return {
    factors: tf.add(px, tf.mul(plain, growth)),
    sums: tf.concat(
      [shares, members, plain, px, tf.mul(px, x)].map((each) => tf.sum(each, 1, true)),
      1,
    ) as tf.Tensor2D,
    largest: tf.max<tf.Tensor2D>(tf.maximum(tf.abs(x), tf.abs(growth)), 1, true),
  };
}

/** 1 at the negatives of a tile, else 0, [R, tile]. */
function membersOf(blended: tf.Tensor2D, rows: readonly KnownRow[], start: number): tf.Tensor2D {
  const labels = tf.tensor1d(
    Int32Array.from(rows, ({ label }) => label - start),
    'int32',
  );
  const places = tf.range(0, blended.shape[1], 1, 'int32');
  const target = tf.cast(tf.equal(tf.expandDims(labels, 1), places), 'float32'); // no 1 where the label is in another tile
  return tf.mul(
    tf.cast(
      tf.greaterEqual(
        blended,
        column(rows, (row) => row.threshold),
      ),
      'float32',
    ),
    tf.sub(1, target),
  );
}

function column(rows: readonly KnownRow[], read: (row: KnownRow) => number): tf.Tensor2D {
  return tf.tensor2d(Float32Array.from(rows, read), [rows.length, 1]);
}
