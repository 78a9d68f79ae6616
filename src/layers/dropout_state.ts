import type * as tfl from '@tensorflow/tfjs-layers';

/**
 * Sets the number of training steps done, so that a resumed run draws the same dropout masks as an uninterrupted one.
 *
 * @param model any LayersModel. Nested models are included; layers without this package's dropout stay unchanged.
 * @param step training batches so far. It assumes that each layer is called once per step.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { causalLM, setDropoutStep } from 'tfjs-ilrec';
 *
 * const model = causalLM({ vocabSize: 7, hiddenSize: 8, numHiddenLayers: 1, hiddenDropout: 0.5 });
 * const sum = () => tf.sum(model.apply(tf.tensor2d([[3, 4, 5]]), { training: true }) as tf.Tensor).dataSync()[0];
 * const first = sum(); // with the masks of step 0
 * console.log(sum() === first); // false
 * setDropoutStep(model, 0);
 * console.log(sum() === first); // true
 * ```
 */
export function setDropoutStep(model: tfl.LayersModel, step: number): void {
  for (const layer of model.layers) {
    if ('layers' in layer) setDropoutStep(layer as tfl.LayersModel, step);
    else if ('dropoutStep' in layer) (layer as { dropoutStep: number }).dropoutStep = step;
  }
}
