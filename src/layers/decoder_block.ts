import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { attention, causalMask, paddingMask } from '../ops/attention';
import { mixSeeds } from '../ops/dropout';
import { linear } from '../ops/linear';
import { rmsNorm } from '../ops/rms_norm';
import { applyRotary, rotaryTables } from '../ops/rotary';
import { branchDropout } from './branch_dropout';
import { type CallArgs, type LayerArgs, onlyInput, type Shape } from './layer_types';

export interface DecoderBlockArgs extends LayerArgs {
  /** H, query heads. */
  numAttentionHeads: number;
  /** K, key-value heads; divides H. Default H. */
  numKeyValueHeads?: number;
  /** F, features of one head, even. Default D / H. */
  headDim?: number;
  /** I, width of the gated MLP. */
  intermediateSize: number;
  /** Base of the rotary wavelengths. Default 10000. */
  ropeTheta?: number;
  /** Default 1e-6. */
  rmsNormEps?: number;
  /** Dropout of the attention probabilities. Default 0. */
  attentionDropout?: number;
  /** Dropout of both branches before they are added to the residual stream. Default 0. */
  hiddenDropout?: number;
  /** Standard deviation of the initial weights. Default 0.02. */
  initializerRange?: number;
  /** Seed of weights and dropout. Default 0. */
  seed?: number;
}

/** Queries, keys and values of a block, heads first, queries and keys rotated. */
export interface QueryKeyValue {
  /** [B, H, T, F] */
  readonly query: tf.Tensor4D;
  /** [B, K, T, F] */
  readonly key: tf.Tensor4D;
  /** [B, K, T, F] */
  readonly value: tf.Tensor4D;
}

const PROJECTIONS = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;
type Projection = (typeof PROJECTIONS)[number];

/** Pre-norm decoder block: x + attention(norm(x)), then x + mlp(norm(x)); Llama's arrangement. Kernels are [in, out]. */
export class DecoderBlock extends tfl.layers.Layer {
  static readonly className = 'ILRecDecoderBlock';
  /** Number of training calls so far; see `setDropoutStep`. */
  dropoutStep = 0;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly ropeTheta: number;
  private readonly args: DecoderBlockArgs;
  private headSize: number;
  private inputNorm!: tfl.LayerVariable;
  private postAttentionNorm!: tfl.LayerVariable;
  private readonly kernels = {} as Record<Projection, tfl.LayerVariable>;

  constructor(args: DecoderBlockArgs) {
    super(args);
    const { numAttentionHeads, numKeyValueHeads = numAttentionHeads } = args;
    if (numAttentionHeads % numKeyValueHeads !== 0) {
      throw new Error(`ILRecDecoderBlock: numKeyValueHeads must divide numAttentionHeads, got ${numKeyValueHeads} and ${numAttentionHeads}`);
    }
    this.args = { ...args };
    this.numAttentionHeads = numAttentionHeads;
    this.numKeyValueHeads = numKeyValueHeads;
    this.headSize = args.headDim ?? 0;
    this.ropeTheta = args.ropeTheta ?? 10000;
    this.supportsMasking = true;
  }

  /** F */
  get headDim(): number {
    return this.headSize;
  }

