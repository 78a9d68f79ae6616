import type * as tfl from '@tensorflow/tfjs-layers';
import { checkpointing } from '../callbacks/checkpointing';
import { EarlyStopping, type Evaluation, type EvaluationRecord } from '../callbacks/early_stopping';
import { CheckpointStore } from '../checkpoints/checkpoint_store_node';
import { logEvaluation, RunLog, stepLog } from './run_log';
import { loadModel } from '../checkpoints/model_files_node';
import { namingKey } from './load_need';
import { readManifest, type RunManifest } from './manifest';
import { PeakMemory } from './peak_memory';
import { runPaths } from './run_paths';
import type { TrainingSettings } from './training_budget';
import { readWeights, trainedVariables, writeWeights } from '../checkpoints/training_snapshot';
import { AdamW } from '../optimizers/adamw';
import { type AccumulatedOptimizer, accumulateGradients } from '../optimizers/gradient_accumulation';
import type { BuiltMethod, TrainingPlan } from '../methods/method';
import type { TrainingMethod } from '../training/train_model';
import { disposeModel } from '../models/dispose_model';
import { resumeFrom } from '../callbacks/resume_from';
import { trainModel, type TrainingCallback } from '../training/train_model';

export interface FitRunOptions {
  /** The run folder. */
  out: string;
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
  readonly peakMemory: number;
};

/**
 * Trains a model inside a run folder and saves the best one. Resumes from the newest checkpoint if there is one; log
 * and checkpoints are then those of a run that was not interrupted.
 */
export async function fitRun({
  out,
  training: { model, batches },
  settings,
  objective,
  save,
  validate,
  callbacks = [],
  signal,
  onEvaluation,
}: FitRunOptions): Promise<FitOutcome> {
  const paths = runPaths(out);
  const store = new CheckpointStore(paths.checkpoints);
  const optimizer = newOptimizer(settings, batches.stepsPerEpoch, objective);
  const early = new EarlyStopping({
    evaluate: validate,
    patience: settings.patience ?? Infinity,
    every: settings.evaluateEvery,
    onEvaluation: (record, isBest) => {
      logEvaluation(log, record);
      onEvaluation?.(record, isBest);
    },
  });
  const startStep = await resumeFrom(store, { model, optimizer, method: objective, earlyStopping: early });
  if (startStep === 0 && settings.initialWeights !== undefined) await startFrom(model, settings.initialWeights);
  const log = await RunLog.open(paths.log, startStep);
  const earlyStopping = settings.validationUsers > 0 ? early : undefined;
  const checkpoints = checkpointing({
    store,
    everySeconds: settings.checkpointEverySeconds,
    earlyStopping,
    method: objective,
    signal,
  });
  const memory = new PeakMemory();
  const sampling: TrainingCallback = { onStep: () => memory.sample() };
  const watchers = [
    ...callbacks,
    stepLog(log),
    sampling,
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
      peakMemory: memory.bytes,
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
    log.close();
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

/** Takes over the weights of a finished run. @throws IlrecError when there is none, or its model is another one. */
async function startFrom(model: tfl.LayersModel, folder: string): Promise<void> {
  try {
    await readManifest(folder);
    const other = await loadModel(runPaths(folder).model);
    try {
      writeWeights(model, await readWeights(other));
    } finally {
      disposeModel(other);
    }
  } catch (error) {
    throw namingKey(error, 'training.initialWeights', folder);
  }
}
