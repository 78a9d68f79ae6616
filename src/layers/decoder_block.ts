import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { activationName, type ActivationName } from '../ops/activations';
import { attention, causalMask, paddingMask } from '../ops/attention';
import { mixSeeds } from '../ops/dropout';
import { gated } from '../ops/gated';
import { rmsNorm } from '../ops/rms_norm';
import { applyRotary, rotaryTables } from '../ops/rotary';
import type { RopeScaling } from '../ops/rotary_frequencies';
import { branchDropout } from './branch_dropout';
import type { CachedBlock, PositionTables, QueryKeyValue } from './cached_block';
import { type CallArgs, type LayerArgs, onlyInput, type Shape } from './layer_types';
import { type Adaptable, project, type ProjectionDelta } from './projection';

/** Arguments of `DecoderBlock`. */
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
  /** Rescaling of the rotary wavelengths. Default none. */
  ropeScaling?: RopeScaling | null;
  /** Number of positions that a query sees, itself included. Default all before it. */
  slidingWindow?: number | null;
  /** Whether queries and keys are normalised per head before the rotary embedding (Qwen3). Default false. */
  qkNorm?: boolean;
  /** Whether queries, keys and values have biases (Qwen2). Default false. */
  qkvBias?: boolean;
  /** Whether the attention's output projection has a bias. Default false. */
  outputBias?: boolean;
  /** Whether the MLP's projections have biases. Default false. */
  mlpBias?: boolean;
  /** The gate's activation. Default 'silu'. */
  hiddenAct?: ActivationName;
  /** Added to the mean square by the norms. Default 1e-6. */
  rmsNormEps?: number;
  /** Dropout of the attention probabilities, in [0, 1). Default 0. */
  attentionDropout?: number;
  /** Dropout of both branches before they are added to the residual stream, in [0, 1). Default 0. */
  hiddenDropout?: number;
  /** Standard deviation of the initial weights, 0 for zeros. Default 0.02. */
  initializerRange?: number;
  /** Seed of weights and dropout. Default 0. */
  seed?: number;
}

const PROJECTIONS = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;
type ProjectionName = (typeof PROJECTIONS)[number];

/**
 * Computes Llama's pre-norm decoder block, [B, T, D] to [B, T, D]: x + attention(norm(x)), then x + mlp(norm(x)).
 * Kernels are [in, out].
 *
 * @param args see `DecoderBlockArgs`.
 * @throws IlrecError when numKeyValueHeads does not divide numAttentionHeads, slidingWindow is not a positive integer,
 * hiddenAct is unknown, or the head size is not an even integer.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { DecoderBlock } from 'tfjs-ilrec';
 *
 * const block = new DecoderBlock({ numAttentionHeads: 2, intermediateSize: 16 });
 * console.log((block.apply(tf.zeros([2, 3, 8])) as tf.Tensor).shape); // [ 2, 3, 8 ]
 * ```
 */
export class DecoderBlock extends tfl.layers.Layer implements CachedBlock, Adaptable {
  static readonly className = 'ILRecDecoderBlock';
  /** Number of training calls so far; see `setDropoutStep`. */
  dropoutStep = 0;
  readonly projections: readonly string[] = PROJECTIONS;
  projectionDelta: ProjectionDelta | null = null;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly slidingWindow: number | null;
  private readonly args: DecoderBlockArgs;
  private headSize: number;
  private inputNorm!: tfl.LayerVariable;
  private postAttentionNorm!: tfl.LayerVariable;
  private queryNorm?: tfl.LayerVariable;
  private keyNorm?: tfl.LayerVariable;
  private readonly kernels = {} as Record<ProjectionName, tfl.LayerVariable>;
  private readonly biases: Partial<Record<ProjectionName, tfl.LayerVariable>> = {};

