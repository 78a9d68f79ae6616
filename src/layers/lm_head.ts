import type * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { initializerSeed } from '../ops/dropout';
import { type CallArgs, type LayerArgs, onlyInput, type Shape } from './layer_types';
import { type ProjectionDelta, projectOntoVocabulary, type VocabularyHead } from './projection';

/** Arguments of `LMHead`. */
export interface LMHeadArgs extends LayerArgs {
  /** V, number of token ids. */
  vocabSize: number;
  /** Standard deviation of the initial weights, 0 for zeros. Default 0.02. */
  initializerRange?: number;
  /** Seed of the initial weights. Default 0. */
  seed?: number;
}

/**
 * Projects hidden states [B, T, D] to logits [B, T, V] with an untied weight [V, D] and no bias.
 *
 * @param args see `LMHeadArgs`.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { LMHead } from 'tfjs-ilrec';
 *
 * const head = new LMHead({ vocabSize: 7 });
 * console.log((head.apply(tf.zeros([2, 3, 8])) as tf.Tensor).shape); // [ 2, 3, 7 ]
 * ```
 */
export class LMHead extends tfl.layers.Layer implements VocabularyHead {
  static readonly className = 'ILRecLMHead';
  readonly projections: readonly string[] = ['weight'];
  projectionDelta: ProjectionDelta | null = null;
  readonly vocabSize: number;
  private readonly initializerRange: number;
  private readonly seed: number;
  private kernel!: tfl.LayerVariable;

  constructor(args: LMHeadArgs) {
    super(args);
    this.vocabSize = args.vocabSize;
    this.initializerRange = args.initializerRange ?? 0.02;
    this.seed = args.seed ?? 0;
    this.supportsMasking = true;
  }

  override build(inputShape: Shape): void {
    const { initializerRange, seed } = this;
    const initializer =
      initializerRange === 0
        ? tfl.initializers.zeros()
        : tfl.initializers.randomNormal({ mean: 0, stddev: initializerRange, seed: initializerSeed(seed) });
    this.kernel = this.addWeight('weight', [this.vocabSize, inputShape[inputShape.length - 1]], 'float32', initializer);
    this.built = true;
  }

  /** [V, D]; owned by the layer. */
  get weight(): tf.Tensor2D {
    return this.kernel.read() as tf.Tensor2D;
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [...inputShape.slice(0, -1), this.vocabSize];
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: CallArgs): tf.Tensor {
    return projectOntoVocabulary(this, onlyInput(inputs, 'ILRecLMHead'), { training: kwargs.training === true });
  }

  override getConfig(): tf.serialization.ConfigDict {
    return {
      ...super.getConfig(),
      vocabSize: this.vocabSize,
      initializerRange: this.initializerRange,
      seed: this.seed,
    };
  }
}
