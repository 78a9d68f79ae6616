import * as z from 'zod';
import { backboneSchema, itemsSchema, modelSchema } from './language_model_sections';
import type { SeenRule } from './seen_rule';
import { evaluationSchema, trainingSchema } from './training_sections';

/** The sections that all methods share; each method adds its own under `methods`. */
export const sharedSections = {
  /** Free text: what the file is for. */
  description: z.string().optional(),
  seed: z.number().int().default(0),
  model: modelSchema.prefault({}),
  items: itemsSchema.prefault({}),
  backbone: backboneSchema.prefault({}),
  training: trainingSchema.prefault({}),
  evaluation: evaluationSchema.prefault({}),
};

/** The shared sections with every default filled in. */
export type SharedConfig = z.output<z.ZodObject<typeof sharedSections>>;
export type TrainingConfig = SharedConfig['training'];
export type EvaluationConfig = SharedConfig['evaluation'];

/** The section `evaluation` of a run, where the rule for items seen is no longer `auto`. */
export type ResolvedEvaluation = EvaluationConfig & { readonly seen: SeenRule };

/** The section `evaluation.fusion`; null where no other model counts. */
export type FusionConfig = EvaluationConfig['fusion'];

/** The config of a run that is made for another one: no further model counts in its lists. */
export function withoutFusion<Config extends SharedConfig>(config: Config): Config {
  return { ...config, evaluation: { ...config.evaluation, fusion: null } };
}

/** A config as a run keeps it. */
export type Resolved<Config extends SharedConfig> = Config & { readonly evaluation: ResolvedEvaluation };

/** Settings that only make sense together. */
export function checkSharedConfig({ items, backbone, training }: SharedConfig, context: z.RefinementCtx): void {
  const refuse = (path: string[], message: string): void => context.addIssue({ code: 'custom', path, message });
  const { pretrained, lora } = backbone;
  const readsText = items.style === 'lc-rec' || items.style === 'bigrec';
  if (!readsText && pretrained !== null)
    refuse(['backbone', 'pretrained'], 'needs items.style lc-rec or bigrec: a pretrained model reads text');
  if (lora !== null && pretrained === null)
    refuse(['backbone', 'lora'], 'needs backbone.pretrained: a model trained from scratch must learn all its weights');
  if (readsText && training.initialWeights !== undefined)
    refuse(
      ['training', 'initialWeights'],
      "is for items.style items and ids; set backbone.pretrained to the other run's folder model",
    );
}
