import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';

/** What every tfjs layer's constructor takes; tfjs-layers does not export the type by name. */
export type LayerArgs = NonNullable<ConstructorParameters<typeof tfl.layers.Layer>[0]>;

export type Shape = tfl.Shape;

/** The keyword arguments that tfjs hands to `Layer.call`. */
export interface CallArgs {
  readonly training?: boolean;
  readonly mask?: tf.Tensor | null;
}

/** The one input of a layer that takes one input. */
export function onlyInput<T>(inputs: T | T[], layer: string): T {
  if (!Array.isArray(inputs)) return inputs;
  if (inputs.length !== 1) throw new Error(`${layer}: takes one input, got ${inputs.length}`);
  return inputs[0];
}
