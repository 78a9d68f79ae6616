import type * as tfl from '@tensorflow/tfjs-layers';
import * as z from 'zod';
import { positive } from '../config/fields';
import { restrictToSchema } from '../config/target_sections';
import { languageModelMethod } from './language_model';
import { continuedConfig, startFields, startNeed } from './preference/preference_section';
import { EPOCHS_PER_ROUND, selfPlay, SelfPlayBatches } from './preference/self_play';

/** SPRec (arXiv 2412.09243): rounds of SFT and of DPO against the model's own answers. */
export const spRecMethod = languageModelMethod({
  name: 'sprec',
  title: 'SPRec',
  summary: "SFT continued in rounds of SFT and of DPO against the model's own lists",
  color: { light: '#4a68a8', dark: '#9db8ee' },
  order: 66,
  section: z.strictObject({
    beta: z.number().positive().default(0.1),
    /** Rounds of an epoch of SFT and an epoch of DPO; they replace `training.epochs`. */
    rounds: positive.default(5),
    ...startFields,
    restrictTo: restrictToSchema,
  }),
  needs: (section) => [startNeed(section)],
  adjust(config, section) {
    const continued = continuedConfig(config, section);
    return { ...continued, training: { ...continued.training, epochs: EPOCHS_PER_ROUND * section.rounds } };
  },
  batches: (context) => SelfPlayBatches.of(context),
  objective(context) {
    context.startFrom(context.needs.start.languageModel as tfl.LayersModel); // the need accepts language models alone
    return selfPlay(context, context.batches as SelfPlayBatches); // made above
  },
});
