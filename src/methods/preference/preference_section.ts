import * as z from 'zod';
import { positive } from '../../config/fields';
import type { Resolved, SharedConfig } from '../../config/shared_config';
import { restrictToSchema } from '../../config/target_sections';
import type { Need } from '../method';

/** Items of a list that a model makes; one of them may be the chosen one. */
const LIST_LENGTH = 20;

/** What methods share that continue a fine-tuned model. */
export const startFields = {
  /** The method whose model to start from, a language model; it is the reference, too. */
  start: z.string().default('sft'),
  /** A finished run of it to take; {seed} stands for the seed. */
  startRun: z.string().optional(),
  /** Factor of `training.learningRate`. */
  learningRateRatio: z.number().positive().default(0.1),
  /** Whether dropout stays on. */
  dropout: z.boolean().default(false),
};

/** Tokens of the softmax, and epochs, of methods that train on fixed pairs or on their own lists. */
export const tuningFields = {
  restrictTo: restrictToSchema,
  /** Factor of the epochs that a run chooses by its data. */
  epochsRatio: z.number().positive().default(0.25),
};

/** How many rejected items a chosen one is compared with. */
export const numNegativesSchema = positive.max(LIST_LENGTH - 1);

/** Where rejected items come from: drawn, or the best items of another model or of the model to start from. */
export const negativesSchema = z.enum(['uniform', 'popularity', 'model', 'beams']);

/** Where pairs come from. */
export const pairFields = {
  negatives: negativesSchema.default('uniform'),
  /** The method behind the negatives `model`, one that scores items. */
  negativesMethod: z.string().default('sasrec'),
  /** A finished run of it to take; {seed} stands for the seed. */
  negativesRun: z.string().optional(),
  /** A file of one's own pairs, in place of those made from the training data. */
  pairs: z.string().nullable().default(null),
};

/** A section with `startFields`. */
export interface StartSection {
  readonly start: string;
  readonly learningRateRatio: number;
  readonly dropout: boolean;
}

/** A section of a method that trains on pairs. */
export interface PairSection extends StartSection {
  readonly negatives: z.output<typeof negativesSchema>;
  readonly numNegatives: number;
  readonly negativesMethod: string;
  readonly pairs: string | null;
  readonly restrictTo: 'vocabulary' | 'validItems';
  readonly epochsRatio: number;
}

/** The run to start from. */
export function startNeed({ start }: StartSection): Need {
  return { role: 'start', method: start, kinds: ['language-model'], methodField: 'start', runField: 'startRun' };
}

/** A need of a model that scores items. */
export function scorerNeed(role: 'negatives' | 'oracle', method: string, methodField: string): Need {
  const kinds = ['counts', 'item-scorer', 'language-model'] as const;
  return { role, method, kinds, scoresItems: true, methodField, runField: `${role}Run` };
}

/**
 * The config of a method that continues a run: the weights come from there, and are changed more carefully than they
 * were made. Without dropout, policy and reference begin as one.
 */
export function continuedConfig(
  config: Resolved<SharedConfig>,
  { learningRateRatio, dropout }: StartSection,
): Resolved<SharedConfig> {
  const { training, model, backbone } = config;
  const { lora } = backbone;
  const continued = { ...training, learningRate: training.learningRate * learningRateRatio, initialWeights: undefined };
  if (dropout) return { ...config, training: continued };
  return {
    ...config,
    training: continued,
    model: { ...model, attentionDropout: 0, hiddenDropout: 0, embeddingDropout: 0 },
    backbone: { ...backbone, lora: lora && { ...lora, dropout: 0 } },
  };
}
