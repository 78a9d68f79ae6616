import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import type { LoraAdapter } from '../lora/lora_adapter';
import { baseValue } from '../lora/lora_sites';

/**
 * Takes over the weights of another model of the same shape.
 *
 * @param adapter an adapter of the model that is not trained yet: its copies of whole weights begin at the new ones.
 * @throws IlrecError when the other model has other weights.
 */
export function copyWeights(model: tfl.LayersModel, other: tfl.LayersModel, adapter: LoraAdapter | null): void {
  const [own, given] = [model.weights, other.weights];
  const differs = own.findIndex((weight, i) => weight.shape.join() !== given[i]?.shape.join());
  if (differs >= 0 || own.length !== given.length) {
    const at = differs < 0 ? own.length : differs;
    const named = (weight: tfl.LayerVariable | undefined): string =>
      weight === undefined ? 'none' : `${weight.originalName} [${weight.shape.join(', ')}]`;
    throw new IlrecError(
      `trainRun: the run to start from must have the weights of the model, ${named(own[at])}, got ${named(given[at])}; ` +
        'use a run with the same sections model, items and backbone',
    );
  }
  tf.tidy(() => {
    own.forEach((weight, i) => weight.write(given[i].read()));
    for (const { base, copy } of adapter?.modules ?? []) copy.write(tf.clone(baseValue(base)));
  });
}
