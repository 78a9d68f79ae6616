import * as tf from '@tensorflow/tfjs-core';
import { softCrossEntropy } from '../ops/soft_cross_entropy';

/**
 * Computes response-only cross-entropy, the loss of supervised fine-tuning (SFT).
 *
 * ```
 * L_CE = mean_t [ logsumexp(z_t) - z_t(y_t) ]
 * ```
 * For a large vocabulary see `linearCrossEntropy`, which needs no logits.
 *
 * @param logits [P, V], the response rows alone.
 * @param labels y, int32 [P], each in [0, V).
 * @returns scalar, mean over P. Gradient flows to `logits`.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { crossEntropy } from 'tfjs-ilrec';
 *
 * const loss = crossEntropy(tf.tensor2d([[2, 0, 1]]), tf.tensor1d([0], 'int32'));
 * console.log(loss.dataSync()[0].toFixed(4)); // 0.4076
 * ```
 */
export function crossEntropy(logits: tf.Tensor2D, labels: tf.Tensor1D): tf.Scalar {
  return tf.tidy(() => tf.mean(softCrossEntropy(logits, oneHotLabels(labels, logits.shape[1]))));
}

/** One row per response position, 1 at its label; float32 [P, V]. */
export function oneHotLabels(labels: tf.Tensor1D, vocabSize: number): tf.Tensor2D {
  return tf.tidy(() => tf.cast(tf.oneHot(labels, vocabSize), 'float32')) as tf.Tensor2D; // wasm's float32 one-hot is wrong
}
