import type * as tfl from '@tensorflow/tfjs-layers';
import * as z from 'zod';
import { positive } from '../config/fields';
import { causalItemScorer } from '../models/causal_item_scorer';
import { grpo } from '../tapped/grpo';
import { restrictionOf } from './item_model';
import { languageModelMethod } from './language_model';
import { rowBatches, trainingExamples } from './preference/pair_batches';
import { continuedConfig, startFields, startNeed, tuningFields } from './preference/preference_section';

/** GRPO (arXiv 2402.03300) with MiniOneRec's rewards (arXiv 2510.24431), after SFT. */
export const grpoMethod = languageModelMethod({
  name: 'grpo',
  title: 'GRPO',
  summary: "SFT continued on rewards for the model's own lists",
  color: { light: '#5b7a2e', dark: '#b4d081' },
  order: 68,
  section: z.strictObject({
    groupSize: positive.min(2).default(16),
    /** The model's best items, or draws without replacement. */
    groups: z.enum(['beam', 'sample']).default('beam'),
    /** Of the draws. */
    temperature: z.number().positive().default(1),
    klWeight: z.number().min(0).default(1e-3),
    /** Whether misses are punished by their rank. */
    rankReward: z.boolean().default(true),
    ...startFields,
    ...tuningFields,
  }),
  needs: (section) => [startNeed(section)],
  adjust: (config, section) => continuedConfig(config, section),
  epochsRatio: ({ epochsRatio }) => epochsRatio,
  batches(context) {
    const { itemSoftmax, batches, config, section } = context;
    if (itemSoftmax !== undefined) return batches;
    const groupsPerBatch = Math.max(1, Math.floor(config.training.batchSize / section.groupSize));
    return rowBatches(context, trainingExamples(context), new Int32Array(0), groupsPerBatch);
  },
  objective(context) {
    const { section, needs, startFrom, itemSoftmax, code, config, padTokenId } = context;
    const { groupSize, groups, temperature, klWeight, rankReward } = section;
    const start = needs.start.languageModel as tfl.LayersModel; // the need accepts language models alone
    startFrom(start);
    const shared = { groupSize, groups, temperature, klWeight, rankReward, seed: config.seed };
    if (itemSoftmax !== undefined)
      return grpo({ ...shared, reference: causalItemScorer(start), seen: itemSoftmax.seen });
    const { trie, historyOf } = code;
    const seen = config.evaluation.seen === 'exclude' ? 'exclude' : 'allow';
    return grpo({ ...shared, reference: start, trie, historyOf, padTokenId, seen, ...restrictionOf(context) });
  },
});
