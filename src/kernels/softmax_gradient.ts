import * as tf from '@tensorflow/tfjs-core';

/**
 * Computes the gradient of softmax in one pass where the current backend has a kernel for it, and as tfjs does
 * elsewhere. Gradients are registered once for all backends.
 */
export function registerSoftmaxGradient(): void {
  const stock = tf.getGradient('Softmax') as tf.GradConfig | undefined;
  if (stock === undefined || ours.has(stock.gradFunc)) return;
  const gradFunc: tf.GradFunc = (dy, saved, attrs) => {
    const [y] = saved;
    const isLast = tf.util.parseAxisParam(attrs.dim as number, y.shape)[0] === y.rank - 1;
    if (!isLast || tf.getKernel('ILRecSoftmaxGrad', tf.getBackend()) === undefined)
      return stock.gradFunc(dy, saved, attrs);
    return { logits: () => tf.engine().runKernel('ILRecSoftmaxGrad', { y, dy: dy as tf.Tensor }) as tf.Tensor };
  };
  ours.add(gradFunc);
  tf.unregisterGradient('Softmax');
  tf.registerGradient({ ...stock, gradFunc });
}

/** Gradients of ours, which are not wrapped again. */
const ours = new WeakSet<tf.GradFunc>();
