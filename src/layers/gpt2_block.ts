import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { activationName, type ActivationName, ACTIVATIONS } from '../ops/activations';
import { attention, causalMask, paddingMask } from '../ops/attention';
import { mixSeeds } from '../ops/dropout';
import { layerNorm } from '../ops/layer_norm';
import { branchDropout } from './branch_dropout';
import type { CachedBlock, QueryKeyValue } from './cached_block';
import { type CallArgs, type LayerArgs, onlyInput, type Shape } from './layer_types';
import { type Adaptable, project, type ProjectionDelta } from './projection';

/** Arguments of `GPT2Block`. */
export interface GPT2BlockArgs extends LayerArgs {
  /** H, heads; divides D. */
  numAttentionHeads: number;
  /** I, width of the MLP. */
  intermediateSize: number;
  /** Factor of the attention scores, null for the default. Default 1 / sqrt(F). */
  attentionScale?: number | null;
  /** The MLP's activation. Default 'gelu_new'. */
  hiddenAct?: ActivationName;
  /** Added to the variance by the norms. Default 1e-5. */
  layerNormEpsilon?: number;
  /** Dropout of the attention probabilities, in [0, 1). Default 0. */
  attentionDropout?: number;
  /** Dropout of both branches before they are added to the residual stream, in [0, 1). Default 0. */
  hiddenDropout?: number;
  /** Standard deviation of the initial weights, 0 for zeros. Default 0.02. */
  initializerRange?: number;
  /** Seed of weights and dropout. Default 0. */
  seed?: number;
}

/** `mlp_c_proj` is the `c_proj` of the checkpoint's `mlp`. */
const PROJECTIONS = ['c_attn', 'c_proj', 'c_fc', 'mlp_c_proj'] as const;
type ProjectionName = (typeof PROJECTIONS)[number];

/**
 * Computes GPT-2's decoder block, [B, T, D] to [B, T, D]: layer norms before attention and MLP, biases everywhere, one
 * kernel for queries, keys and values. Kernels are [in, out].
 *
 * @param args see `GPT2BlockArgs`.
 * @throws IlrecError when hiddenAct is unknown, or numAttentionHeads does not divide the hidden size.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { GPT2Block } from 'tfjs-ilrec';
 *
 * const block = new GPT2Block({ numAttentionHeads: 2, intermediateSize: 16 });
 * console.log((block.apply(tf.zeros([2, 3, 8])) as tf.Tensor).shape); // [ 2, 3, 8 ]
 * ```
 */
export class GPT2Block extends tfl.layers.Layer implements CachedBlock, Adaptable {
  static readonly className = 'ILRecGPT2Block';
  /** Number of training calls so far; see `setDropoutStep`. */
  dropoutStep = 0;
  readonly projections: readonly string[] = PROJECTIONS;
  projectionDelta: ProjectionDelta | null = null;
  readonly slidingWindow = null;
  private readonly args: GPT2BlockArgs;
  private readonly variables: Record<string, tfl.LayerVariable> = {};

  constructor(args: GPT2BlockArgs) {
    super(args);
    this.args = { ...args, hiddenAct: activationName(args.hiddenAct ?? 'gelu_new', 'ILRecGPT2Block') };
    this.supportsMasking = true;
  }

  override build(inputShape: Shape): void {
    const hidden = inputShape[inputShape.length - 1] as number;
    const { numAttentionHeads, intermediateSize } = this.args;
    if (hidden % numAttentionHeads !== 0)
      throw new IlrecError(
        `ILRecGPT2Block: numAttentionHeads must divide the hidden size, got ${numAttentionHeads} and ${hidden}`,
      );
    this.addNorm('ln_1', hidden);
    this.addProjection('c_attn', [hidden, 3 * hidden]);
    this.addProjection('c_proj', [hidden, hidden]);
    this.addNorm('ln_2', hidden);
    this.addProjection('c_fc', [hidden, intermediateSize]);
    this.addProjection('mlp_c_proj', [intermediateSize, hidden]);
    this.built = true;
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: CallArgs): tf.Tensor {
    return tf.tidy(() => {
      const x = onlyInput(inputs, 'ILRecGPT2Block'); // [B, T, D]
      const training = kwargs.training === true;
      const causal = causalMask(x.shape[1] as number);
      const mask = kwargs.mask == null ? causal : tf.add(causal, paddingMask(kwargs.mask)); // [(B, 1,) T, T]
      const drop = branchDropout(this.args, training ? this.dropoutStep++ : null);

      const { query, key, value } = this.queryKeyValue(x, null, training);
      const context = attention(query, key, value, mask, drop.attention); // [B, H, T, F]
      const attended = tf.add(x, drop.hidden(this.mergeHeads(context, training))); // [B, T, D]
      return tf.add(attended, drop.hidden(this.mlp(attended, training)));
    });
  }

