import type * as tfl from '@tensorflow/tfjs-layers';

/** Frees all weights of a model; `model.dispose()` alone leaves those of a layer that is used twice, such as a tied embedding. */
export function disposeModel(model: tfl.LayersModel): void {
  const weights = model.getWeights();
  model.dispose();
  for (const weight of weights) if (!weight.isDisposed) weight.dispose();
}
