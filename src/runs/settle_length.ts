import { IlrecError } from '../errors';
import type { BuildContext, Method, TrainingPlan } from '../methods/method';
import type { TrainConfig } from '../methods/train_config';
import { type RunManifest, writeManifest } from './manifest';
import { type AskedLength, epochsOf, type Prolonging } from './prolong_run';
import { writeConfig } from './run_json';
import {
  chooseBudget,
  type ChosenBudget,
  type TrainingSettings,
  withBudget,
  withoutBudget,
} from '../recommender/training_budget';

/**
 * The config with the length of the run that is resumed where it leaves it open, or with the length that the run shall
 * have now.
 */
export function withKeptLength(
  asked: TrainConfig,
  kept: TrainConfig | null,
  chosen: ChosenBudget | undefined,
  longer: Prolonging | null,
): TrainConfig {
  if (kept === null) return asked;
  const begun = withoutBudget(kept, chosen).training;
  const evaluateEvery =
    asked.training.evaluateEvery ?? (longer === null ? begun.evaluateEvery : kept.training.evaluateEvery);
  const epochs = longer?.epochs ?? asked.training.epochs ?? begun.epochs;
  return { ...asked, training: { ...asked.training, epochs, evaluateEvery } };
}

/**
 * Chooses epochs that the config leaves open, unless the run did so before, and keeps them in manifest and config. A run
 * that shall be longer is one that is under way again.
 */
export async function settleLength(
  { name, kind }: Method,
  { settings, batches, epochsRatio }: TrainingPlan,
  { config, files }: BuildContext & { readonly config: TrainConfig },
  manifest: RunManifest,
  { epochs, steps }: AskedLength,
  longer: Prolonging | null,
): Promise<TrainingSettings> {
  const { stepsPerEpoch } = batches;
  const isFirst = manifest.stepsPerEpoch === 0;
  const inEpochs = isFirst && steps !== undefined ? { epochs: epochsOf(steps, stepsPerEpoch) } : {};
  const given = longer?.epochs ?? (steps === undefined ? epochs : inEpochs.epochs);
  if (
    given !== undefined &&
    settings.epochs !== undefined &&
    settings.epochs !== given &&
    inEpochs.epochs === undefined
  )
    throw new IlrecError(
      `trainRun: epochs cannot be ${given} for ${name}, whose section of the config says ${settings.epochs}; change them there`,
    );
  const finetunes = kind === 'language-model' && config.backbone.pretrained !== null;
  const { epochs: _, ...unchosen } = manifest.chosen ?? {};
  const known = longer === null && inEpochs.epochs === undefined ? manifest.chosen : manifest.chosen && unchosen;
  const asked = { ...settings, ...inEpochs };
  const chosen = known ?? chooseBudget(asked, stepsPerEpoch, finetunes, epochsRatio);
  if (Object.keys(chosen).length > 0 || isFirst || longer !== null) {
    manifest.stepsPerEpoch = stepsPerEpoch;
    if (Object.keys(chosen).length > 0) manifest.chosen = chosen;
    else delete manifest.chosen;
    if (longer !== null)
      manifest.prolonged = [...(manifest.prolonged ?? []), { step: longer.step, epochs: longer.before }];
    await writeManifest(files.folder, manifest); // first: it says which numbers of the config were open
    await writeConfig(files.folder, { ...config, training: { ...config.training, ...inEpochs, ...chosen } });
  }
  return withBudget(asked, chosen);
}
