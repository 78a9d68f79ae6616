import * as z from 'zod';
import { sft } from '../tapped/sft';
import { languageModelMethod } from './language_model';

/** Supervised fine-tuning: cross-entropy of the item's tokens and nothing else, the baseline of every other loss. */
export const sftMethod = languageModelMethod({
  name: 'sft',
  title: 'SFT',
  summary: 'a causal language model, fine-tuned with cross-entropy alone',
  color: { light: '#c25e00', dark: '#f2a65a' },
  order: 40,
  comparedByDefault: true,
  section: z.strictObject({}),
  objective: () => sft(),
});
