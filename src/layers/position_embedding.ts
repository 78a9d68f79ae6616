import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { mixSeeds } from '../ops/dropout';
import { type CallArgs, type LayerArgs, onlyInput, type Shape } from './layer_types';

/** Arguments of `PositionEmbedding`. */
export interface PositionEmbeddingArgs extends LayerArgs {
  /** Rows of the table, the length of the longest sequence. */
  maxPositionEmbeddings: number;
  /** Standard deviation of the initial weights. Default 0.02. */
  initializerRange?: number;
  /** Seed of the initial weights. Default 0. */
  seed?: number;
}

/**
 * Adds a learned vector per position to embedded tokens: [B, T, D] to [B, T, D] (GPT-2's `wpe`).
 *
 * @param args see `PositionEmbeddingArgs`.
 * @throws IlrecError when a sequence is longer than `maxPositionEmbeddings`.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { PositionEmbedding } from 'tfjs-ilrec';
 *
 * const layer = new PositionEmbedding({ maxPositionEmbeddings: 16 });
 * console.log((layer.apply(tf.zeros([2, 3, 8])) as tf.Tensor).shape); // [ 2, 3, 8 ]
 * ```
 */
export class PositionEmbedding extends tfl.layers.Layer {
  static readonly className = 'ILRecPositionEmbedding';
  private readonly maxPositionEmbeddings: number;
  private readonly initializerRange: number;
  private readonly seed: number;
  private table!: tfl.LayerVariable;

  constructor(args: PositionEmbeddingArgs) {
    super(args);
    this.maxPositionEmbeddings = args.maxPositionEmbeddings;
    this.initializerRange = args.initializerRange ?? 0.02;
    this.seed = args.seed ?? 0;
    this.supportsMasking = true;
  }

  override build(inputShape: Shape): void {
    const { initializerRange, seed } = this;
    const initializer =
      initializerRange === 0
        ? tfl.initializers.zeros()
        : tfl.initializers.randomNormal({ mean: 0, stddev: initializerRange, seed: mixSeeds(seed, 0) });
    this.table = this.addWeight(
      'weight',
      [this.maxPositionEmbeddings, inputShape[inputShape.length - 1]],
      'float32',
      initializer,
    );
    this.built = true;
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], _kwargs: CallArgs): tf.Tensor {
    return tf.tidy(() => {
      const x = onlyInput(inputs, 'ILRecPositionEmbedding'); // [B, T, D]
      const [, length, size] = x.shape;
      this.checkLength(length as number);
      return tf.add(x, tf.slice(this.table.read() as tf.Tensor2D, [0, 0], [length, size]));
    });
  }

  /** Like `call`, for one token per row at the given positions: x [B, 1, D], positions [B]. */
  addAt(x: tf.Tensor, positions: Int32Array): tf.Tensor {
    this.checkLength(1 + positions.reduce((a, b) => Math.max(a, b), 0));
    return tf.tidy(() => tf.add(x, tf.reshape(tf.gather(this.table.read(), tf.tensor1d(positions, 'int32')), x.shape)));
  }

  override getConfig(): tf.serialization.ConfigDict {
    const { maxPositionEmbeddings, initializerRange, seed } = this;
    return { ...super.getConfig(), maxPositionEmbeddings, initializerRange, seed };
  }

  private checkLength(length: number): void {
    if (length > this.maxPositionEmbeddings) {
      throw new IlrecError(
        'ILRecPositionEmbedding: a sequence must have at most maxPositionEmbeddings = ' +
          `${this.maxPositionEmbeddings} tokens, got ${length}; shorten the prompts`,
      );
    }
  }
}
