import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { attention, causalMask } from '../ops/attention';
import { mixSeeds } from '../ops/dropout';
import { layerNorm } from '../ops/layer_norm';
import { linear } from '../ops/linear';
import { type BranchDropout, branchDropout } from './branch_dropout';
import { type CallArgs, type LayerArgs, onlyInput, type Shape } from './layer_types';

/** Arguments of `SASRecBlock`. */
export interface SASRecBlockArgs extends LayerArgs {
  /** H, attention heads; divides D. */
  numAttentionHeads: number;
  /** I, width of the feed-forward layer. */
  intermediateSize: number;
  /** Dropout of the attention probabilities, in [0, 1). Default 0. */
  attentionDropout?: number;
  /** Dropout of both branches before they are added, in [0, 1). Default 0. */
  hiddenDropout?: number;
  /** Added to the variance. Default 1e-6. */
  layerNormEps?: number;
  /** Standard deviation of the initial weights. Default 0.02. */
  initializerRange?: number;
  /** Seed of weights and dropout. Default 0. */
  seed?: number;
}

type Weight =
  | 'qkv_kernel'
  | 'qkv_bias'
  | 'output_kernel'
  | 'output_bias'
  | 'attention_gamma'
  | 'attention_beta'
  | 'inner_kernel'
  | 'inner_bias'
  | 'outer_kernel'
  | 'outer_bias'
  | 'feed_forward_gamma'
  | 'feed_forward_beta';

/**
 * SASRec's causal block, [B, T, D] to [B, T, D]: norm(x + attention(x)), then norm(x + feedForward(x)). Padding on the
 * right needs no mask.
 */
export class SASRecBlock extends tfl.layers.Layer {
  static readonly className = 'ILRecSASRecBlock';
  /** Number of training calls so far; see `setDropoutStep`. */
  dropoutStep = 0;
  private readonly args: SASRecBlockArgs;
  private readonly variables = {} as Record<Weight, tfl.LayerVariable>;

  constructor(args: SASRecBlockArgs) {
    super(args);
    this.args = { ...args };
  }

  override build(inputShape: Shape): void {
    const hidden = inputShape[inputShape.length - 1] as number;
    const { numAttentionHeads, intermediateSize, initializerRange = 0.02, seed = 0 } = this.args;
    if (hidden % numAttentionHeads !== 0) {
      throw new IlrecError(
        `ILRecSASRecBlock: numAttentionHeads must divide the hidden size, got ${numAttentionHeads} and ${hidden}`,
      );
    }
    let site = 0;
    const add = (name: Weight, shape: number[], start: 'zeros' | 'ones' | 'normal'): void => {
      const normal = tfl.initializers.randomNormal({ mean: 0, stddev: initializerRange, seed: mixSeeds(seed, site++) });
      const initializer = start === 'normal' ? normal : tfl.initializers[start]();
      this.variables[name] = this.addWeight(name, shape, 'float32', initializer);
    };
    add('qkv_kernel', [hidden, 3 * hidden], 'normal');
    add('qkv_bias', [3 * hidden], 'zeros');
    add('output_kernel', [hidden, hidden], 'normal');
    add('output_bias', [hidden], 'zeros');
    add('attention_gamma', [hidden], 'ones');
    add('attention_beta', [hidden], 'zeros');
    add('inner_kernel', [hidden, intermediateSize], 'normal');
    add('inner_bias', [intermediateSize], 'zeros');
    add('outer_kernel', [intermediateSize, hidden], 'normal');
    add('outer_bias', [hidden], 'zeros');
    add('feed_forward_gamma', [hidden], 'ones');
    add('feed_forward_beta', [hidden], 'zeros');
    this.built = true;
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: CallArgs): tf.Tensor {
    return tf.tidy(() => {
      const x = onlyInput(inputs, 'ILRecSASRecBlock'); // [B, T, D]
      const drop = branchDropout(this.args, kwargs.training === true ? this.dropoutStep++ : null);
      const attended = this.norm(tf.add(x, drop.hidden(this.attend(x, drop.attention))), 'attention'); // [B, T, D]
      const inner = tf.relu(this.project(attended, 'inner')); // [B, T, I]
      return this.norm(tf.add(attended, drop.hidden(this.project(inner, 'outer'))), 'feed_forward');
    });
  }

  override getConfig(): tf.serialization.ConfigDict {
    const { numAttentionHeads, intermediateSize, attentionDropout = 0, hiddenDropout = 0 } = this.args;
    const { layerNormEps = 1e-6, initializerRange = 0.02, seed = 0 } = this.args;
    return {
      ...super.getConfig(),
      numAttentionHeads,
      intermediateSize,
      attentionDropout,
      hiddenDropout,
      layerNormEps,
      initializerRange,
      seed,
    };
  }

  private attend(x: tf.Tensor, drop: BranchDropout['attention']): tf.Tensor {
    const [batch, length, hidden] = x.shape;
    const heads = this.args.numAttentionHeads;
    const projected = tf.reshape(this.project(x, 'qkv'), [batch, length, 3 * heads, hidden / heads]); // [B, T, 3H, F]
    const [query, key, value] = tf.split(tf.transpose(projected, [0, 2, 1, 3]), 3, 1) as tf.Tensor4D[]; // [B, H, T, F]
    const context = attention(query, key, value, causalMask(length), drop); // [B, H, T, F]
    return this.project(tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [batch, length, hidden]), 'output');
  }

  private project(x: tf.Tensor, name: 'qkv' | 'output' | 'inner' | 'outer'): tf.Tensor {
    return tf.add(
      linear(x, this.variables[`${name}_kernel`].read() as tf.Tensor2D),
      this.variables[`${name}_bias`].read(),
    );
  }

  private norm(x: tf.Tensor, name: 'attention' | 'feed_forward'): tf.Tensor {
    const gamma = this.variables[`${name}_gamma`].read() as tf.Tensor1D;
    return layerNorm(x, gamma, this.variables[`${name}_beta`].read() as tf.Tensor1D, this.args.layerNormEps);
  }
}
