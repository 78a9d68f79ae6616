import * as z from 'zod';
import { IlrecError } from '../errors';
import { validItems } from '../rewards/valid_items';
import { sft } from '../tapped/sft';
import type { TappedMethod } from '../tapped/tapped_method';
import { languageModelMethod, type ObjectiveContext } from './language_model';

const section = z.strictObject({
  /** tau of the softmax; `adaptive` lets each batch move it, which is for items of several tokens. */
  temperature: z.union([z.literal('adaptive'), z.number().positive()]).default('adaptive'),
});

/** MSL (arXiv 2504.04178): fine-tuning with the softmax over the tokens with which an item goes on. */
export const mslMethod = languageModelMethod({
  name: 'msl',
  title: 'MSL',
  summary: 'a causal language model, fine-tuned with a softmax over valid items and a temperature',
  color: { light: '#8a6d00', dark: '#e0c04c' },
  order: 52,
  section,
  // every token is an item, so nothing is masked: the temperature is all that is left
  itemDefaults: { temperature: 1 },
  objective,
});

function objective({
  section: { temperature },
  code: { trie, historyOf },
  itemSoftmax,
}: ObjectiveContext<z.output<typeof section>>): TappedMethod {
  if (itemSoftmax === undefined)
    return sft({
      restrictTo: validItems({ trie, historyOf }),
      temperature: temperature === 'adaptive' ? {} : temperature,
    });
  if (temperature === 'adaptive')
    throw new IlrecError(
      'trainRun: methods.msl.temperature must be a number where items.style is items, got adaptive; 1 is the default',
    );
  return sft({ itemSoftmax, temperature });
}
