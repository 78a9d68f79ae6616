import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { dropout, mixSeeds } from '../ops/dropout';
import { type CallArgs, type LayerArgs, onlyInput, type Shape } from './layer_types';

/** Arguments of `Dropout`. */
export interface DropoutArgs extends LayerArgs {
  /** Share of the values set to zero, in [0, 1). */
  rate: number;
  /** Seed of the masks. Default 0. */
  seed?: number;
}

/**
 * Applies inverted dropout in training. The masks depend only on the seed and the number of training calls so far, so
 * that a resumed run draws the same ones.
 *
 * @param args see `DropoutArgs`.
 * @throws IlrecError when rate is outside [0, 1).
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { Dropout } from 'tfjs-ilrec';
 *
 * const layer = new Dropout({ rate: 0.5, seed: 1 });
 * console.log((layer.apply(tf.ones([3])) as tf.Tensor).arraySync()); // [ 1, 1, 1 ]
 * const dropped = layer.apply(tf.ones([100]), { training: true }) as tf.Tensor;
 * console.log(tf.max(dropped).dataSync()[0]); // 2
 * ```
 */
export class Dropout extends tfl.layers.Layer {
  static readonly className = 'ILRecDropout';
  /** Number of training calls so far; see `setDropoutStep`. */
  dropoutStep = 0;
  private readonly rate: number;
  private readonly seed: number;

  constructor(args: DropoutArgs) {
    super(args);
    if (!(args?.rate >= 0 && args.rate < 1))
      throw new IlrecError(`ILRecDropout: rate must be in [0, 1), got ${args?.rate}`);
    this.rate = args.rate;
    this.seed = args.seed ?? 0;
    this.supportsMasking = true;
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: CallArgs): tf.Tensor {
    const x = onlyInput(inputs, 'ILRecDropout');
    if (kwargs.training !== true) return tf.clone(x);
    return tf.clone(dropout(x, this.rate, mixSeeds(this.seed, this.dropoutStep++)));
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), rate: this.rate, seed: this.seed };
  }
}
