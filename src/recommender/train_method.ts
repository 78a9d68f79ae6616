import type { EvaluationRecord } from '../callbacks/early_stopping';
import { withoutFusion } from '../config/shared_config';
import { IlrecError } from '../errors';
import type { BuildContext, BuiltMethod, Method, Need, TrainingPlan } from '../methods/method';
import { FUSION_NEED, fusionOf, type TrainConfig } from '../methods/train_config';
import type { TrainingCallback, TrainingMethod } from '../training/train_model';
import { type Baselines, measureBaselines, type NeededModel } from './baselines';
import { fitModel, type TrainingPlace } from './fit_model';
import { refuseUnvalidatedFusion, settleFusion } from './fusion_weight';
import type { RunManifest } from './run_manifest';
import type { TrainingSettings } from './training_budget';
import { validateModel } from './validation';

/** What every method is built from, with the sections of all of them. */
export type RunContext = BuildContext & { readonly config: TrainConfig };

/** Where a run is trained: in a folder, or in memory. */
export interface RunPlace extends TrainingPlace {
  /** Decides what the config leaves open, with `chooseBudget` where no earlier call did, and keeps it. */
  settle(method: Method, training: TrainingPlan, context: RunContext): Promise<TrainingSettings>;
  /** Reports a run to start from that is not there, before anything is trained. */
  checkStart(run: string): Promise<void>;
  /** Finds or trains another model that the method is trained with. */
  loadNeed(need: Need, context: RunContext): Promise<NeededModel | 'interrupted'>;
}

/** Who watches and may stop a training. */
export interface TrainingWatch {
  readonly signal?: AbortSignal;
  readonly callbacks?: (label: string) => readonly TrainingCallback[];
  readonly onEvaluation?: (label: string, record: EvaluationRecord, isBest: boolean, baselines: Baselines) => void;
}

/** How a training ended, in the fields of the manifest. */
export type TrainingOutcome = Pick<RunManifest, 'status'> &
  Partial<Pick<RunManifest, 'steps' | 'stepsPerEpoch' | 'parameters' | 'validation' | 'fusion'>>;

/**
 * Trains what a method has built, with the models that it needs, and saves it. A method without training is saved as it
 * was built.
 *
 * The needs are trained after the method was built, so that a mistake in the model is reported first.
 */
export async function trainMethod(
  method: Method,
  built: BuiltMethod,
  context: RunContext,
  place: RunPlace,
  { signal, callbacks, onEvaluation }: TrainingWatch,
): Promise<TrainingOutcome> {
  const { training } = built;
  if (training === null) return await finishCounting(method, built, context, onEvaluation);
  const needs: Record<string, NeededModel> = {};
  let other: NeededModel | null = null;
  try {
    const settings = await place.settle(method, training, context);
    const { initialWeights, validationUsers } = settings;
    if (initialWeights !== undefined) await place.checkStart(initialWeights);
    const fusion = fusionOf(context.config, method);
    refuseUnvalidatedFusion(fusion, validationUsers);
    const plain = { ...context, config: withoutFusion(context.config) };
    for (const need of method.needs?.(context.section) ?? []) {
      const needed = await place.loadNeed(need, plain);
      if (needed === 'interrupted') return { status: 'interrupted' };
      needs[need.role] = needed;
    }
    if (fusion !== null) {
      const needed = await place.loadNeed(
        { ...FUSION_NEED, method: fusion.method ?? '' },
        { ...plain, section: { [FUSION_NEED.runField]: fusion.run } },
      );
      if (needed === 'interrupted') return { status: 'interrupted' };
      other = needed;
    }
    const baselines =
      validationUsers === 0 ? {} : await measureBaselines(context, Object.values(needs), validationUsers);
    const models = Object.fromEntries(Object.entries(needs).map(([role, { model }]) => [role, model]));
    const totalSteps = settings.epochs * training.batches.stepsPerEpoch;
    const { bestStep, best, ...outcome } = await fitModel({
      place,
      training,
      settings,
      objective: checkedLoss(method, await training.objective(models, totalSteps)),
      save: built.save,
      validate: () => validateModel(built, context, validationUsers),
      callbacks: callbacks?.(method.name),
      signal,
      onEvaluation: onEvaluation && ((record, isBest) => onEvaluation(method.name, record, isBest, baselines)),
    });
    const settled =
      outcome.status === 'done' && fusion !== null && other !== null
        ? { fusion: await settleFusion(built, plain, other, fusion, validationUsers) }
        : {};
    return {
      ...outcome,
      ...settled,
      validation:
        validationUsers === 0 ? null : { users: validated(context, validationUsers), bestStep, best, baselines },
    };
  } finally {
    for (const { model } of Object.values(needs)) model.dispose();
    other?.model.dispose();
  }
}

async function finishCounting(
  { name }: Method,
  built: BuiltMethod,
  context: BuildContext,
  onEvaluation: TrainingWatch['onEvaluation'],
): Promise<TrainingOutcome> {
  await built.save();
  const { validationUsers } = context.config.training;
  if (validationUsers === 0) return { status: 'done' };
  const metrics = await validateModel(built, context, validationUsers);
  const best: EvaluationRecord = { step: 0, epochs: 0, metrics };
  onEvaluation?.(name, best, true, {});
  return { status: 'done', validation: { users: validated(context, validationUsers), bestStep: 0, best } };
}

/** Users of the validation sample. */
function validated({ data }: BuildContext, validationUsers: number): number {
  return Math.min(validationUsers, data.split.valid.targets.length);
}

function checkedLoss({ name }: Method, objective: TrainingMethod): TrainingMethod {
  if (typeof (objective as TrainingMethod | undefined)?.loss === 'function') return objective;
  throw new IlrecError(`trainRun: objective of method "${name}" must return { loss }, got ${String(objective)}`);
}
