import type * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '../register'; // in a bundle nothing else does
import { IlrecError } from '../errors';
import { setDropoutStep } from '../layers/dropout_state';
import { batchDataset } from './batch_dataset';
import type { Batches } from './batches';

/** What a training method gives to `compile` and `fitDataset`; `ilrec()` gives all of it, a plain loss is enough. */
export interface TrainingMethod {
  loss: (labels: tf.Tensor, predictions: tf.Tensor) => tf.Tensor;
  metrics?: ((labels: tf.Tensor, predictions: tf.Tensor) => tf.Tensor)[];
  callback?: FitCallback;
  /** Training steps done; set before training starts. */
  step?: number;
  /** Response positions of the last batch, which a loss that is their mean counts for when batches are accumulated. */
  readonly numResponsePositions?: number;
  detach?(): void;
  diagnostics?(): Promise<{ readonly klPerLayer: readonly number[] } | null>;
}

/** A callback as `fitDataset` takes it: an object of functions or an instance of tfjs's class. */
export type FitCallback = tfl.CustomCallbackArgs | tfl.Callback;

/** One optimizer step: what the log holds and the progress shows. */
export interface StepRecord {
  /** Steps done in the whole run, this one included. */
  step: number;
  /** Epoch of the step, from 0. */
  epoch: number;
  loss: number;
  learningRate: number;
  /** Input tokens of this step (without padding) over its seconds. */
  tokensPerSecond: number;
  /** The method's metrics by name. */
  metrics: Readonly<Record<string, number>>;
  /** ILRec: KL of the final layer to each intermediate layer, shallow to deep; null where the method has none. */
  klPerLayer: readonly number[] | null;
}

/** Where the run stands; the callbacks read it and may stop the run. */
export interface TrainingState {
  readonly model: tfl.LayersModel;
  readonly optimizer: tf.Optimizer;
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

/** What watches a run. Callbacks are awaited one after the other, in the order given. */
export interface TrainingCallback {
  /** Whether the run is at its end, as a resumed early stopping may find: then nothing is trained between begin and end. */
  readonly finished?: boolean;
  onTrainBegin?(state: TrainingState): void | Promise<void>;
  onStep?(record: StepRecord, state: TrainingState): void | Promise<void>;
  /** Only after whole epochs: not where a stop cuts one short. */
  onEpochEnd?(state: TrainingState): void | Promise<void>;
  /** Not where training throws. */
  onTrainEnd?(state: TrainingState): void | Promise<void>;
}

export interface TrainModelOptions {
  model: tfl.LayersModel;
  method: TrainingMethod;
  optimizer: tf.Optimizer;
  batches: Batches;
  /** Epochs of the whole run, those before a resume included. */
  epochs: number;
  /** Steps that an earlier run did; weights and optimizer state are the caller's to restore. Default 0. */
  startStep?: number;
  callbacks?: readonly TrainingCallback[];
}

/** Timers and signals get their turn at least this often. */
const YIELD_EVERY_MS = 100;

/**
 * Compiles the model and trains it with `fitDataset`; the same options give the same losses, from `startStep` on as from the beginning.
 * Where all steps are done, or a callback has finished, the callbacks see a begin and an end alone.
 *
 * @returns where the run ended.
 * @throws IlrecError when the loss is not finite.
 */
export async function trainModel(options: TrainModelOptions): Promise<TrainingState> {
  const { model, method, optimizer, batches, epochs, startStep = 0, callbacks = [] } = options;
  if (!Number.isInteger(epochs) || epochs < 1)
    throw new IlrecError(`trainModel: epochs must be a positive integer, got ${epochs}`);
  const { stepsPerEpoch } = batches;
  const state: TrainingState = {
    model,
    optimizer,
    epochs,
    stepsPerEpoch,
    totalSteps: epochs * stepsPerEpoch,
    step: startStep,
    epoch: Math.min(Math.floor(startStep / stepsPerEpoch), epochs - 1),
    stopped: false,
    stop: () => {
      state.stopped = true;
      model.stopTraining = true;
    },
  };
  model.compile({
    optimizer,
    loss: method.loss as LossFunction,
    metrics: method.metrics as LossFunction[] | undefined,
  });
  setDropoutStep(model, startStep);
  if (method.step !== undefined) method.step = startStep;
  const finished = callbacks.some((callback) => callback.finished === true);
  if (finished || state.step >= state.totalSteps) {
    if (finished) state.stop();
    for (const callback of callbacks) await callback.onTrainBegin?.(state);
    for (const callback of callbacks) await callback.onTrainEnd?.(state);
    return state;
  }

  const shown = { numTokens: 0 };
  const dataset = batchDataset(batches, { startStep, onBatch: ({ numTokens }) => (shown.numTokens = numTokens) });
  const fitCallbacks = [
    ...(method.callback === undefined ? [] : [method.callback]),
    watch({ state, method, shown, callbacks }),
  ].map(asCallback);
  try {
    await model.fitDataset(dataset, { epochs, initialEpoch: state.epoch, callbacks: fitCallbacks, verbose: 0 });
  } catch (error) {
    method.detach?.();
    throw error;
  }
  return state;
}

type LossFunction = (labels: tf.Tensor, predictions: tf.Tensor) => tf.Tensor;

interface Watched {
  state: TrainingState;
  method: TrainingMethod;
  /** The batch in progress. */
  shown: { readonly numTokens: number };
  callbacks: readonly TrainingCallback[];
}

/** Turns tfjs's events into ours. */
function watch({ state, method, shown, callbacks }: Watched): tfl.CustomCallbackArgs {
  const { optimizer, stepsPerEpoch } = state;
  let began = 0;
  let yielded = performance.now();
  let learningRate = NaN;
  return {
    onTrainBegin: async () => {
      for (const callback of callbacks) await callback.onTrainBegin?.(state);
    },
    onEpochBegin: (epoch) => {
      state.epoch = epoch;
    },
    onBatchBegin: () => {
      began = performance.now();
      learningRate = (optimizer as { learningRate?: number }).learningRate ?? NaN; // of the step about to be done
    },
    onBatchEnd: async (_, logs = {}) => {
      state.step++;
      const { batch: __, size: ___, loss, ...metrics } = logs as Record<string, number>;
      if (!Number.isFinite(loss)) {
        throw new IlrecError(
          `trainModel: the loss must be finite, got ${loss} at step ${state.step}; lower the learning rate or set clipNorm`,
        );
      }
      const tokensPerSecond = (1000 * shown.numTokens) / (performance.now() - began);
      const klPerLayer = (await method.diagnostics?.())?.klPerLayer ?? null;
      const record: StepRecord = {
        step: state.step,
        epoch: state.epoch,
        loss,
        learningRate,
        tokensPerSecond,
        metrics,
        klPerLayer,
      };
      for (const callback of callbacks) await callback.onStep?.(record, state);
      if (performance.now() - yielded > YIELD_EVERY_MS) {
        await new Promise((resolve) => setTimeout(resolve, 0));
        yielded = performance.now();
      }
    },
    onEpochEnd: async () => {
      if (state.step % stepsPerEpoch !== 0) return;
      for (const callback of callbacks) await callback.onEpochEnd?.(state);
    },
    onTrainEnd: async () => {
      for (const callback of callbacks) await callback.onTrainEnd?.(state);
    },
  };
}

/** `fitDataset` wants instances of its class once one callback is; 'never' because `watch` yields by itself. */
function asCallback(callback: FitCallback): tfl.Callback {
  return 'setParams' in callback ? callback : (new tfl.CustomCallback(callback, 'never') as unknown as tfl.Callback);
}
