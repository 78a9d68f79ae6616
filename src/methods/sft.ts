import * as z from 'zod';
import { futureTargetsSchema, restrictToSchema } from '../config/target_sections';
import { sft } from '../tapped/sft';
import { type FutureSection, futureOf } from './future_section';
import { languageModelMethod, type ObjectiveContext } from './language_model';
import { restrictionOf, type RestrictedSection } from './item_model';

/** Supervised fine-tuning: cross-entropy of the item's tokens and nothing else, the baseline of every other loss. */
export const sftMethod = languageModelMethod({
  name: 'sft',
  title: 'SFT',
  summary: 'a causal language model, fine-tuned with cross-entropy alone',
  color: { light: '#c25e00', dark: '#f2a65a' },
  order: 40,
  comparedByDefault: true,
  section: z.strictObject({ futureTargets: futureTargetsSchema(0), restrictTo: restrictToSchema }),
  objective: sftObjective,
});

/** Cross-entropy, with the next items as further targets where the section asks for them. */
export function sftObjective(context: ObjectiveContext<FutureSection & RestrictedSection>): ReturnType<typeof sft> {
  const { itemSoftmax } = context;
  return sft({
    ...(itemSoftmax === undefined ? {} : { itemSoftmax }),
    ...futureOf(context),
    ...restrictionOf(context),
  });
}
