import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { paddingMask } from '../ops/attention';
import { type CallArgs, type LayerArgs, onlyInput, type Shape } from './layer_types';

/** Arguments of `PaddingMask`. */
export interface PaddingMaskArgs extends LayerArgs {
  /** The token that fills rows. */
  padTokenId: number;
}

/**
 * Turns token ids [B, T] into what is added to attention scores, [B, 1, 1, T]: 0 at tokens, a large negative number at
 * padding. A layer of its own, because tfjs hands a block with several inputs the mask of the first one only.
 */
export class PaddingMask extends tfl.layers.Layer {
  static readonly className = 'ILRecPaddingMask';
  readonly padTokenId: number;

  constructor(args: PaddingMaskArgs) {
    super(args);
    this.padTokenId = args.padTokenId;
  }

  override computeOutputShape([batch, length]: Shape): Shape {
    return [batch, 1, 1, length];
  }

  override call(inputs: tf.Tensor | tf.Tensor[], _kwargs: CallArgs): tf.Tensor {
    const ids = onlyInput(inputs, 'ILRecPaddingMask');
    return tf.tidy(() => paddingMask(tf.notEqual(ids, this.padTokenId)));
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), padTokenId: this.padTokenId };
  }
}
