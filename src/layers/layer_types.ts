import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';

/** Arguments of every tfjs layer's constructor; tfjs-layers does not export the type. */
export type LayerArgs = NonNullable<ConstructorParameters<typeof tfl.layers.Layer>[0]>;

export type Shape = tfl.Shape;

/** The keyword arguments that tfjs passes to `Layer.call`. */
export interface CallArgs {
  readonly training?: boolean;
  readonly mask?: tf.Tensor | null;
}

/** The input of a layer with one input, which tfjs passes as a tensor or as a list of one. */
export function onlyInput<T>(inputs: T | T[], layer: string): T {
  if (!Array.isArray(inputs)) return inputs;
  if (inputs.length !== 1) throw new IlrecError(`${layer}: takes one input, got ${inputs.length}`);
  return inputs[0];
}