  override build(inputShape: Shape): void {
    const hidden = inputShape[inputShape.length - 1] as number;
    const { intermediateSize, initializerRange = 0.02, seed = 0 } = this.args;
    if (this.headSize === 0) this.headSize = hidden / this.numAttentionHeads;
    if (!Number.isInteger(this.headSize) || this.headSize % 2 !== 0) {
      throw new Error(`ILRecDecoderBlock: hidden size / numAttentionHeads must be an even integer, got ${hidden} / ${this.numAttentionHeads}`);
    }
    const queries = this.numAttentionHeads * this.headSize;
    const keys = this.numKeyValueHeads * this.headSize;
    const shapes: Record<Projection, [number, number]> = {
      q_proj: [hidden, queries],
      k_proj: [hidden, keys],
      v_proj: [hidden, keys],
      o_proj: [queries, hidden],
      gate_proj: [hidden, intermediateSize],
      up_proj: [hidden, intermediateSize],
      down_proj: [intermediateSize, hidden],
    };
    this.inputNorm = this.addWeight('input_layernorm', [hidden], 'float32', tfl.initializers.ones());
    PROJECTIONS.forEach((name, index) => {
      if (name === 'gate_proj') this.postAttentionNorm = this.addWeight('post_attention_layernorm', [hidden], 'float32', tfl.initializers.ones());
      const initializer = tfl.initializers.randomNormal({ mean: 0, stddev: initializerRange, seed: mixSeeds(seed, index) });
      this.kernels[name] = this.addWeight(name, shapes[name], 'float32', initializer);
    });
    this.built = true;
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: CallArgs): tf.Tensor {
    return tf.tidy(() => {
      const x = onlyInput(inputs, 'ILRecDecoderBlock'); // [B, T, D]
      const length = x.shape[1] as number;
      const { cos, sin } = rotaryTables(Array.from({ length }, (_, position) => position), this.headSize, this.ropeTheta);
      const mask = kwargs.mask == null ? causalMask(length) : tf.add(causalMask(length), paddingMask(kwargs.mask)); // [(B, 1,) T, T]
      const drop = branchDropout(this.args, kwargs.training === true ? this.dropoutStep++ : null);

      const { query, key, value } = this.queryKeyValue(x, tf.tensor2d(cos, [length, this.headSize]), tf.tensor2d(sin, [length, this.headSize]));
      const context = attention(query, key, value, mask, drop.attention); // [B, H, T, F]
      const attended = tf.add(x, drop.hidden(this.mergeHeads(context))); // [B, T, D]
      return tf.add(attended, drop.hidden(this.mlp(attended)));
    });
  }

  /** Projects norm(x) [B, T, D]; `cos` and `sin` broadcast against [B, heads, T, F]. */
  queryKeyValue(x: tf.Tensor, cos: tf.Tensor, sin: tf.Tensor): QueryKeyValue {
    const [batch, length] = x.shape;
    const [heads, groups] = [this.numAttentionHeads, this.numKeyValueHeads];
    const kernel = tf.concat([this.read('q_proj'), this.read('k_proj'), this.read('v_proj')], 1); // [D, (H + 2K) * F]
    const projected = linear(this.norm(x, this.inputNorm), kernel); // [B, T, (H + 2K) * F]
    const split = tf.transpose(tf.reshape(projected, [batch, length, heads + 2 * groups, this.headSize]), [0, 2, 1, 3]); // [B, H + 2K, T, F]
    const [unrotated, value] = tf.split(split, [heads + groups, groups], 1);
    const [query, key] = tf.split(applyRotary(unrotated, cos, sin), [heads, groups], 1);
    return { query, key, value } as QueryKeyValue;
  }

  /** Output projection of the attention's context: [B, H, T, F] to [B, T, D]. */
  mergeHeads(context: tf.Tensor4D): tf.Tensor {
    const [batch, heads, length, size] = context.shape;
    return linear(tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [batch, length, heads * size]), this.read('o_proj'));
  }

  /** The gated MLP of norm(x): down(silu(gate) * up); [B, T, D] to [B, T, D]. */
  mlp(x: tf.Tensor): tf.Tensor {
    const kernel = tf.concat([this.read('gate_proj'), this.read('up_proj')], 1); // [D, 2I]
    const [gate, up] = tf.split(linear(this.norm(x, this.postAttentionNorm), kernel), 2, -1); // [B, T, I] each
    return linear(tf.mul(tf.mul(gate, tf.sigmoid(gate)), up), this.read('down_proj'));
  }

  override getConfig(): tf.serialization.ConfigDict {
    const { intermediateSize, headDim, rmsNormEps = 1e-6, attentionDropout = 0, hiddenDropout = 0, initializerRange = 0.02, seed = 0 } = this.args;
    return {
      ...super.getConfig(),
      numAttentionHeads: this.numAttentionHeads,
      numKeyValueHeads: this.numKeyValueHeads,
      ...(headDim === undefined ? {} : { headDim }),
      intermediateSize,
      ropeTheta: this.ropeTheta,
      rmsNormEps,
      attentionDropout,
      hiddenDropout,
      initializerRange,
      seed,
    };
  }

  private read(name: Projection): tf.Tensor2D {
    return this.kernels[name].read() as tf.Tensor2D;
  }

  private norm(x: tf.Tensor, scale: tfl.LayerVariable): tf.Tensor {
    return rmsNorm(x, scale.read() as tf.Tensor1D, this.args.rmsNormEps);
  }
}
