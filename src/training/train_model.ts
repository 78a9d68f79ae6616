import type * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '../register'; // in a bundle nothing else does
import { IlrecError } from '../errors';
import { setDropoutStep } from '../layers/dropout_state';
import { batchDataset } from './batch_dataset';
import type { Batches } from './batches';
import type { FitCallback, StepRecord, TrainingCallback, TrainingMethod, TrainingState } from './training_callback';

export type { StepRecord, TrainingCallback, TrainingMethod, TrainingState } from './training_callback';

export interface TrainModelOptions {
  /** From token ids [B, T] to logits [B, T, V]. */
  model: tfl.LayersModel;
  /** For example `ilrec()` or `sft()`. */
  method: TrainingMethod;
  optimizer: tf.Optimizer;
  batches: Batches;
  /** Epochs of the whole run, including those before a resume. A positive integer. */
  epochs: number;
  /**
   * Steps that an earlier run did. Restore weights and optimizer state first, for example with `resumeFrom`. Default 0.
   */
  startStep?: number;
  /** Awaited in order. Default none. */
  callbacks?: readonly TrainingCallback[];
}

/** Timers and signals get a turn at least this often. */
const YIELD_EVERY_MS = 100;

/**
 * Compiles a model and trains it with `fitDataset`, reporting every step. The same options give the same losses, also
 * when a run is resumed at `startStep`.
 *
 * When all steps are done already, or a callback is `finished`, nothing is trained: the callbacks only get
 * `onTrainBegin` and `onTrainEnd`.
 *
 * @param options see `TrainModelOptions`.
 * @returns the state in which the run ended.
 * @throws IlrecError when `epochs` is not a positive integer, or the loss is not finite.
 *
 * @example
 * ```ts
 * import { AdamW, causalLM, createBatches, sft, trainModel } from 'tfjs-ilrec';
 *
 * const itemTokens = [[3, 6], [4, 6], [5, 7]];
 * const losses: number[] = [];
 * const { step, totalSteps } = await trainModel({
 *   model: causalLM({ vocabSize: 8, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2 }),
 *   method: sft(),
 *   optimizer: new AdamW({ learningRate: 0.01 }),
 *   batches: createBatches({ sequences: [[0, 1, 2], [2, 0, 1], [1, 2]], itemTokens, batchSize: 2 }),
 *   epochs: 3,
 *   callbacks: [{ onStep: ({ loss }) => void losses.push(loss) }],
 * });
 * console.log(step, totalSteps, losses.length); // 6 6 6
 * ```
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

  const shown = { numTokens: 0, numResponseTokens: 0 };
  const preparation = { seconds: 0 };
  const dataset = batchDataset(batches, {
    startStep,
    async prepare(batch) {
      const began = performance.now();
      const prepared = (await method.prepareBatch?.(batch, model)) ?? batch;
      preparation.seconds = (performance.now() - began) / 1000;
      return prepared;
    },
    onBatch({ numTokens, labels }) {
      shown.numTokens = numTokens;
      shown.numResponseTokens = labels.reduce((count, label) => count + (label >= 0 ? 1 : 0), 0);
    },
  });
  const fitCallbacks = [
    ...(method.callback === undefined ? [] : [method.callback]),
    watch({ state, method, shown, preparation, callbacks }),
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
  /** The batch of the step in progress. */
  shown: Readonly<Pick<StepRecord, 'numTokens' | 'numResponseTokens'>>;
  /** Of the same batch, before the step. */
  preparation: { readonly seconds: number };
  callbacks: readonly TrainingCallback[];
}

/** Turns tfjs's events into those of `TrainingCallback`. */
function watch({ state, method, shown, preparation, callbacks }: Watched): tfl.CustomCallbackArgs {
  const { optimizer, stepsPerEpoch } = state;
  let began = 0;
  let yielded = performance.now();
  let learningRate = NaN;
  return {
    onTrainBegin: async () => {
      for (const callback of callbacks) await callback.onTrainBegin?.(state);
    },
    onEpochBegin: async (epoch) => {
      state.epoch = epoch;
      await method.beginEpoch?.(epoch);
    },
    onBatchBegin: () => {
      began = performance.now();
      learningRate = (optimizer as { learningRate?: number }).learningRate ?? NaN; // of the step that begins
    },
    onBatchEnd: async (_, logs = {}) => {
      state.step++;
      const { batch: __, size: ___, loss, ...metrics } = logs as Record<string, number>;
      if (!Number.isFinite(loss)) {
        throw new IlrecError(
          `trainModel: the loss must be finite, got ${loss} at step ${state.step}; lower the learning rate or ` +
            'set clipNorm',
        );
      }
      const seconds = preparation.seconds + (performance.now() - began) / 1000;
      const { klPerLayer = null, negatives = null } = (await method.diagnostics?.()) ?? {};
      const record: StepRecord = {
        step: state.step,
        epoch: state.epoch,
        loss,
        learningRate,
        tokensPerSecond: shown.numTokens / seconds,
        ...shown,
        seconds,
        metrics,
        klPerLayer,
        negatives,
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

/**
 * `fitDataset` wants only instances of its class if the first callback is one. 'never' because `watch` yields itself.
 */
function asCallback(callback: FitCallback): tfl.Callback {
  return 'setParams' in callback ? callback : (new tfl.CustomCallback(callback, 'never') as unknown as tfl.Callback);
}
