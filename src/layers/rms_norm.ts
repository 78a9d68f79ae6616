import type * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { rmsNorm } from '../ops/rms_norm';
import { type CallArgs, type LayerArgs, onlyInput, type Shape } from './layer_types';

/** Arguments of `RMSNorm`. */
export interface RMSNormArgs extends LayerArgs {
  /** Added to the mean square. Default 1e-6. */
  epsilon?: number;
}

/**
 * Divides by the root mean square of the last axis and multiplies with a learned scale [D]: [..., D] to [..., D].
 *
 * @param args see `RMSNormArgs`.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { RMSNorm } from 'tfjs-ilrec';
 *
 * const normed = new RMSNorm().apply(tf.tensor2d([[1, 7]])) as tf.Tensor; // root mean square: 5
 * console.log(Array.from(normed.dataSync(), (value) => value.toFixed(3))); // [ '0.200', '1.400' ]
 * ```
 */
export class RMSNorm extends tfl.layers.Layer {
  static readonly className = 'ILRecRMSNorm';
  private readonly epsilon: number;
  private scale!: tfl.LayerVariable;

  constructor(args: RMSNormArgs = {}) {
    super(args);
    this.epsilon = args.epsilon ?? 1e-6;
    this.supportsMasking = true;
  }

  override build(inputShape: Shape): void {
    this.scale = this.addWeight('weight', [inputShape[inputShape.length - 1]], 'float32', tfl.initializers.ones());
    this.built = true;
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], _kwargs: CallArgs): tf.Tensor {
    return rmsNorm(onlyInput(inputs, 'ILRecRMSNorm'), this.scale.read() as tf.Tensor1D, this.epsilon);
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), epsilon: this.epsilon };
  }
}
