import * as tf from '@tensorflow/tfjs-core';
import { type ActivationName, ACTIVATIONS } from './activations';
import { ownKernel } from './own_kernel';

/**
 * The gate of an MLP (Shazeer, arXiv 2002.05202): act(gate) * up.
 *
 * @param joined gate and up side by side, [..., 2I].
 * @returns [..., I].
 */
export function gated(joined: tf.Tensor, activation: ActivationName): tf.Tensor {
  if (activation === 'silu' && ownKernel('ILRecGate') !== null) return fusedGate(joined);
  const [gate, up] = tf.split(joined, 2, -1); // [..., I] each
  return tf.mul(ACTIVATIONS[activation](gate), up);
}

/** silu(gate) * up, in one pass forward and one backward. */
function fusedGate(joined: tf.Tensor): tf.Tensor {
  const forward = tf.customGrad((x, save) => {
    (save as tf.GradSaveFunc)([x as tf.Tensor]);
    return {
      value: run('ILRecGate', { x: x as tf.Tensor }),
      gradFunc: (dy, saved) => run('ILRecGateGrad', { x: saved[0], dy: dy as tf.Tensor }),
    };
  });
  return forward(joined);
}

function run(name: 'ILRecGate' | 'ILRecGateGrad', inputs: tf.NamedTensorMap): tf.Tensor {
  const kernel = ownKernel(name);
  if (kernel === null)
    throw new Error(
      `gated: kernel ${name} must be on backend "${tf.getBackend()}" that ran the forward pass; keep the backend ` +
        'during a step',
    );
  return kernel(inputs)[0];
}
