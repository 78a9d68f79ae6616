import type * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { layerNorm } from '../ops/layer_norm';
import { type CallArgs, type LayerArgs, onlyInput, type Shape } from './layer_types';

/** Arguments of `LayerNorm`. */
export interface LayerNormArgs extends LayerArgs {
  /** Added to the variance. Default 1e-5. */
  epsilon?: number;
}

/**
 * Normalises the last axis to mean 0 and variance 1, with learned scale and shift [D]: [..., D] to [..., D].
 *
 * @param args see `LayerNormArgs`.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { LayerNorm } from 'tfjs-ilrec';
 *
 * const normed = new LayerNorm().apply(tf.tensor2d([[1, 3]])) as tf.Tensor;
 * console.log(Array.from(normed.dataSync(), (value) => value.toFixed(3))); // [ '-1.000', '1.000' ]
 * ```
 */
export class LayerNorm extends tfl.layers.Layer {
  static readonly className = 'ILRecLayerNorm';
  private readonly epsilon: number;
  private gamma!: tfl.LayerVariable;
  private beta!: tfl.LayerVariable;

  constructor(args: LayerNormArgs = {}) {
    super(args);
    this.epsilon = args.epsilon ?? 1e-5;
    this.supportsMasking = true;
  }

  override build(inputShape: Shape): void {
    const size = inputShape[inputShape.length - 1];
    this.gamma = this.addWeight('weight', [size], 'float32', tfl.initializers.ones());
    this.beta = this.addWeight('bias', [size], 'float32', tfl.initializers.zeros());
    this.built = true;
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], _kwargs: CallArgs): tf.Tensor {
    return layerNorm(
      onlyInput(inputs, 'ILRecLayerNorm'),
      this.gamma.read() as tf.Tensor1D,
      this.beta.read() as tf.Tensor1D,
      this.epsilon,
    );
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), epsilon: this.epsilon };
  }
}
