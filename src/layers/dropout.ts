import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { dropout, mixSeeds } from '../ops/dropout';
import { type CallArgs, type LayerArgs, onlyInput, type Shape } from './layer_types';

export interface DropoutArgs extends LayerArgs {
  /** Share of values set to zero, in [0, 1). */
  rate: number;
  /** Seed of the masks. Default 0. */
  seed?: number;
}

/** Inverted dropout whose masks depend on the seed and on how many training calls came before, so that a resumed run repeats them. */
export class Dropout extends tfl.layers.Layer {
  static readonly className = 'ILRecDropout';
  /** Number of training calls so far; see `setDropoutStep`. */
  dropoutStep = 0;
  private readonly rate: number;
  private readonly seed: number;

  constructor(args: DropoutArgs) {
    super(args);
    if (!(args.rate >= 0 && args.rate < 1)) throw new Error(`ILRecDropout: rate must be in [0, 1), got ${args.rate}`);
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
