import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { activationName, type ActivationName, ACTIVATIONS } from '../ops/activations';
import { attention } from '../ops/attention';
import { mixSeeds } from '../ops/dropout';
import { gated } from '../ops/gated';
import { rmsNorm } from '../ops/rms_norm';
import { type BranchDropout, branchDropout } from './branch_dropout';
import type { QueryKeyValue } from './cached_block';
import type { CallArgs, LayerArgs, Shape } from './layer_types';
import { project } from './projection';

/** Arguments of `T5Block`. */
export interface T5BlockArgs extends LayerArgs {
  /** H, attention heads. */
  numAttentionHeads: number;
  /** F, features of one head; H * F need not be D. */
  headDim: number;
  /** I, width of the MLP. */
  intermediateSize: number;
  /** Whether the block also reads an encoder's output, as a decoder's does. Default false. */
  crossAttention?: boolean;
  /** The MLP's activation. Default 'relu', T5 1.0's; 1.1 has 'gelu_new'. */
  hiddenAct?: ActivationName;
  /** Whether the MLP is gated, as in T5 1.1. Default false. */
  gatedMlp?: boolean;
  /** Added to the mean square by the norms. Default 1e-6. */
  rmsNormEps?: number;
  /** Dropout of attention probabilities, of the MLP's inner values and of each branch, in [0, 1). Default 0. */
  dropout?: number;
  /** Factor of the standard deviations of the initial weights, 0 for zeros. Default 1. */
  initializerFactor?: number;
  /** Seed of weights and dropout. Default 0. */
  seed?: number;
}

type Sublayer = 'self' | 'cross';
/** In the order of their seeds. */
const KERNELS = [
  ...(['self_q', 'self_k', 'self_v', 'self_o'] as const),
  ...(['cross_q', 'cross_k', 'cross_v', 'cross_o'] as const),
  ...(['wi', 'wi_0', 'wi_1', 'wo'] as const),
] as const;
type Kernel = (typeof KERNELS)[number];
type Norm = 'self_norm' | 'cross_norm' | 'mlp_norm';

/**
 * Computes T5's pre-norm block (Raffel et al., arXiv 1910.10683), [B, T, D] to [B, T, D]: attention, in a decoder also
 * attention to the encoder's output, then an MLP, each added to the residual stream. Scores are not scaled, and there
 * are no biases. Kernels are [in, out].
 *
 * Inputs: x [B, T, D] and what is added to its scores, [B or 1, H, T, T]; with `crossAttention` also the encoder's
 * output [B, S, D] and the padding mask of its tokens [B, 1, 1, S].
 *
 * @throws IlrecError when hiddenAct is unknown.
 */
export class T5Block extends tfl.layers.Layer {
  static readonly className = 'ILRecT5Block';
  /** Number of training calls so far; see `setDropoutStep`. */
  dropoutStep = 0;
  private readonly args: Required<Omit<T5BlockArgs, keyof LayerArgs>>;
  private readonly kernels = {} as Record<Kernel, tfl.LayerVariable>;
  private readonly norms = {} as Record<Norm, tfl.LayerVariable>;

  constructor(args: T5BlockArgs) {
    super(args);
    const { numAttentionHeads, headDim, intermediateSize, crossAttention = false, gatedMlp = false } = args;
    const { rmsNormEps = 1e-6, dropout = 0, initializerFactor = 1, seed = 0 } = args;
    const hiddenAct = activationName(args.hiddenAct ?? 'relu', 'ILRecT5Block');
    const sizes = { numAttentionHeads, headDim, intermediateSize };
    this.args = {
      ...sizes,
      crossAttention,
      hiddenAct,
      gatedMlp,
      rmsNormEps,
      dropout,
      initializerFactor,
      seed,
    };
  }

  override build(inputShape: Shape | Shape[]): void {
    const hidden = (inputShape as Shape[])[0][2] as number; // of x
    const { numAttentionHeads, headDim, intermediateSize, crossAttention } = this.args;
    const inner = numAttentionHeads * headDim;
    for (const name of crossAttention ? (['self', 'cross'] as const) : (['self'] as const)) {
      this.addNorm(`${name}_norm`, hidden);
      this.addKernel(`${name}_q`, [hidden, inner], (hidden * headDim) ** -0.5); // in place of scaled scores
      this.addKernel(`${name}_k`, [hidden, inner], hidden ** -0.5);
      this.addKernel(`${name}_v`, [hidden, inner], hidden ** -0.5);
      this.addKernel(`${name}_o`, [inner, hidden], inner ** -0.5);
    }
    this.addNorm('mlp_norm', hidden);
    for (const name of this.mlpInputs()) this.addKernel(name, [hidden, intermediateSize], hidden ** -0.5);
    this.addKernel('wo', [intermediateSize, hidden], intermediateSize ** -0.5);
    this.built = true;
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return (inputShape as Shape[])[0];
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: CallArgs): tf.Tensor {
    return tf.tidy(() => {
      const [x, bias, encoded, encodedMask] = inputs as tf.Tensor[];
      const { dropout, seed } = this.args;
      const step = kwargs.training === true ? this.dropoutStep++ : null;
      const drop = branchDropout({ attentionDropout: dropout, hiddenDropout: dropout, seed }, step);

      const { query, key, value } = this.selfQueryKeyValue(x); // [B, H, T, F]
      // a function keeps fused kernels away, which have no gradient for the bias
      const context = attention(query, key, value, bias, drop.attention ?? ((probabilities) => probabilities));
      let hidden = tf.add(x, drop.hidden(this.mergeHeads(context, 'self'))); // [B, T, D]
      if (this.args.crossAttention) {
        const read = this.crossKeyValue(encoded); // [B, H, S, F]
        const found = attention(this.crossQuery(hidden), read.key, read.value, encodedMask, drop.attention);
        hidden = tf.add(hidden, drop.hidden(this.mergeHeads(found, 'cross')));
      }
      return tf.add(hidden, drop.hidden(this.mlp(hidden, drop)));
    });
  }

