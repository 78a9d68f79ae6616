import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import type { Batch } from './batches';

/**
 * What a training method gives to `compile` and `fitDataset`. `ilrec()`, `sft()` and `tappedMethod()` give all of it; a
 * plain loss is enough.
 */
export interface TrainingMethod {
  /** A mean over the batch's response positions. */
  loss: (labels: tf.Tensor, predictions: tf.Tensor) => tf.Tensor;
  metrics?: ((labels: tf.Tensor, predictions: tf.Tensor) => tf.Tensor)[];
  callback?: FitCallback;
  /** Training steps done; set before training starts. */
  step?: number;
  /** What the method must remember over a restart beside its steps, as plain data. Default nothing. */
  readonly state?: { read(): Promise<unknown>; write(state: unknown): void };
  /** Response positions of the last batch: the weight of the batch when gradients are accumulated. */
  readonly numResponsePositions?: number;
  /** Called before the first batch of an epoch, also of one that a resumed run is in the middle of. */
  beginEpoch?(epoch: number): void | Promise<void>;
  /**
   * Makes the batch that a step trains on, for methods that learn from what the model writes at that moment. Called once
   * before each step, after the weights of the step before have changed. Default: the batch as it is.
   */
  prepareBatch?(batch: Batch, model: tfl.LayersModel): Promise<Batch>;
  /** Called when training throws. */
  detach?(): void;
  diagnostics?(): Promise<{ readonly klPerLayer: readonly number[]; readonly negatives?: object | null } | null>;
}

/** A callback as `fitDataset` takes it: an object of functions or an instance of tfjs's class. */
export type FitCallback = tfl.CustomCallbackArgs | tfl.Callback;

/** One optimizer step: what the log holds and the progress bar shows. */
export interface StepRecord {
  /** Steps done in the whole run, including this one. */
  step: number;
  /** Epoch of the step, from 0. */
  epoch: number;
  loss: number;
  /** NaN for an optimizer that does not tell. */
  learningRate: number;
  /** Input tokens of this step, without padding, per second. */
  tokensPerSecond: number;
  /** Input tokens of this step, without padding. */
  numTokens: number;
  /** Those of them whose next token is a label: the response positions. */
  numResponseTokens: number;
  /** Seconds of this step: forward pass, gradients and update, and before them `prepareBatch`. */
  seconds: number;
  /** The method's metrics by name. */
  metrics: Readonly<Record<string, number>>;
  /** ILRec: KL of the final layer to each intermediate layer, shallow to deep; null for other methods. */
  klPerLayer: readonly number[] | null;
  /** What a look at the negatives found; null in most steps. Default null. */
  negatives?: object | null;
}

/** The state of a run. Callbacks read it and may stop the run. */
export interface TrainingState {
  readonly model: tfl.LayersModel;
  readonly optimizer: tf.Optimizer;
  /** Epochs of the whole run. */
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  /** Steps done in the whole run. */
  step: number;
  /** The epoch in progress, from 0. */
  epoch: number;
  /** Set by `stop`. */
  stopped: boolean;
  /** Ends the run after the current step or epoch. */
  stop(): void;
}

/** Watches a run of `trainModel`. Callbacks are awaited one after the other, in the order given. */
export interface TrainingCallback {
  /**
   * Whether the run is over already, as a resumed early stopping may find. Then nothing is trained between
   * `onTrainBegin` and `onTrainEnd`.
   */
  readonly finished?: boolean;
  onTrainBegin?(state: TrainingState): void | Promise<void>;
  onStep?(record: StepRecord, state: TrainingState): void | Promise<void>;
  /** Called after whole epochs only, not when a stop cuts one short. */
  onEpochEnd?(state: TrainingState): void | Promise<void>;
  /** Not called when training throws. */
  onTrainEnd?(state: TrainingState): void | Promise<void>;
}
