import type * as tfl from '@tensorflow/tfjs-layers';

/**
 * Says how many training steps came before, so that the dropout masks go on where an interrupted run left them.
 *
 * @param model any LayersModel; nested models are walked, layers without dropout of ours are left alone.
 * @param step number of training batches seen, for a model whose layers are each called once a step.
 */
export function setDropoutStep(model: tfl.LayersModel, step: number): void {
  for (const layer of model.layers) {
    if ('layers' in layer) setDropoutStep(layer as tfl.LayersModel, step);
    else if ('dropoutStep' in layer) (layer as { dropoutStep: number }).dropoutStep = step;
  }
}
