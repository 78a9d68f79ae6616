import * as tf from '@tensorflow/tfjs-core';

/**
 * Names of this package's own kernels. Each is optional: where a backend lacks one, its caller composes ordinary
 * operations or takes another way.
 */
export type OwnKernel =
  | (
      | 'ILRecRmsNorm'
      | 'ILRecRmsNormGrad'
      | 'ILRecRotate'
      | 'ILRecGate'
      | 'ILRecGateGrad'
      | 'ILRecSoftmaxGrad'
      | 'ILRecAdamW'
      | 'ILRecAttention'
      | 'ILRecAttentionGrad'
    )
  | ('ILRecTileLogits' | 'ILRecTileSums' | 'ILRecOnlineSoftmax' | 'ILRecPenalise' | 'ILRecPenaliseFirstOrder')
  | (
      | 'ILRecReadHead'
      | 'ILRecReadAgain'
      | 'ILRecHeadGradient'
      | 'ILRecLogProbGradient'
      | 'ILRecTokenLogits'
      | 'ILRecTokenSums'
      | 'ILRecTokenRows'
      | 'ILRecAddTokenRows'
    );

/**
 * A kernel of this package on the current backend, as a function from tensors to tensors; null where the backend has
 * none. Nothing is recorded for gradients: call it inside a `tf.customGrad`.
 */
export function ownKernel(
  name: OwnKernel,
): ((inputs: tf.NamedTensorMap, attrs?: Record<string, number>) => tf.Tensor[]) | null {
  if (tf.getKernel(name, tf.getBackend()) === undefined) return null;
  return (inputs, attrs = {}) => {
    const outputs: tf.Tensor | tf.Tensor[] = tf.engine().runKernel(name, inputs, attrs);
    return Array.isArray(outputs) ? outputs : [outputs];
  };
}
