import type * as tfl from '@tensorflow/tfjs-layers';
import * as z from 'zod';
import { positive } from '../config/fields';
import { IlrecError } from '../errors';
import { causalItemScorer } from '../models/causal_item_scorer';
import { grpo } from '../tapped/grpo';
import { languageModelMethod } from './language_model';
import { continuedConfig, startFields, startNeed } from './preference/preference_section';

/** GRPO (arXiv 2402.03300) with MiniOneRec's rewards (arXiv 2510.24431), after SFT. */
export const grpoMethod = languageModelMethod({
  name: 'grpo',
  title: 'GRPO',
  summary: "SFT continued on rewards for the model's own lists, for item tokens",
  color: { light: '#5b7a2e', dark: '#b4d081' },
  order: 68,
  section: z.strictObject({
    groupSize: positive.min(2).default(16),
    klWeight: z.number().min(0).default(1e-3),
    /** Whether misses are punished by their rank. */
    rankReward: z.boolean().default(true),
    ...startFields,
    /** Factor of the epochs that a run chooses by its data. */
    epochsRatio: z.number().positive().default(0.25),
  }),
  needs: (section) => [startNeed(section)],
  adjust: (config, section) => continuedConfig(config, section),
  epochsRatio: ({ epochsRatio }) => epochsRatio,
  batches({ itemSoftmax, config, batches }) {
    if (itemSoftmax !== undefined) return batches;
    throw new IlrecError(
      `trainRun: the method grpo is for items.style items, got ${config.items.style}; use dpo or sdpo for models that ` +
        'write an item in several tokens',
    );
  },
  objective({ section: { groupSize, klWeight, rankReward }, needs, startFrom, itemSoftmax }) {
    const start = needs.start.languageModel as tfl.LayersModel; // the need accepts language models alone
    startFrom(start);
    return grpo({ reference: causalItemScorer(start), groupSize, klWeight, rankReward, seen: itemSoftmax?.seen });
  },
});
