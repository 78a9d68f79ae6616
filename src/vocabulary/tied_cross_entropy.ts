import * as tf from '@tensorflow/tfjs-core';

/** How many rows of scores are held at once: 256 rows of 10,000 items are 10 MB. */
const ROWS_PER_TILE = 256;

/** One number that is added to some of the scores. */
export interface SharedBias {
  /** [1] */
  readonly value: tf.Tensor1D;
  /** For each position, the rows of the table whose scores it is added to; duplicates count once. */
  readonly members: readonly ArrayLike<number>[];
}

/**
 * Cross-entropy of hidden states against all rows of a table, in tiles of positions, so that the scores [P, N] never
 * exist as a whole. (For tiles of a large vocabulary see `linearCrossEntropy`; this one is for many positions and a
 * moderate table, with a bias that depends on the position.)
 *
 * ```
 * z = H E^T + b M,   L = mean_p [ logsumexp(z_p) - z_p(y_p) ],   g = (softmax(z) - onehot(y)) / P
 * dH = g E,   dE = g^T H,   db = sum(g * M)
 * ```
 * The gradients are made in the forward pass, from the tile's softmax.
 *
 * @param hidden H [P, D].
 * @param table E [N, D].
 * @param labels int32 [P], rows of the table; a negative label leaves its position out.
 * @param bias b, and its mask M [P, N] as the members of each position. Default none.
 * @returns scalar, mean over labelled positions, 0 when there are none. Gradient flows to `hidden`, `table` and
 *   `bias.value`.
 */
export function tiedCrossEntropy(
  hidden: tf.Tensor2D,
  table: tf.Tensor2D,
  labels: tf.Tensor1D,
  bias?: SharedBias,
): tf.Scalar {
  const streamed = tf.customGrad((h, e, b, save) => {
    const shared = bias === undefined ? undefined : { ...bias, value: b as tf.Tensor1D };
    const [value, ...gradients] = tf.tidy(() => valueAndGradients(h as tf.Tensor2D, e as tf.Tensor2D, labels, shared));
    (save as tf.GradSaveFunc)(gradients);
    return { value, gradFunc: (dy, saved) => saved.map((gradient) => tf.mul(gradient, dy as tf.Tensor)) };
  });
  return tf.tidy(() => streamed(hidden, table, bias?.value ?? tf.zeros([1]))) as tf.Scalar;
}

/** The loss, dH [P, D], dE [N, D] and db [1]. */
function valueAndGradients(
  hidden: tf.Tensor2D,
  table: tf.Tensor2D,
  labels: tf.Tensor1D,
  bias?: SharedBias,
): [tf.Scalar, ...tf.Tensor[]] {
  const [rows] = hidden.shape;
  const [numItems] = table.shape;
  const transposed = tf.transpose(table) as tf.Tensor2D; // [D, N]; on wasm a plain product is far faster
  const labelled = tf.mul(tf.cast(tf.greaterEqual(labels, 0), 'float32'), 1); // [P]
  const weights = tf.div(labelled, tf.maximum(tf.sum(labelled), 1)) as tf.Tensor1D; // [P], 1 / P or 0
  const targets = tf.maximum(labels, tf.scalar(0, 'int32')) as tf.Tensor1D; // [P]; any where the weight is 0

  let value: tf.Tensor = tf.scalar(0);
  let dTransposed: tf.Tensor = tf.zeros(transposed.shape); // [D, N]
  let dBias: tf.Tensor = tf.zeros([1]);
  const dHidden: tf.Tensor[] = []; // [tile, D] each
  for (let start = 0; start < rows; start += ROWS_PER_TILE) {
    const size = Math.min(ROWS_PER_TILE, rows - start);
    const sums = tf.tidy(() => {
      const h = tf.slice(hidden, [start, 0], [size, hidden.shape[1]]); // [tile, D]
      const w = tf.expandDims(tf.slice(weights, start, size), 1); // [tile, 1]
      // [tile, N]; wasm's own float32 one-hot holds integers
      const target = tf.cast(tf.oneHot(tf.slice(targets, start, size), numItems), 'float32');
      const mask = bias === undefined ? null : memberMask(bias.members.slice(start, start + size), numItems); // [tile, N]

      const products = tf.matMul(h, transposed) as tf.Tensor2D; // [tile, N]
      const scores =
        mask === null ? products : (tf.add(products, tf.mul(mask, (bias as SharedBias).value)) as tf.Tensor2D); // [tile, N]
      const probabilities = tf.softmax(scores); // [tile, N]
      const logSumExp = tf.sub(tf.max(scores, 1, true), tf.log(tf.max(probabilities, 1, true))); // [tile, 1]
      const loss = tf.sum(tf.mul(w, tf.sub(logSumExp, tf.sum(tf.mul(target, scores), 1, true))));
      const gradient = tf.mul(tf.sub(probabilities, target), w) as tf.Tensor2D; // g [tile, N]
      return {
        value: tf.add(value, loss),
        dTransposed: tf.add(dTransposed, tf.matMul(tf.transpose(h), gradient)),
        dBias: mask === null ? tf.clone(dBias) : tf.add(dBias, tf.sum(tf.mul(gradient, mask))),
        dHidden: tf.matMul(gradient, table),
      };
    });
    tf.dispose([value, dTransposed, dBias]);
    ({ value, dTransposed, dBias } = sums);
    dHidden.push(sums.dHidden);
  }
  return [value as tf.Scalar, tf.concat(dHidden, 0), tf.transpose(dTransposed), dBias];
}

/** 1 at the members of each row, [R, N]. */
function memberMask(members: readonly ArrayLike<number>[], numItems: number): tf.Tensor2D {
  const mask = new Float32Array(members.length * numItems);
  members.forEach((items, row) => {
    for (let i = 0; i < items.length; i++) mask[row * numItems + items[i]] = 1;
  });
  return tf.tensor2d(mask, [members.length, numItems]);
}