  /** Queries, keys and values of the block's input x [B, T, D], [B, H, T, F] each. */
  selfQueryKeyValue(x: tf.Tensor): QueryKeyValue {
    const [query, key, value] = this.heads(this.norm(x, 'self_norm'), ['self_q', 'self_k', 'self_v']);
    return { query: this.unscaled(query), key, value };
  }

  /** Keys and values of the encoder's output [B, S, D], [B, H, S, F] each. */
  crossKeyValue(encoded: tf.Tensor): Pick<QueryKeyValue, 'key' | 'value'> {
    const [key, value] = this.heads(encoded, ['cross_k', 'cross_v']);
    return { key, value };
  }

  /** Queries for the encoder's output, [B, H, T, F], of what `afterSelf` returns. */
  crossQuery(x: tf.Tensor): tf.Tensor4D {
    const [query] = this.heads(this.norm(x, 'cross_norm'), ['cross_q']);
    return this.unscaled(query);
  }

  /** The residual stream after self-attention, from the input x and the context [B, H, T, F]; without dropout. */
  afterSelf(x: tf.Tensor, context: tf.Tensor4D): tf.Tensor {
    return tf.add(x, this.mergeHeads(context, 'self'));
  }

  /** The block's output, from what `afterSelf` returned and the context of the encoder's output; without dropout. */
  afterCross(x: tf.Tensor, context: tf.Tensor4D): tf.Tensor {
    const hidden = tf.add(x, this.mergeHeads(context, 'cross'));
    return tf.add(hidden, this.mlp(hidden, branchDropout({}, null)));
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...this.args };
  }

  private mlp(x: tf.Tensor, drop: BranchDropout): tf.Tensor {
    const { gatedMlp, hiddenAct } = this.args;
    const inputs = this.product(this.norm(x, 'mlp_norm'), this.mlpInputs()); // [B, T, I or 2I]
    const inner = gatedMlp ? gated(inputs, hiddenAct) : ACTIVATIONS[hiddenAct](inputs); // [B, T, I]
    return this.product(drop.hidden(inner), ['wo']);
  }

  private mlpInputs(): readonly Kernel[] {
    return this.args.gatedMlp ? ['wi_0', 'wi_1'] : ['wi'];
  }

  /** Products with several kernels, heads first: [B, T, in] to [B, H, T, F] each. */
  private heads(x: tf.Tensor, names: readonly Kernel[]): tf.Tensor4D[] {
    const [batch, length] = x.shape;
    const { numAttentionHeads: heads, headDim: size } = this.args;
    const joined = tf.reshape(this.product(x, names), [batch, length, names.length * heads, size]);
    const byHead = tf.transpose(joined, [0, 2, 1, 3]) as tf.Tensor4D; // [B, names * H, T, F]
    return names.length === 1 ? [byHead] : tf.split(byHead, names.length, 1); // a split into one has no gradient
  }

  /** `attention()` divides scores by sqrt(F), which T5 does not. */
  private unscaled(query: tf.Tensor4D): tf.Tensor4D {
    return tf.mul(query, Math.sqrt(this.args.headDim));
  }

  /** Output projection of the attention's context: [B, H, T, F] to [B, T, D]. */
  private mergeHeads(context: tf.Tensor4D, name: Sublayer): tf.Tensor {
    const [batch, heads, length, size] = context.shape;
    const merged = tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [batch, length, heads * size]);
    return this.product(merged, [`${name}_o`]);
  }

  private product(x: tf.Tensor, names: readonly Kernel[]): tf.Tensor {
    const kernels = names.map((name) => ({ name, kernel: this.kernels[name], bias: null }));
    return project(x, kernels, null, false);
  }

  private norm(x: tf.Tensor, name: Norm): tf.Tensor {
    return rmsNorm(x, this.norms[name].read() as tf.Tensor1D, this.args.rmsNormEps);
  }

  private addKernel(name: Kernel, shape: [number, number], stddev: number): void {
    const { initializerFactor, seed } = this.args;
    const normal = { mean: 0, stddev: initializerFactor * stddev, seed: mixSeeds(seed, KERNELS.indexOf(name)) };
    const initializer = initializerFactor === 0 ? tfl.initializers.zeros() : tfl.initializers.randomNormal(normal);
    this.kernels[name] = this.addWeight(name, shape, 'float32', initializer);
  }

  private addNorm(name: Norm, size: number): void {
    this.norms[name] = this.addWeight(name, [size], 'float32', tfl.initializers.ones());
  }
}
