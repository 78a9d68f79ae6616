import * as z from 'zod';
import { positive, rate } from '../config/fields';
import { caser } from '../models/caser';
import { itemScorerMethod, ownTraining } from './item_scorer_method';

const section = z.strictObject({
  windowSize: positive.default(5),
  hiddenSize: positive.default(64),
  numHorizontalFilters: positive.default(8),
  numVerticalFilters: positive.default(4),
  hiddenDropout: rate.default(0.3),
  tieItemEmbeddings: z.boolean().default(true),
  useRepeatBias: z.boolean().default(true),
  initializerRange: z.number().positive().default(0.02),
  training: ownTraining,
});

/** Caser (Tang and Wang, 2018) without its user embedding, with full-softmax training. */
export const caserMethod = itemScorerMethod(
  {
    name: 'caser',
    title: 'Caser',
    summary: 'a convolutional network over the newest item numbers',
    color: { light: '#1a7a94', dark: '#5cc3de' },
    order: 24,
    section,
  },
  caser,
);