  /** None: the embedding adds the positions. */
  positionTables(): null {
    return null;
  }

  queryKeyValue(x: tf.Tensor, _tables: null, training = false): QueryKeyValue {
    const [batch, length, hidden] = x.shape;
    const { numAttentionHeads: heads, attentionScale = null } = this.args;
    const size = hidden / heads;
    const projected = tf.reshape(this.project(this.norm(x, 'ln_1'), 'c_attn', training), [
      batch,
      length,
      3 * heads,
      size,
    ]); // [B, T, 3H, F]
    const [query, key, value] = tf.split(tf.transpose(projected, [0, 2, 1, 3]), 3, 1); // [B, H, T, F] each
    // attention() divides by sqrt(F)
    const scaled = attentionScale === null ? query : tf.mul(query, attentionScale * Math.sqrt(size));
    return { query: scaled, key, value } as QueryKeyValue;
  }

  finish(x: tf.Tensor, context: tf.Tensor4D): tf.Tensor {
    const attended = tf.add(x, this.mergeHeads(context, false));
    return tf.add(attended, this.mlp(attended, false));
  }

  override getConfig(): tf.serialization.ConfigDict {
    const {
      numAttentionHeads,
      intermediateSize,
      attentionScale = null,
      hiddenAct = 'gelu_new',
      layerNormEpsilon = 1e-5,
    } = this.args;
    const { attentionDropout = 0, hiddenDropout = 0, initializerRange = 0.02, seed = 0 } = this.args;
    const own = {
      numAttentionHeads,
      intermediateSize,
      attentionScale,
      hiddenAct,
      layerNormEpsilon,
      attentionDropout,
      hiddenDropout,
      initializerRange,
      seed,
    };
    return { ...super.getConfig(), ...own };
  }

  /** Output projection of the attention's context: [B, H, T, F] to [B, T, D]. */
  private mergeHeads(context: tf.Tensor4D, training: boolean): tf.Tensor {
    const [batch, heads, length, size] = context.shape;
    return this.project(
      tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [batch, length, heads * size]),
      'c_proj',
      training,
    );
  }

  private mlp(x: tf.Tensor, training: boolean): tf.Tensor {
    const inner = this.project(this.norm(x, 'ln_2'), 'c_fc', training); // [B, T, I]
    return this.project(ACTIVATIONS[this.args.hiddenAct ?? 'gelu_new'](inner), 'mlp_c_proj', training);
  }

  private project(x: tf.Tensor, name: ProjectionName, training: boolean): tf.Tensor {
    return project(
      x,
      [{ name, kernel: this.variables[name], bias: this.variables[`${name}_bias`] }],
      this.projectionDelta,
      training,
    );
  }

  private norm(x: tf.Tensor, name: 'ln_1' | 'ln_2'): tf.Tensor {
    const [gamma, beta] = [this.variables[name].read(), this.variables[`${name}_bias`].read()] as tf.Tensor1D[];
    return layerNorm(x, gamma, beta, this.args.layerNormEpsilon ?? 1e-5);
  }

  private addProjection(name: ProjectionName, shape: [number, number]): void {
    const { initializerRange = 0.02, seed = 0 } = this.args;
    const normal = { mean: 0, stddev: initializerRange, seed: mixSeeds(seed, PROJECTIONS.indexOf(name)) };
    this.variables[name] = this.addWeight(
      name,
      shape,
      'float32',
      initializerRange === 0 ? tfl.initializers.zeros() : tfl.initializers.randomNormal(normal),
    );
    this.variables[`${name}_bias`] = this.addWeight(`${name}_bias`, [shape[1]], 'float32', tfl.initializers.zeros());
  }

  private addNorm(name: string, size: number): void {
    this.variables[name] = this.addWeight(name, [size], 'float32', tfl.initializers.ones());
    this.variables[`${name}_bias`] = this.addWeight(`${name}_bias`, [size], 'float32', tfl.initializers.zeros());
  }
}
