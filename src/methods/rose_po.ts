import * as z from 'zod';
import { rosePo } from '../tapped/rose_po';
import { preferenceLanguageModel } from './preference/preference_language_model';
import {
  negativesSchema,
  numNegativesSchema,
  pairFields,
  scorerNeed,
  startFields,
  tuningFields,
} from './preference/preference_section';

/** RosePO (arXiv 2410.12519): pairs with the model's own wrong answers, which an oracle may doubt, after SFT. */
export const rosePoMethod = preferenceLanguageModel({
  name: 'rosepo',
  title: 'RosePO',
  summary: 'SFT continued on pairs that another model may doubt',
  color: { light: '#b0584f', dark: '#eda79f' },
  order: 64,
  section: z.strictObject({
    beta: z.number().positive().default(0.1),
    /** m, the largest doubt in a pair. */
    maxDoubt: z.number().min(0).max(0.5).default(0.5),
    /** The method that says which pairs to doubt, one that scores items. */
    oracle: z.string().default('sasrec'),
    /** A finished run of it to take; {seed} stands for the seed. */
    oracleRun: z.string().optional(),
    ...startFields,
    ...pairFields,
    negatives: negativesSchema.default('beams'),
    numNegatives: numNegativesSchema.default(1),
    ...tuningFields,
  }),
  needs: ({ oracle }) => [scorerNeed('oracle', oracle, 'oracle')],
  loss: (pairs, { beta, maxDoubt }) => rosePo({ pairs, beta, maxDoubt }),
});
