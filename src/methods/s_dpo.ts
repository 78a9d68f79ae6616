import * as z from 'zod';
import { sDpo } from '../tapped/s_dpo';
import { preferenceLanguageModel } from './preference/preference_language_model';
import { numNegativesSchema, pairFields, startFields, tuningFields } from './preference/preference_section';

/** Softmax-DPO (arXiv 2406.09215): a chosen item against three random ones at once, after SFT. */
export const sDpoMethod = preferenceLanguageModel({
  name: 'sdpo',
  title: 'S-DPO',
  summary: 'SFT continued on a chosen item against several rejected ones',
  color: { light: '#a3457f', dark: '#e49bc7' },
  order: 62,
  section: z.strictObject({
    beta: z.number().positive().default(1),
    ...startFields,
    ...pairFields,
    numNegatives: numNegativesSchema.default(3),
    ...tuningFields,
  }),
  loss: (pairs, { beta }) => sDpo({ pairs, beta }),
});
