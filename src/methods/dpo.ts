import * as z from 'zod';
import { dpo } from '../tapped/dpo';
import { preferenceLanguageModel } from './preference/preference_language_model';
import { numNegativesSchema, pairFields, startFields, tuningFields } from './preference/preference_section';

/** Direct preference optimisation (arXiv 2305.18290): pairs of a chosen item and a random one, after SFT. */
export const dpoMethod = preferenceLanguageModel({
  name: 'dpo',
  title: 'DPO',
  summary: 'SFT continued on pairs of chosen and rejected items',
  color: { light: '#7a4fb5', dark: '#b99aea' },
  order: 60,
  section: z.strictObject({
    beta: z.number().positive().default(0.1),
    ...startFields,
    ...pairFields,
    numNegatives: numNegativesSchema.default(1),
    ...tuningFields,
  }),
  loss: (pairs, { beta }) => dpo({ pairs, beta }),
});