  constructor(args: DecoderBlockArgs) {
    super(args);
    const { numAttentionHeads, numKeyValueHeads = numAttentionHeads, slidingWindow = null, hiddenAct } = args;
    if (numAttentionHeads % numKeyValueHeads !== 0) {
      throw new IlrecError(
        `ILRecDecoderBlock: numKeyValueHeads must divide numAttentionHeads, got ${numKeyValueHeads} and ` +
          `${numAttentionHeads}`,
      );
    }
    if (slidingWindow !== null && !(Number.isInteger(slidingWindow) && slidingWindow >= 1)) {
      throw new IlrecError(`ILRecDecoderBlock: slidingWindow must be a positive integer or null, got ${slidingWindow}`);
    }
    this.args = {
      ...args,
      ...(hiddenAct == null ? {} : { hiddenAct: activationName(hiddenAct, 'ILRecDecoderBlock') }),
    };
    this.numAttentionHeads = numAttentionHeads;
    this.numKeyValueHeads = numKeyValueHeads;
    this.slidingWindow = slidingWindow;
    this.headSize = args.headDim ?? 0;
    this.supportsMasking = true;
  }

  override build(inputShape: Shape): void {
    const hidden = inputShape[inputShape.length - 1] as number;
    const { intermediateSize, qkNorm = false, qkvBias = false, outputBias = false, mlpBias = false } = this.args;
    if (this.headSize === 0) this.headSize = hidden / this.numAttentionHeads;
    if (!Number.isInteger(this.headSize) || this.headSize % 2 !== 0) {
      throw new IlrecError(
        this.args.headDim === undefined
          ? `ILRecDecoderBlock: hidden size / numAttentionHeads must be an even integer, got ${hidden} / ${this.numAttentionHeads}`
          : `ILRecDecoderBlock: headDim must be an even integer, got ${this.headSize}`,
      );
    }
    const queries = this.numAttentionHeads * this.headSize;
    const keys = this.numKeyValueHeads * this.headSize;
    this.inputNorm = this.addOnes('input_layernorm', hidden);
    this.addProjection('q_proj', [hidden, queries], qkvBias);
    this.addProjection('k_proj', [hidden, keys], qkvBias);
    this.addProjection('v_proj', [hidden, keys], qkvBias);
    this.addProjection('o_proj', [queries, hidden], outputBias);
    if (qkNorm) this.queryNorm = this.addOnes('q_norm', this.headSize);
    if (qkNorm) this.keyNorm = this.addOnes('k_norm', this.headSize);
    this.postAttentionNorm = this.addOnes('post_attention_layernorm', hidden);
    this.addProjection('gate_proj', [hidden, intermediateSize], mlpBias);
    this.addProjection('up_proj', [hidden, intermediateSize], mlpBias);
    this.addProjection('down_proj', [intermediateSize, hidden], mlpBias);
    this.built = true;
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: CallArgs): tf.Tensor {
    return tf.tidy(() => {
      const x = onlyInput(inputs, 'ILRecDecoderBlock'); // [B, T, D]
      const length = x.shape[1] as number;
      const training = kwargs.training === true;
      const causal = causalMask(length, this.slidingWindow);
      const mask = kwargs.mask == null ? causal : tf.add(causal, paddingMask(kwargs.mask)); // [(B, 1,) T, T]
      const drop = branchDropout(this.args, training ? this.dropoutStep++ : null);

      const tables = this.positionTables(
        Array.from({ length }, (_, position) => position),
        [length],
      );
      const { query, key, value } = this.queryKeyValue(x, tables, training);
      const context = attention(query, key, value, mask, drop.attention); // [B, H, T, F]
      const attended = tf.add(x, drop.hidden(this.mergeHeads(context, training))); // [B, T, D]
      return tf.add(attended, drop.hidden(this.mlp(attended, training)));
    });
  }

  positionTables(positions: ArrayLike<number>, shape: readonly number[]): PositionTables {
    const { cos, sin } = rotaryTables(positions, this.headSize, this.args.ropeTheta ?? 10000, this.args.ropeScaling);
    return { cos: tf.tensor(cos, [...shape, this.headSize]), sin: tf.tensor(sin, [...shape, this.headSize]) };
  }

  queryKeyValue(x: tf.Tensor, { cos, sin }: PositionTables, training = false): QueryKeyValue {
    const [batch, length] = x.shape;
    const [heads, groups] = [this.numAttentionHeads, this.numKeyValueHeads];
    const projected = this.project(this.norm(x, this.inputNorm), ['q_proj', 'k_proj', 'v_proj'], training); // [B, T, (H + 2K) * F]
    const split = tf.transpose(tf.reshape(projected, [batch, length, heads + 2 * groups, this.headSize]), [0, 2, 1, 3]); // [B, H + 2K, T, F]
    const [queriesAndKeys, value] = tf.split(split, [heads + groups, groups], 1);
    const [query, key] = tf.split(applyRotary(this.normHeads(queriesAndKeys), cos, sin), [heads, groups], 1);
    return { query, key, value } as QueryKeyValue;
  }

