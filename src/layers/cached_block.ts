import type * as tf from '@tensorflow/tfjs-core';

/** Queries, keys and values of a block, heads first, after rotary embedding. */
export interface QueryKeyValue {
  /** [B, H, T, F] */
  readonly query: tf.Tensor4D;
  /** [B, K, T, F] */
  readonly key: tf.Tensor4D;
  /** [B, K, T, F] */
  readonly value: tf.Tensor4D;
}

/** Rotary cosines and sines, broadcast against [B, heads, T, F]. */
export interface PositionTables {
  readonly cos: tf.Tensor;
  readonly sin: tf.Tensor;
}

/**
 * A decoder block for generation with a key-value cache: the decoder stores keys and values and computes the attention.
 */
export interface CachedBlock {
  /** Number of positions that a query sees, itself included; null for all. */
  readonly slidingWindow: number | null;
  /**
   * Tables of the positions for `queryKeyValue`, the same for every block of a model; null when the embedding adds the
   * positions.
   *
   * @param positions flat, row by row.
   * @param shape shape of the positions; the tables are [...shape, F].
   */
  positionTables(positions: ArrayLike<number>, shape: readonly number[]): PositionTables | null;
  /** Queries, keys and values of the block's input x [B, T, D]. */
  queryKeyValue(x: tf.Tensor, tables: PositionTables | null): QueryKeyValue;
  /** The block's output [B, T, D], from its input x and the attention's context [B, H, T, F]; without dropout. */
  finish(x: tf.Tensor, context: tf.Tensor4D): tf.Tensor;
}

/** Whether a layer is a `CachedBlock`. */
export function isCachedBlock<T extends object>(layer: T): layer is T & CachedBlock {
  return 'queryKeyValue' in layer && 'positionTables' in layer && 'finish' in layer;
}
