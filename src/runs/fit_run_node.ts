import type * as tfl from '@tensorflow/tfjs-layers';
import { checkpointing } from '../callbacks/checkpointing';
import { EarlyStopping, type Evaluation, type EvaluationRecord } from '../callbacks/early_stopping';
import { logEvaluation, stepLog } from './log_node';
import { CheckpointStore } from '../checkpoints/checkpoint_store_node';
import { JsonlLog } from './jsonl_log_node';
import { loadModel, saveModel } from '../checkpoints/model_files_node';
import { readManifest, type RunManifest, runPaths } from './run_directory_node';
import { readWeights, trainedVariables, writeWeights } from '../checkpoints/training_snapshot';
import { AdamW } from '../optimizers/adamw';
import { type AccumulatedOptimizer, accumulateGradients } from '../optimizers/gradient_accumulation';
import type { Arm } from '../methods/arms';
import { disposeModel } from '../models/dispose_model';
import { resumeFrom } from '../callbacks/resume_from';
import { trainModel, type TrainingCallback } from '../training/train_model';

export interface FitRunOptions {
  /** The run directory. */
  out: string;
  arm: Arm;
  /** Measures the model as it is; not asked where the config wants no validation. */
  validate: () => Promise<Evaluation>;
  callbacks?: readonly TrainingCallback[];
  signal?: AbortSignal;
  onEvaluation?: (record: EvaluationRecord, isBest: boolean) => void;
}

/** How a fit ended, in the manifest's fields. */
export type FitOutcome = Pick<RunManifest, 'status' | 'steps' | 'stepsPerEpoch' | 'parameters'> & {
  readonly bestStep: number;
  readonly best: EvaluationRecord | null;
};

/**
 * Trains an arm inside a run directory, from its newest checkpoint where there is one, and saves the best model.
 *
 * The log and the checkpoints go on as if the run had never stopped.
 */
export async function fitRun({
  out,
  arm,
  validate,
  callbacks = [],
  signal,
  onEvaluation,
}: FitRunOptions): Promise<FitOutcome> {
  const { model, batches, training } = arm;
  const paths = runPaths(out);
  const store = new CheckpointStore(paths.checkpoints);
  const optimizer = newOptimizer(arm);
  const early = new EarlyStopping({
    evaluate: validate,
    patience: training.patience ?? Infinity,
    every: training.evaluateEvery,
    onEvaluation: (record, isBest) => {
      logEvaluation(log, record);
      onEvaluation?.(record, isBest);
    },
  });
  const startStep = await resumeFrom(store, { model, optimizer, earlyStopping: early });
  if (startStep === 0 && training.initialWeights !== undefined) await startFrom(arm, training.initialWeights);
  const log = await JsonlLog.open(paths.log, startStep);
  const earlyStopping = training.validationUsers > 0 ? early : undefined;
  const checkpoints = checkpointing({ store, everySeconds: training.checkpointEverySeconds, earlyStopping, signal });
  const watchers = [...callbacks, stepLog(log), ...(earlyStopping === undefined ? [] : [earlyStopping]), checkpoints];

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
      method: arm.method,
      optimizer,
      batches,
      epochs: training.epochs,
      startStep,
      callbacks: watchers,
    });
    if (step < totalSteps && !early.finished) return outcome('interrupted', step);
    if (early.bestWeights === null && 'flush' in optimizer) optimizer.flush(); // the last batches may be fewer than a step takes; the best weights are there already
    await (arm.save?.(out) ?? saveModel(model, paths.model));
    return outcome('done', step);
  } finally {
    log.close();
    optimizer.dispose();
  }
}

function newOptimizer({ method, training, batches }: Arm): AdamW | AccumulatedOptimizer {
  const {
    learningRate,
    schedule,
    warmupRatio,
    learningRateFloor,
    beta1,
    beta2,
    weightDecay,
    clipNorm,
    epochs,
    gradientAccumulation,
  } = training;
  const totalSteps = Math.ceil((epochs * batches.stepsPerEpoch) / gradientAccumulation);
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
    : accumulateGradients(adamW, { steps: gradientAccumulation, weight: () => method.numResponsePositions ?? 1 });
}

/** Numbers that training changes. */
function countNumbers(model: tfl.LayersModel): number {
  return trainedVariables(model).reduce((sum, variable) => sum + variable.read().size, 0);
}

/** Takes over the weights of a finished run. */
async function startFrom({ model }: Arm, folder: string): Promise<void> {
  await readManifest(folder);
  const other = await loadModel(runPaths(folder).model);
  writeWeights(model, await readWeights(other));
  disposeModel(other);
}
