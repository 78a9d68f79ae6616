import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { dropout, mixSeeds } from '../ops/dropout';
import { linear } from '../ops/linear';
import { createRandom } from '../random';
import { baseValue, type LoraSite } from './lora_sites';

/** The settings of an adapter, with defaults. Loaded adapters may have pairs with another rank and alpha. */
export interface LoraConfig {
  readonly rank: number;
  readonly alpha: number;
  readonly dropout: number;
  readonly rsLora: boolean;
  readonly seed: number;
}

/** A pair to create: its weight, rank and alpha. */
export interface PairSpec {
  readonly site: LoraSite;
  readonly rank: number;
  readonly alpha: number;
}

/** Which reads of a weight a trained copy replaces: all, or in a tied embedding only the lookup or only the head. */
export type ModuleUse = 'all' | 'lookup' | 'head';

/** A base weight and the copy that the adapter trains in its place. */
export interface TrainedModule {
  readonly layer: tfl.layers.Layer;
  readonly base: tfl.LayerVariable;
  readonly copy: tfl.LayerVariable;
  readonly use: ModuleUse;
}

/** The factors A [in, r] and B [r, out] of one weight W [in, out], which becomes W + scale A B. */
export class LoraPair {
  readonly a: tfl.LayerVariable;
  readonly b: tfl.LayerVariable;
  /** alpha / rank, or alpha / sqrt(rank) with rsLoRA (Kalajdzievski, arXiv 2312.03732). */
  readonly scale: number;

  /** @param index position among the adapter's pairs; initial values and dropout masks depend on it. */
  constructor(
    readonly site: LoraSite,
    readonly rank: number,
    readonly alpha: number,
    private readonly config: LoraConfig,
    private readonly index: number,
    name: string,
  ) {
    const bound = 1 / Math.sqrt(site.inputSize); // Kaiming-uniform with a = sqrt(5), as in peft
    const random = createRandom(mixSeeds(config.seed, index));
    const values = Float32Array.from({ length: site.inputSize * rank }, () => bound * (2 * random.next() - 1));
    this.a = makeVariable(() => tf.tensor2d(values, [site.inputSize, rank]), `${site.path}/lora_A/${name}`);
    this.b = makeVariable(() => tf.zeros([rank, site.outputSize]), `${site.path}/lora_B/${name}`);
    this.scale = config.rsLora ? alpha / Math.sqrt(rank) : alpha / rank;
  }

  /**
   * The pair's term: scale * dropout(x) A B.
   *
   * @param x [..., in].
   * @param step number of the training call, which selects the mask; null for no dropout.
   * @returns [..., out].
   */
  delta(x: tf.Tensor, step: number | null): tf.Tensor {
    return tf.tidy(() => {
      const input = step === null ? x : dropout(x, this.config.dropout, mixSeeds(this.config.seed, this.index, step));
      const inner = tf.mul(linear(input, this.a.read() as tf.Tensor2D), this.scale); // [..., r]; scaled here, where the tensor is small
      return linear(inner, this.b.read() as tf.Tensor2D);
    });
  }

  /** W + scale A B, in the layout of the weight. */
  adapted(weight: tf.Tensor): tf.Tensor {
    return tf.tidy(() => {
      const product = tf.mul(tf.matMul(this.a.read() as tf.Tensor2D, this.b.read() as tf.Tensor2D), this.scale); // [in, out]
      return tf.add(weight, this.site.transposed ? tf.transpose(product) : product);
    });
  }
}

/** What an adapter needs from its model. */
export interface AdapterHost {
  isActive(adapter: LoraAdapter): boolean;
  isMerged(adapter: LoraAdapter): boolean;
  merge(adapter: LoraAdapter): void;
  unmerge(adapter: LoraAdapter): void;
  remove(adapter: LoraAdapter): void;
}

/** A low-rank adapter of a model (Hu et al., arXiv 2106.09685), made by `addLora` or `loadAdapter`. */
export class LoraAdapter {
  readonly pairs: readonly LoraPair[];
  /** Copies of the weights of `trainModules`. */
  readonly modules: readonly TrainedModule[];
  private removed = false;

  /** @param trainable whether `fit` trains it while it is active. */
  constructor(
    /** The model that it belongs to. */
    readonly host: AdapterHost,
    readonly name: string,
    readonly config: LoraConfig,
    specs: readonly PairSpec[],
    modules: readonly Omit<TrainedModule, 'copy'>[],
    readonly trainable: boolean,
  ) {
    this.pairs = specs.map(({ site, rank, alpha }, index) => new LoraPair(site, rank, alpha, config, index, name));
    this.modules = modules.map(({ layer, base, use }) => {
      const copy = makeVariable(() => tf.clone(baseValue(base)), `${base.originalName}/${use}/${name}`);
      return { layer, base, use, copy };
    });
  }

  /** What it trains and saves: A and B of each pair, then the copies of `trainModules`. */
  get parameters(): tfl.LayerVariable[] {
    return [...this.pairs.flatMap(({ a, b }) => [a, b]), ...this.modules.map(({ copy }) => copy)];
  }

  /** Number of trained values. */
  get numParameters(): number {
    return this.parameters.reduce((sum, { shape }) => sum + tf.util.sizeFromShape(shape as number[]), 0);
  }

  /** Whether the model uses it; see `setActiveAdapter`. */
  get active(): boolean {
    return this.host.isActive(this);
  }

  /** Whether `remove` was called. */
  get isRemoved(): boolean {
    return this.removed;
  }

  /** Whether its weights are merged into the base. */
  get merged(): boolean {
    return this.host.isMerged(this);
  }

  /**
   * Writes W + scale A B and the copies of `trainModules` into the base, so that the model runs and is saved without
   * adapter. The base's values are kept for `unmerge`.
   *
   * @throws IlrecError when it is not active, was removed, another adapter is merged, or it adapts a tied head, which
   * shares the embedding's weight.
   */
  merge(): void {
    this.check('merge');
    this.host.merge(this);
  }

  /**
   * Restores the base's values, byte for byte. Does nothing when the adapter is not merged.
   *
   * @throws IlrecError when it was removed.
   */
  unmerge(): void {
    this.check('unmerge');
    this.host.unmerge(this);
  }

  /**
   * Removes the adapter from the model and frees it. Without adapters the model is exactly the original. A second call
   * does nothing.
   */
  remove(): void {
    if (this.removed) return;
    this.host.remove(this);
    this.removed = true;
    for (const parameter of this.parameters) parameter.dispose();
  }

  private check(method: string): void {
    if (this.removed)
      throw new IlrecError(
        `LoraAdapter.${method}: adapter "${this.name}" must belong to a model, got a removed one; add or load it again`,
      );
  }
}

function makeVariable(value: () => tf.Tensor, name: string): tfl.LayerVariable {
  const initial = tf.tidy(value);
  const variable = new tfl.LayerVariable(initial, 'float32', name);
  initial.dispose();
  return variable;
}
