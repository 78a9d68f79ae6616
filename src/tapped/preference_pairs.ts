import type * as tf from '@tensorflow/tfjs-core';
import { UnnamedError } from '../errors';
import type { TappedBatch } from './tapped_batch';

/** Pairs of chosen and rejected responses, and what a frozen reference finds of them. */
export interface PreferencePairs {
  /** G, responses of a group: a chosen one and the rejected ones. */
  readonly groupSize: number;
  /** Whether they hold an oracle's scores. */
  readonly hasOracle: boolean;
  /** The groups of a batch. Errors lack the name of the method. */
  groupsOf(batch: TappedBatch): ResponseGroups;
}

/** Q groups of G responses, the chosen one first. */
export interface ResponseGroups {
  /** log pi of each response, [Q, G], up to a number for each group. Gradient flows to the model. */
  readonly policy: tf.Tensor2D;
  /** log ref of the same responses, [Q, G]. */
  readonly reference: tf.Tensor2D;
  /** The oracle's log-scores, [Q * G] row by row; null without one. */
  readonly oracle: Float32Array | null;
}

/** A batch as far as pairs read it; `createBatches`, `promptBatches` and `groupBatches` make them. */
export interface PairBatch {
  /** Token ids, [B * T]. */
  readonly inputIds: Int32Array;
  /** The token after each response position, a negative number elsewhere, [B * T]. */
  readonly labels: Int32Array;
  readonly batchSize: number;
  readonly sequenceLength: number;
}

/** Flat indices of the response positions of a batch. */
export function positionsOf({ labels }: PairBatch): Int32Array {
  return Int32Array.from(labels.keys()).filter((position) => labels[position] >= 0);
}

/** @throws UnnamedError when something is not a positive integer. */
export function checkCount(name: string, value: number, least: number): void {
  if (!(Number.isInteger(value) && value >= least))
    throw new UnnamedError(`${name} must be a whole number of at least ${least}, got ${value}`);
}
