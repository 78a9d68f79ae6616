import * as z from 'zod';
import { positive, rate } from '../config/fields';
import { sasrec } from '../models/sasrec';
import { itemScorerMethod, ownTraining } from './item_scorer_method';

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
  training: ownTraining,
});

/** SASRec (Kang and McAuley, 2018) with full-softmax training: on its own, and as ILRec's collaborative model. */
export const sasrecMethod = itemScorerMethod(
  {
    name: 'sasrec',
    title: 'SASRec',
    summary: 'a small transformer over item numbers',
    color: { light: '#1b8060', dark: '#5fcaa4' },
    order: 30,
    comparedByDefault: true,
    section,
    oldSectionKey: 'sasrec',
  },
  sasrec,
);
