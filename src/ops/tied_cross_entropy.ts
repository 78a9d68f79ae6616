import * as tf from '@tensorflow/tfjs-core';

/** Rows whose scores are held at once: 256 rows of 10,000 items are 10 MB. */
const ROWS_PER_TILE = 256;

/**
 * Cross-entropy of hidden states against all rows of a table, tile by tile, so that the scores [P, N] never exist as a whole.
 *
 * ```
 * z = H E^T,   L = mean_p [ logsumexp(z_p) - z_p(y_p) ]
 * dH = (softmax(z) - onehot(y)) E / P,   dE = (softmax(z) - onehot(y))^T H / P
 * ```
 * Both gradients are made in the forward pass, where the tile's softmax is at hand.
 *
 * @param hidden H [P, D].
 * @param table E [N, D].
 * @param labels int32 [P], rows of the table; a negative label leaves its position out.
 * @returns scalar, mean over labelled positions, 0 when there are none. Gradient flows to `hidden` and `table`.
 */
export function tiedCrossEntropy(hidden: tf.Tensor2D, table: tf.Tensor2D, labels: tf.Tensor1D): tf.Scalar {
  const streamed = tf.customGrad((h, e, save) => {
    const [value, dHidden, dTable] = tf.tidy(() => valueAndGradients(h as tf.Tensor2D, e as tf.Tensor2D, labels));
    (save as tf.GradSaveFunc)([dHidden, dTable]);
    return { value, gradFunc: (dy, saved) => saved.map((gradient) => tf.mul(gradient, dy as tf.Tensor)) };
  });
  return streamed(hidden, table) as tf.Scalar;
}

function valueAndGradients(hidden: tf.Tensor2D, table: tf.Tensor2D, labels: tf.Tensor1D): [tf.Scalar, tf.Tensor2D, tf.Tensor2D] {
  const [rows] = hidden.shape;
  const [numItems] = table.shape;
  const transposed = tf.transpose(table) as tf.Tensor2D; // [D, N]; a plain product is far faster than one with a transposed operand on wasm
  const labelled = tf.mul(tf.cast(tf.greaterEqual(labels, 0), 'float32'), 1); // [P]
  const weights = tf.expandDims(tf.div(labelled, tf.maximum(tf.sum(labelled), 1)), 1) as tf.Tensor2D; // [P, 1]
  const targets = tf.maximum(labels, tf.scalar(0, 'int32')) as tf.Tensor1D; // [P]
  const embedded = tf.gather(table, targets); // [P, D]
  const weighted = tf.mul(hidden, weights) as tf.Tensor2D; // [P, D]

  let value = tf.neg(tf.sum(tf.mul(weighted, embedded))); // minus the mean score of the targets
  let dTransposed: tf.Tensor2D | undefined; // [D, N]
  const expected: tf.Tensor2D[] = []; // sum_i p(i) E_i, [tile, D] each
  for (let start = 0; start < rows; start += ROWS_PER_TILE) {
    const size = Math.min(ROWS_PER_TILE, rows - start);
    const tile = <T extends tf.Tensor2D>(x: T): tf.Tensor2D => tf.slice(x, [start, 0], [size, x.shape[1]]);
    const [logSum, mean, dTile] = tf.tidy(() => {
      const scores = tf.matMul(tile(hidden), transposed) as tf.Tensor2D; // [tile, N]
      const probabilities = tf.softmax(scores); // [tile, N]
      const logSumExp = tf.sub(tf.max(scores, 1, true), tf.log(tf.max(probabilities, 1, true))); // [tile, 1]
      return [
        tf.sum(tf.mul(tile(weights), logSumExp)),
        tf.matMul(probabilities, table),
        tf.matMul(tf.transpose(tile(weighted)), probabilities),
      ];
    });
    value = tf.add(value, logSum);
    expected.push(mean as tf.Tensor2D);
    const sum: tf.Tensor = dTransposed === undefined ? dTile : tf.add(dTransposed, dTile);
    if (dTransposed !== undefined) tf.dispose([dTransposed, dTile]);
    dTransposed = sum as tf.Tensor2D;
  }
  const dHidden = tf.mul(tf.sub(tf.concat(expected, 0), embedded), weights) as tf.Tensor2D; // [P, D]
  const dTable = tf.sub(tf.transpose(dTransposed as tf.Tensor2D), tf.unsortedSegmentSum(weighted, targets, numItems)); // [N, D]
  return [value as tf.Scalar, dHidden, dTable as tf.Tensor2D];
}
