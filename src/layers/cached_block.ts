import type * as tf from '@tensorflow/tfjs-core';

/** Queries, keys and values of a block, heads first, with everything done to them that depends on their position. */
export interface QueryKeyValue {
  /** [B, H, T, F] */
  readonly query: tf.Tensor4D;
  /** [B, K, T, F] */
  readonly key: tf.Tensor4D;
  /** [B, K, T, F] */
  readonly value: tf.Tensor4D;
}

/** Rotary cosines and sines; they broadcast against [B, heads, T, F]. */
export interface PositionTables {
  readonly cos: tf.Tensor;
  readonly sin: tf.Tensor;
}

/** A decoder block whose keys and values a decoder can keep between steps; its attention runs outside of it. */
export interface CachedBlock {
  /** Positions that a query sees, itself included; null for all. */
  readonly slidingWindow: number | null;
  /**
   * What `queryKeyValue` needs to know of positions, the same for every block of a model; null where the embedding holds them.
   *
   * @param positions row by row.
   * @param shape of the positions; the tables are [...shape, F].
   */
  positionTables(positions: ArrayLike<number>, shape: readonly number[]): PositionTables | null;
  /** @param x the block's input, [B, T, D]. */
  queryKeyValue(x: tf.Tensor, tables: PositionTables | null): QueryKeyValue;
  /** The block's output [B, T, D] from its input and the attention's context [B, H, T, F]; no dropout. */
  finish(x: tf.Tensor, context: tf.Tensor4D): tf.Tensor;
}

/** Whether a layer offers its keys and values. */
export function isCachedBlock<T extends object>(layer: T): layer is T & CachedBlock {
  return 'queryKeyValue' in layer && 'positionTables' in layer && 'finish' in layer;
}
