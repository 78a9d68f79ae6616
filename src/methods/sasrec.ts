import * as z from 'zod';
import { positive, partialWithoutDefaults, rate } from '../config/fields';
import type { SharedConfig, TrainingConfig } from '../config/shared_config';
import { DEFAULT_MAX_HISTORY, trainingSchema } from '../config/training_sections';
import { disposeModel } from '../models/dispose_model';
import { sasrec } from '../models/sasrec';
import { sasrecLoss } from '../models/sasrec_loss';
import { sasrecScorer } from '../models/sasrec_scorer';
import { createBatches } from '../training/batches';
import { batchOptions } from './batch_options';
import { scorerLists } from './lists';
import { defineMethod } from './method';

const section = z.strictObject({
  hiddenSize: positive.default(64),
  numHiddenLayers: positive.default(2),
  numAttentionHeads: positive.default(2),
  intermediateSize: positive.optional(),
  hiddenDropout: rate.default(0.3),
  attentionDropout: rate.default(0.3),
  tieItemEmbeddings: z.boolean().optional(),
  useRepeatBias: z.boolean().optional(),
  initializerRange: z.number().positive().optional(),
  /** Fields of the section `training` that SASRec sets otherwise. */
  training: partialWithoutDefaults(trainingSchema).default({}),
});

type Section = z.output<typeof section>;

/** SASRec (Kang and McAuley, 2018) with full-softmax training: on its own, and as ILRec's collaborative model. */
export const sasrecMethod = defineMethod({
  name: 'sasrec',
  title: 'SASRec',
  summary: 'a small transformer over item numbers',
  color: { light: '#1b8060', dark: '#5fcaa4' },
  order: 30,
  kind: 'item-scorer',
  comparedByDefault: true,
  section,
  oldSectionKey: 'sasrec',
  async build({ section, config, data: { split, numItems }, files }) {
    const { training: _, ...shape } = section;
    const settings = settingsOf(config, section);
    const { maxHistory = DEFAULT_MAX_HISTORY } = settings;
    const items = Array.from({ length: numItems }, (_, item) => item);
    const batches = createBatches({
      ...batchOptions(settings, config.seed),
      sequences: split.train,
      itemTokens: items.map((item) => [item + 1]), // 0 is both start and padding
      itemLabels: items.map((item) => [item]),
      bosTokenId: 0,
      padTokenId: 0,
    });
    const model = sasrec({ numItems, maxHistory, ...shape, seed: config.seed });
    return {
      ...scorerLists(sasrecScorer(model), settings),
      training: { model, batches, settings, objective: () => ({ loss: sasrecLoss(model) }) },
      save: () => files.saveModel(model),
      dispose: () => disposeModel(model),
    };
  },
  async load({ section, config, files }) {
    const model = await files.loadModel();
    return { ...scorerLists(sasrecScorer(model), settingsOf(config, section)), dispose: () => disposeModel(model) };
  },
});

function settingsOf({ training }: SharedConfig, { training: own }: Section): TrainingConfig {
  return { ...training, initialWeights: undefined, ...own }; // other weights than a language model's
}
