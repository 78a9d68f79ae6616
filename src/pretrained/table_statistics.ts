import * as tf from '@tensorflow/tfjs-core';

/** Rows per step, so that the table of a large vocabulary is never copied as a whole. */
const ROWS_AT_ONCE = 4096;

/** The mean row of a table [V, D], [1, D]. The caller disposes it. */
export function meanRow(table: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() =>
    tf.div(
      sumOfRows(table, (rows) => rows),
      table.shape[0],
    ),
  );
}

/** The standard deviation of a table's values around its mean row, a scalar. The caller disposes it. */
export function deviation(table: tf.Tensor2D, mean: tf.Tensor2D): tf.Scalar {
  return tf.tidy(
    () => tf.sqrt(tf.div(tf.sum(sumOfRows(table, (rows) => tf.square(tf.sub(rows, mean)))), table.size)) as tf.Scalar,
  );
}

function sumOfRows(table: tf.Tensor2D, of: (rows: tf.Tensor2D) => tf.Tensor): tf.Tensor2D {
  const [numRows, size] = table.shape;
  let sum = tf.zeros<tf.Rank.R2>([1, size]);
  for (let low = 0; low < numRows; low += ROWS_AT_ONCE) {
    sum = tf.tidy(() =>
      tf.add(sum, tf.sum(of(tf.slice(table, [low, 0], [Math.min(ROWS_AT_ONCE, numRows - low), size])), 0, true)),
    );
  }
  return sum;
}
