import type * as tfl from '@tensorflow/tfjs-layers';
import type { ItemScorer } from '../../models/item_scorer';
import type { PreferencePairs } from '../../tapped/preference_pairs';
import type { TrainingMethod } from '../../training/train_model';
import { type LanguageModelMethod, languageModelMethod, type ObjectiveContext } from '../language_model';
import type { Method } from '../method';
import { keptPairs } from './kept_pairs';
import { PairBatches } from './pair_batches';
import { continuedConfig, type PairSection, scorerNeed, startNeed } from './preference_section';
import { readPairs } from './read_pairs';
import { givenRejected, rejectedOf } from './rejected';

/** The pairs of a run and what the frozen models say of them. */
const PAIRS_FILE = 'pairs.safetensors';

/** What distinguishes one method that trains on pairs from another. */
export interface PreferenceLanguageModel<Name extends string, Section> extends Omit<
  LanguageModelMethod<Name, Section>,
  'objective' | 'batches' | 'adjust' | 'epochsRatio'
> {
  /** The training method, with `dpo` and the like. */
  loss(pairs: PreferencePairs, section: Section): TrainingMethod;
}

/**
 * Makes a method that continues a fine-tuned language model on pairs of chosen and rejected items. The model that it
 * starts from is the frozen reference; it is asked once, and what it said is kept in the run folder.
 */
export function preferenceLanguageModel<const Name extends string, Section extends PairSection>({
  loss,
  needs = () => [],
  ...description
}: PreferenceLanguageModel<Name, Section>): Method<Name, Section> {
  return languageModelMethod<Name, Section>({
    ...description,
    needs: (section) => [
      startNeed(section),
      ...(section.pairs === null && section.negatives === 'model'
        ? [scorerNeed('negatives', section.negativesMethod, 'negativesMethod')]
        : []),
      ...needs(section),
    ],
    adjust: continuedConfig,
    epochsRatio: ({ epochsRatio }) => epochsRatio,
    async batches(context) {
      const { section, itemSoftmax } = context;
      const option = `methods.${description.name}.pairs`;
      const given =
        section.pairs === null ? null : await readPairs(section.pairs, option, context, section.numNegatives);
      return itemSoftmax === undefined
        ? PairBatches.overTokens(context, given, section.numNegatives)
        : PairBatches.overItems(context, given);
    },
    async objective(context) {
      return loss(await pairsOf(context), context.section);
    },
  });
}

/** Takes over the weights to start from, and makes or reads the pairs. */
async function pairsOf(context: ObjectiveContext<PairSection>): Promise<PreferencePairs> {
  const { needs, startFrom } = context;
  const reference = needs.start.languageModel as tfl.LayersModel; // the need accepts language models alone
  startFrom(reference);
  const batches = context.batches as PairBatches; // made above
  return await keptPairs(context, {
    file: PAIRS_FILE,
    batches,
    reference,
    rejected: batches.given === null ? rejectedOf(context) : givenRejected(batches.given),
    oracle: needs.oracle?.scorer as ItemScorer | undefined,
  });
}