  finish(x: tf.Tensor, context: tf.Tensor4D): tf.Tensor {
    const attended = tf.add(x, this.mergeHeads(context, false));
    return tf.add(attended, this.mlp(attended, false));
  }

  override getConfig(): tf.serialization.ConfigDict {
    const {
      intermediateSize,
      headDim,
      numKeyValueHeads = this.numAttentionHeads,
      ropeTheta = 10000,
      rmsNormEps = 1e-6,
      attentionDropout = 0,
      hiddenDropout = 0,
    } = this.args;
    const {
      ropeScaling,
      slidingWindow,
      qkNorm,
      qkvBias,
      outputBias,
      mlpBias,
      hiddenAct,
      initializerRange = 0.02,
      seed = 0,
    } = this.args;
    const optional = Object.entries({
      headDim,
      ropeScaling,
      slidingWindow,
      qkNorm,
      qkvBias,
      outputBias,
      mlpBias,
      hiddenAct,
    }).filter(([, value]) => value != null);
    const always = {
      numAttentionHeads: this.numAttentionHeads,
      numKeyValueHeads,
      intermediateSize,
      ropeTheta,
      rmsNormEps,
      attentionDropout,
      hiddenDropout,
      initializerRange,
      seed,
    };
    return { ...super.getConfig(), ...always, ...Object.fromEntries(optional) } as tf.serialization.ConfigDict;
  }

  /** Output projection of the attention's context: [B, H, T, F] to [B, T, D]. */
  private mergeHeads(context: tf.Tensor4D, training: boolean): tf.Tensor {
    const [batch, heads, length, size] = context.shape;
    return this.project(
      tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [batch, length, heads * size]),
      ['o_proj'],
      training,
    );
  }

  /** The gated MLP of norm(x): down(act(gate) * up); [B, T, D] to [B, T, D]. */
  private mlp(x: tf.Tensor, training: boolean): tf.Tensor {
    const joined = this.project(this.norm(x, this.postAttentionNorm), ['gate_proj', 'up_proj'], training); // [B, T, 2I]
    return this.project(gated(joined, this.args.hiddenAct ?? 'silu'), ['down_proj'], training);
  }

  private project(x: tf.Tensor, names: readonly ProjectionName[], training: boolean): tf.Tensor {
    const parts = names.map((name) => ({ name, kernel: this.kernels[name], bias: this.biases[name] ?? null }));
    return project(x, parts, this.projectionDelta, training);
  }

  private norm(x: tf.Tensor, scale: tfl.LayerVariable): tf.Tensor {
    return rmsNorm(x, scale.read() as tf.Tensor1D, this.args.rmsNormEps);
  }

  /** Normalises the concatenated queries and keys [B, H + K, T, F] per head. */
  private normHeads(queriesAndKeys: tf.Tensor): tf.Tensor {
    if (this.queryNorm === undefined || this.keyNorm === undefined) return queriesAndKeys;
    const [query, key] = tf.split(queriesAndKeys, [this.numAttentionHeads, this.numKeyValueHeads], 1);
    return tf.concat([this.norm(query, this.queryNorm), this.norm(key, this.keyNorm)], 1);
  }

  private addProjection(name: ProjectionName, shape: [number, number], bias: boolean): void {
    const { initializerRange = 0.02, seed = 0 } = this.args;
    const normal = { mean: 0, stddev: initializerRange, seed: mixSeeds(seed, PROJECTIONS.indexOf(name)) };
    this.kernels[name] = this.addWeight(
      name,
      shape,
      'float32',
      initializerRange === 0 ? tfl.initializers.zeros() : tfl.initializers.randomNormal(normal),
    );
    if (bias) this.biases[name] = this.addWeight(`${name}_bias`, [shape[1]], 'float32', tfl.initializers.zeros());
  }

  private addOnes(name: string, size: number): tfl.LayerVariable {
    return this.addWeight(name, [size], 'float32', tfl.initializers.ones());
  }
}
