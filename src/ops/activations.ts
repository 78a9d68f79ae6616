import * as tf from '@tensorflow/tfjs-core';

/** Names of the activations, as in a Hugging Face config's `hidden_act` or `activation_function`. */
export type ActivationName = 'silu' | 'gelu' | 'gelu_new' | 'gelu_pytorch_tanh' | 'relu';

export const ACTIVATIONS: Readonly<Record<ActivationName, (x: tf.Tensor) => tf.Tensor>> = {
  silu: (x) => tf.mul(x, tf.sigmoid(x)),
  gelu: (x) => tf.tidy(() => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1))),
  gelu_new: tanhGelu,
  gelu_pytorch_tanh: tanhGelu,
  relu: (x) => tf.relu(x),
};

/**
 * The activation that a layer's config names. `loadLayersModel` turns every string of a config into camelCase: a saved
 * `gelu_new` comes back as `geluNew`.
 *
 * @param layer the layer's class, for the error.
 * @throws Error when no activation has that name.
 */
export function activationName(given: string, layer: string): ActivationName {
  const name = given.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  if (!Object.hasOwn(ACTIVATIONS, name))
    throw new Error(`${layer}: hiddenAct must be one of ${Object.keys(ACTIVATIONS).join(', ')}, got ${given}`);
  return name as ActivationName;
}

/** The tanh approximation of GELU (Hendrycks and Gimpel, arXiv 1606.08415). */
function tanhGelu(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const cubic = tf.mul(tf.mul(x, x), x);
    const inner = tf.mul(tf.add(x, tf.mul(cubic, 0.044715)), Math.sqrt(2 / Math.PI));
    return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
  });
}
