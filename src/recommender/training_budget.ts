import type { TrainingConfig } from '../config/shared_config';
import type { TrainConfig } from '../methods/train_config';

/** Keys of the config's section `training` that the config left to the run, with what the run chose. */
export interface ChosenBudget {
  readonly epochs?: number;
  readonly evaluateEvery?: number;
}

/** The section `training` with every number. */
export type TrainingSettings = TrainingConfig & { readonly epochs: number; readonly evaluateEvery: number };

/** Fewer steps leave a model from scratch under popularity. */
const LEAST_STEPS = 1000;
/** Small data are repeated up to this often to reach `LEAST_STEPS`. */
const MOST_EPOCHS = 100;
const LEAST_EPOCHS = 12;
/** Hours, not days, for a small model. */
const MOST_STEPS = 60_000;
/** A checkpoint has learned to write before. */
const FINETUNING_EPOCHS = 3;
/** Evaluations of a whole run; a patience of 5 is then a quarter of it. */
const EVALUATIONS = 20;

/**
 * Chooses epochs for a model that is trained from scratch: at least 12 epochs and 1,000 steps of the optimizer, but not
 * more than 100 epochs, nor more than 60,000 steps where one epoch does not have more.
 *
 * @param batchesPerEpoch training rows over rows of a batch, rounded up.
 * @param gradientAccumulation batches of a step.
 */
export function defaultEpochs(batchesPerEpoch: number, gradientAccumulation: number): number {
  const stepsPerEpoch = batchesPerEpoch / gradientAccumulation;
  const enough = Math.max(LEAST_EPOCHS, Math.ceil(LEAST_STEPS / stepsPerEpoch));
  const affordable = Math.max(1, Math.floor(MOST_STEPS / stepsPerEpoch));
  return Math.min(enough, MOST_EPOCHS, affordable);
}

/** Chooses the epochs between evaluations, so that a run of chosen epochs has about 20 of them. */
export function defaultEvaluateEvery(epochs: number): number {
  return Math.max(1, Math.round(epochs / EVALUATIONS));
}

/**
 * Chooses what the settings leave open. An interval of evaluations beside given epochs is 1.
 *
 * @param finetunes whether the training starts from a pretrained checkpoint.
 * @param epochsRatio the method's factor of the epochs.
 * @returns only what was open.
 */
export function chooseBudget(
  { epochs, evaluateEvery, gradientAccumulation }: TrainingConfig,
  batchesPerEpoch: number,
  finetunes: boolean,
  epochsRatio = 1,
): ChosenBudget {
  const usual = finetunes ? FINETUNING_EPOCHS : defaultEpochs(batchesPerEpoch, gradientAccumulation);
  const chosen = Math.max(1, Math.round(usual * epochsRatio));
  return {
    ...(epochs === undefined && { epochs: chosen }),
    ...(evaluateEvery === undefined && { evaluateEvery: epochs === undefined ? defaultEvaluateEvery(chosen) : 1 }),
  };
}

/** The settings with what was chosen for them. */
export function withBudget(settings: TrainingConfig, chosen: ChosenBudget): TrainingSettings {
  return { ...settings, ...chosen } as TrainingSettings; // chosen has what settings lacks
}

/**
 * A config as it was before the run chose: the config file of a run holds the numbers, and must still be accepted where
 * the run is resumed.
 */
export function withoutBudget<Config extends TrainConfig>(config: Config, chosen: ChosenBudget = {}): Config {
  const { training } = config;
  const open = (key: keyof ChosenBudget): number | undefined =>
    training[key] === chosen[key] ? undefined : training[key];
  return { ...config, training: { ...training, epochs: open('epochs'), evaluateEvery: open('evaluateEvery') } };
}
