import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { causalMask } from '../ops/attention';
import { initializerSeed } from '../ops/dropout';
import { relativePositionBucket } from '../ops/relative_position_bucket';
import type { CallArgs, LayerArgs, Shape } from './layer_types';

/** Arguments of `T5PositionBias`. */
export interface T5PositionBiasArgs extends LayerArgs {
  /** H, attention heads. */
  numAttentionHeads: number;
  /** Whether a query sees keys after it: true in an encoder, false in a decoder. */
  bidirectional: boolean;
  /** Rows of the table, even, at least 4. Default 32. */
  numBuckets?: number;
  /** Distance from which all keys share a bucket, above half of `numBuckets`. Default 128. */
  maxDistance?: number;
  /** Standard deviation of the initial weights, 0 for zeros. Default 0.02. */
  initializerRange?: number;
  /** Seed of the initial weights. Default 0. */
  seed?: number;
}

/**
 * Computes what T5 adds to the attention scores of all its blocks: a learned number for each head and bucket of
 * distances, and the mask.
 *
 * Bidirectional: token ids [B, T] and their padding mask [B, 1, 1, T] to [B, H, T, T]. Otherwise: token ids [B, T] to
 * [1, H, T, T], with later keys masked.
 */
export class T5PositionBias extends tfl.layers.Layer {
  static readonly className = 'ILRecT5PositionBias';
  private readonly args: Required<Omit<T5PositionBiasArgs, keyof LayerArgs>>;
  private table!: tfl.LayerVariable;

  constructor(args: T5PositionBiasArgs) {
    super(args);
    const { numAttentionHeads, bidirectional } = args;
    const { numBuckets = 32, maxDistance = 128, initializerRange = 0.02, seed = 0 } = args;
    this.args = { numAttentionHeads, bidirectional, numBuckets, maxDistance, initializerRange, seed };
  }

  override build(): void {
    const { numAttentionHeads, numBuckets, initializerRange, seed } = this.args;
    const normal = { mean: 0, stddev: initializerRange, seed: initializerSeed(seed) };
    const initializer = initializerRange === 0 ? tfl.initializers.zeros() : tfl.initializers.randomNormal(normal);
    this.table = this.addWeight('weight', [numBuckets, numAttentionHeads], 'float32', initializer);
    this.built = true;
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const { numAttentionHeads, bidirectional } = this.args;
    const [batch, length] = (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as Shape;
    return [bidirectional ? batch : 1, numAttentionHeads, length, length];
  }

  override call(inputs: tf.Tensor | tf.Tensor[], _kwargs: CallArgs): tf.Tensor {
    return tf.tidy(() => {
      const [ids, padding] = [inputs].flat(); // [B, T], [B, 1, 1, T]
      const length = ids.shape[1] as number;
      const positions = Array.from({ length }, (_, position) => position);
      return tf.add(this.biasOf(positions, length), this.args.bidirectional ? padding : causalMask(length));
    });
  }

  /** The row of the newest of `length` tokens, [1, H, 1, length], for generation. */
  lastRow(length: number): tf.Tensor4D {
    return tf.tidy(() => this.biasOf([length - 1], length));
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...this.args };
  }

  /** Of queries at these positions and keys 0 to S - 1, [1, H, T, S]. */
  private biasOf(queries: readonly number[], numKeys: number): tf.Tensor4D {
    const { numAttentionHeads, numBuckets, maxDistance, bidirectional } = this.args;
    const buckets = new Int32Array(queries.length * numKeys);
    queries.forEach((query, row) => {
      for (let key = 0; key < numKeys; key++)
        buckets[row * numKeys + key] = relativePositionBucket(key - query, { bidirectional, numBuckets, maxDistance });
    });
    const values = tf.gather(this.table.read(), tf.tensor1d(buckets, 'int32')); // [T * S, H]
    return tf.reshape(tf.transpose(values), [1, numAttentionHeads, queries.length, numKeys]);
  }
}
