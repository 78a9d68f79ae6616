import type { FutureTargets } from '../tapped/item_softmax';
import type { ObjectiveContext } from './language_model';

/** A section with the next items as further targets. */
export interface FutureSection {
  readonly futureTargets: { readonly weight: number; readonly numItems: number; readonly decay: number };
}

/** The option `futureTargets` of a loss, none where their weight is 0. */
export function futureOf(context: ObjectiveContext<FutureSection>): { futureTargets?: FutureTargets } {
  return context.section.futureTargets.weight === 0 ? {} : { futureTargets: nextItemsOf(context) };
}

/** The next items and how they are found, whatever their weight. */
export function nextItemsOf({
  section: { futureTargets },
  config,
  code: { trie, historyOf },
  data: {
    split: { train: sequences },
  },
  itemSoftmax,
}: ObjectiveContext<FutureSection>): FutureTargets {
  if (itemSoftmax !== undefined) return futureTargets;
  if (historyOf === undefined) return { ...futureTargets, trie };
  const { maxHistory } = config.training;
  return { ...futureTargets, trie, historyOf, sequences, maxHistory };
}
