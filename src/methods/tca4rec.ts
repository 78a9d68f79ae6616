import * as z from 'zod';
import { restrictToSchema } from '../config/target_sections';
import { tca4rec } from '../tapped/tca4rec';
import type { TappedMethod } from '../tapped/tapped_method';
import { restrictionOf } from './item_model';
import { languageModelMethod, type ObjectiveContext } from './language_model';
import { rewardNeed, rewardOfModels } from './reward_of_models';

const section = z.strictObject({
  /** a, share of the target that the reward gets. */
  collaborativeWeight: z.number().gt(0).max(1).default(0.1),
  /** tau, the logits are divided by it. */
  temperature: z.number().positive().default(1),
  restrictTo: restrictToSchema,
  /** The method behind the reward, one that scores items. It is trained first, unless `rewardRun` names a run. */
  reward: z.string().default('sasrec'),
  /** A finished run of the same items to take as the reward; {seed} stands for the seed. */
  rewardRun: z.string().optional(),
  rewardTemperature: z.number().positive().default(1),
  /** Items as tokens: how many of the reward's best items keep their mass. */
  rewardTopK: z.number().int().min(1).default(50),
});

/** TCA4Rec (arXiv 2601.18457): the label shares its place with what a collaborative model finds likely. */
export const tca4recMethod = languageModelMethod({
  name: 'tca4rec',
  title: 'TCA4Rec',
  summary: 'a causal language model, fine-tuned towards the label and what a collaborative model finds likely',
  color: { light: '#00796b', dark: '#5fd0c0' },
  order: 54,
  section,
  needs: ({ reward }) => [rewardNeed(reward)],
  objective,
});

async function objective(context: ObjectiveContext<z.output<typeof section>>): Promise<TappedMethod> {
  const { section, needs, itemSoftmax } = context;
  const { collaborativeWeight, temperature } = section;
  return tca4rec({
    reward: await rewardOfModels('tca4rec', context, Object.values(needs)),
    collaborativeWeight,
    temperature,
    ...(itemSoftmax === undefined ? {} : { itemSoftmax }),
    ...restrictionOf(context),
  });
}
