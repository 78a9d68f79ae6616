import * as z from 'zod';
import { futureTargetsSchema, restrictToSchema } from '../config/target_sections';
import { languageModelMethod } from './language_model';
import { sftObjective } from './sft';

/** Supervised fine-tuning towards the next items, not the next one alone: what ILRec's targets have, without ILRec. */
export const sftFutureMethod = languageModelMethod({
  name: 'sft-future',
  title: 'SFT + future',
  summary: 'SFT with the next items as further targets',
  color: { light: '#a03a52', dark: '#ef9aae' },
  order: 50,
  comparedByDefault: true,
  section: z.strictObject({ futureTargets: futureTargetsSchema(0.35), restrictTo: restrictToSchema }),
  objective: sftObjective,
});
