import type * as tfl from '@tensorflow/tfjs-layers';
import { checkpointing } from '../callbacks/checkpointing';
import { EarlyStopping, type Evaluation, type EvaluationRecord } from '../callbacks/early_stopping';
import type { SnapshotStore } from '../checkpoints/snapshot_store';
import { trainedVariables } from '../checkpoints/training_snapshot';
import type { RunManifest } from './run_manifest';
import type { TrainingSettings } from './training_budget';
import { AdamW } from '../optimizers/adamw';
import { type AccumulatedOptimizer, accumulateGradients } from '../optimizers/gradient_accumulation';
import type { BuiltMethod, TrainingPlan } from '../methods/method';
import type { TrainingMethod } from '../training/train_model';
import { resumeFrom } from '../callbacks/resume_from';
import { trainModel, type TrainingCallback } from '../training/train_model';

/** Where a training keeps what it needs to resume, and its records. */
export interface TrainingPlace {
  /** Checkpoints; null where a training that stops is lost. */
  readonly store: SnapshotStore | null;
  /** Writes other weights into a new model: those of the run that the config names. */
  startFrom(model: tfl.LayersModel, run: string): Promise<void>;
  /** Opens the records, with the steps done before. */
  record(startStep: number): Promise<TrainingRecord>;
}

/** Sees every step and evaluation of one training. */
export interface TrainingRecord {
  readonly callbacks: readonly TrainingCallback[];
  onEvaluation(record: EvaluationRecord): void;
  close(): void;
}

export interface FitModelOptions {
  place: TrainingPlace;
  training: Pick<TrainingPlan, 'model' | 'batches'>;
  settings: TrainingSettings;
  /** The loss, made from the method's needs. */
  objective: TrainingMethod;
  /** Writes the trained model into the run. */
  save: BuiltMethod['save'];
  /** Measures the model. Not called if the config asks for no validation. */
  validate: () => Promise<Evaluation>;
  callbacks?: readonly TrainingCallback[];
  signal?: AbortSignal;
  onEvaluation?: (record: EvaluationRecord, isBest: boolean) => void;
}

/** How training ended, in the fields of the manifest. */
export type FitOutcome = Pick<RunManifest, 'status' | 'steps' | 'stepsPerEpoch' | 'parameters'> & {
  readonly bestStep: number;
  readonly best: EvaluationRecord | null;
};

/**
 * Trains a model and saves the best one. Resumes from the newest checkpoint if there is one; records and checkpoints
 * are then those of a run that was not interrupted.
 */
export async function fitModel({
  place,
  training: { model, batches },
  settings,
  objective,
  save,
  validate,
  callbacks = [],
  signal,
  onEvaluation,
}: FitModelOptions): Promise<FitOutcome> {
  const { store } = place;
  const optimizer = newOptimizer(settings, batches.stepsPerEpoch, objective);
  const early = new EarlyStopping({
    evaluate: validate,
    patience: settings.patience ?? Infinity,
    every: settings.evaluateEvery,
    onEvaluation: (record, isBest) => {
      records.onEvaluation(record);
      onEvaluation?.(record, isBest);
    },
  });
  const startStep =
    store === null ? 0 : await resumeFrom(store, { model, optimizer, method: objective, earlyStopping: early });
  if (startStep === 0 && settings.initialWeights !== undefined) await place.startFrom(model, settings.initialWeights);
  const records = await place.record(startStep);
  const earlyStopping = settings.validationUsers > 0 ? early : undefined;
  const checkpoints: TrainingCallback =
    store === null
      ? stoppingAt(signal)
      : checkpointing({
          store,
          everySeconds: settings.checkpointEverySeconds,
          earlyStopping,
          method: objective,
          signal,
        });
  const watchers = [
    ...callbacks,
    ...records.callbacks,
    ...(earlyStopping === undefined ? [] : [earlyStopping]),
    checkpoints,
  ];

  const outcome = (status: RunManifest['status'], steps: number): FitOutcome => {
    const { bestStep, evaluations } = early.state;
    return {
      status,
      steps,
      stepsPerEpoch: batches.stepsPerEpoch,
      parameters: countNumbers(model),
      bestStep,
      best: evaluations.find(({ step }) => step === bestStep) ?? null,
    };
  };
  try {
    const { step, totalSteps } = await trainModel({
      model,
      method: objective,
      optimizer,
      batches,
      epochs: settings.epochs,
      startStep,
      callbacks: watchers,
    });
    if (step < totalSteps && !early.finished) return outcome('interrupted', step);
    // a last step of fewer batches; best weights are already in the model
    if (early.bestWeights === null && 'flush' in optimizer) optimizer.flush();
    await save();
    return outcome('done', step);
  } finally {
    records.close();
    optimizer.dispose();
  }
}

/** AdamW as the settings ask, stepping once per `gradientAccumulation` batches. */
function newOptimizer(
  settings: TrainingSettings,
  stepsPerEpoch: number,
  objective: TrainingMethod,
): AdamW | AccumulatedOptimizer {
  const { learningRate, schedule, warmupRatio, learningRateFloor, beta1, beta2, weightDecay, clipNorm } = settings;
  const { epochs, gradientAccumulation } = settings;
  const totalSteps = Math.ceil((epochs * stepsPerEpoch) / gradientAccumulation);
  const warmupSteps = Math.round(warmupRatio * totalSteps);
  const adamW = new AdamW({
    learningRate: { kind: schedule, learningRate, warmupSteps, totalSteps, floor: learningRateFloor },
    beta1,
    beta2,
    weightDecay,
    clipNorm,
  });
  return gradientAccumulation === 1
    ? adamW
    : accumulateGradients(adamW, { steps: gradientAccumulation, weight: () => objective.numResponsePositions ?? 1 });
}

/** Numbers that training changes. */
function countNumbers(model: tfl.LayersModel): number {
  return trainedVariables(model).reduce((sum, variable) => sum + variable.read().size, 0);
}

/** Ends a training without checkpoints after the step in progress. */
function stoppingAt(signal: AbortSignal | undefined): TrainingCallback {
  return { onStep: (_, state) => (signal?.aborted === true ? state.stop() : undefined) };
}
