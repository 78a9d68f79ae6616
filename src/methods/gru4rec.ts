import * as z from 'zod';
import { positive, rate } from '../config/fields';
import { gru4rec } from '../models/gru4rec';
import { itemScorerMethod, ownTraining } from './item_scorer_method';

const section = z.strictObject({
  embeddingSize: positive.default(64),
  hiddenSize: positive.default(128),
  numHiddenLayers: positive.default(1),
  hiddenDropout: rate.default(0.3),
  tieItemEmbeddings: z.boolean().default(true),
  useRepeatBias: z.boolean().default(true),
  initializerRange: z.number().positive().default(0.02),
  training: ownTraining,
});

/** GRU4Rec (Hidasi et al., 2016) with full-softmax training. */
export const gru4recMethod = itemScorerMethod(
  {
    name: 'gru4rec',
    title: 'GRU4Rec',
    summary: 'a recurrent network over item numbers',
    color: { light: '#6b7a1e', dark: '#b9c95f' },
    order: 26,
    section,
  },
  gru4rec,
);
