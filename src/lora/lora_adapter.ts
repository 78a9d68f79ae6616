import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { dropout, mixSeeds } from '../ops/dropout';
import { linear } from '../ops/linear';
import { createRandom } from '../random';
import { baseValue, type LoraSite } from './lora_sites';

/** What `addLora` was told, with its defaults; a pair may have a rank and an alpha of its own. */
export interface LoraConfig {
  readonly rank: number;
  readonly alpha: number;
  readonly dropout: number;
  readonly rsLora: boolean;
  readonly seed: number;
}

/** A pair to make: where, and with which sizes. */
export interface PairSpec {
  readonly site: LoraSite;
  readonly rank: number;
  readonly alpha: number;
}

/** What part of a layer a trained copy stands in for: all reads, or of a tied embedding the lookup or the head alone. */
export type ModuleUse = 'all' | 'lookup' | 'head';

/** A copy of one of the base's weights that the adapter trains instead of it. */
export interface TrainedModule {
  readonly layer: tfl.layers.Layer;
  readonly base: tfl.LayerVariable;
  readonly copy: tfl.LayerVariable;
  readonly use: ModuleUse;
}

/** The two factors on one weight: A [in, r] and B [r, out]; the weight [in, out] becomes W + scale A B. */
export class LoraPair {
  readonly a: tfl.LayerVariable;
  readonly b: tfl.LayerVariable;
  /** alpha / rank, or alpha / sqrt(rank) with rsLoRA (Kalajdzievski, arXiv 2312.03732). */
  readonly scale: number;

  /** @param index place among the adapter's pairs, which the initial values and the dropout masks depend on. */
  constructor(
    readonly site: LoraSite,
    readonly rank: number,
    readonly alpha: number,
    private readonly config: LoraConfig,
    private readonly index: number,
    name: string,
  ) {
    const bound = 1 / Math.sqrt(site.inputSize); // Kaiming-uniform with a = sqrt(5), as peft draws A
    const random = createRandom(mixSeeds(config.seed, index));
    const values = Float32Array.from({ length: site.inputSize * rank }, () => bound * (2 * random.next() - 1));
    this.a = makeVariable(() => tf.tensor2d(values, [site.inputSize, rank]), `${site.path}/lora_A/${name}`);
    this.b = makeVariable(() => tf.zeros([rank, site.outputSize]), `${site.path}/lora_B/${name}`);
    this.scale = config.rsLora ? alpha / Math.sqrt(rank) : alpha / rank;
  }

  /**
   * scale * dropout(x) A B.
   *
   * @param x [..., in].
   * @param step number of the training call, for the mask; null drops nothing.
   * @returns [..., out].
   */
  delta(x: tf.Tensor, step: number | null): tf.Tensor {
    return tf.tidy(() => {
      const input = step === null ? x : dropout(x, this.config.dropout, mixSeeds(this.config.seed, this.index, step));
      const inner = tf.mul(linear(input, this.a.read() as tf.Tensor2D), this.scale); // [..., r], scaled where it is small
      return linear(inner, this.b.read() as tf.Tensor2D);
    });
  }

  /** W + scale A B, in the weight's own layout. */
  adapted(weight: tf.Tensor): tf.Tensor {
    return tf.tidy(() => {
      const product = tf.mul(tf.matMul(this.a.read() as tf.Tensor2D, this.b.read() as tf.Tensor2D), this.scale); // [in, out]
      return tf.add(weight, this.site.transposed ? tf.transpose(product) : product);
    });
  }
}

/** What an adapter needs of the model that it is on. */
export interface AdapterHost {
  isActive(adapter: LoraAdapter): boolean;
  isMerged(adapter: LoraAdapter): boolean;
  merge(adapter: LoraAdapter): void;
  unmerge(adapter: LoraAdapter): void;
  remove(adapter: LoraAdapter): void;
}

/** A low-rank adapter on a model (Hu et al., arXiv 2106.09685); made by `addLora` or `loadAdapter`. */
export class LoraAdapter {
  readonly pairs: readonly LoraPair[];
  /** Copies of the weights of `trainModules`. */
  readonly modules: readonly TrainedModule[];
  private removed = false;

  /** @param trainable whether `fit` trains it while it is active. */
  constructor(
    /** What it is on. */
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

  /** All that it trains and saves: A and B of each pair, then the copies of `trainModules`. */
  get parameters(): tfl.LayerVariable[] {
    return [...this.pairs.flatMap(({ a, b }) => [a, b]), ...this.modules.map(({ copy }) => copy)];
  }

  get numParameters(): number {
    return this.parameters.reduce((sum, { shape }) => sum + tf.util.sizeFromShape(shape as number[]), 0);
  }

  /** Whether the model computes with it; see `setActiveAdapter`. */
  get active(): boolean {
    return this.host.isActive(this);
  }

  get isRemoved(): boolean {
    return this.removed;
  }

  get merged(): boolean {
    return this.host.isMerged(this);
  }

  /**
   * Writes W + scale A B into the base, and the copies of `trainModules`: the model then computes, and is saved, as a plain one. The base's own values are kept aside for `unmerge`.
   *
   * @throws IlrecError when it is not active, or adds to a tied head, whose weight is the embedding's too.
   */
  merge(): void {
    this.check('merge');
    this.host.merge(this);
  }

  /** Puts the base's values back, byte for byte. Does nothing when it is not merged. */
  unmerge(): void {
    this.check('unmerge');
    this.host.unmerge(this);
  }

  /** Takes the adapter off the model and frees it; with the last one the model is as it was before. Does nothing the second time. */
  remove(): void {
    if (this.removed) return;
    this.host.remove(this);
    this.removed = true;
    for (const parameter of this.parameters) parameter.dispose();
  }

  private check(method: string): void {
    if (this.removed)
      throw new IlrecError(
        `LoraAdapter.${method}: adapter "${this.name}" must be on a model, got a removed one; add or load it again`,
      );
  }
}

function makeVariable(value: () => tf.Tensor, name: string): tfl.LayerVariable {
  const initial = tf.tidy(value);
  const variable = new tfl.LayerVariable(initial, 'float32', name);
  initial.dispose();
  return variable;
}
