import type { FutureTargets } from '../tapped/item_softmax';
import type { ObjectiveContext } from './language_model';

/** A section with the next items as further targets. */
export interface FutureSection {
  readonly futureTargets: { readonly weight: number; readonly numItems: number; readonly decay: number };
}

/** The option `futureTargets` of a loss, none where their weight is 0. */
export function futureOf({
  section: { futureTargets },
  config,
  code: { trie, historyOf },
  sequences,
  itemSoftmax,
}: ObjectiveContext<FutureSection>): { futureTargets?: FutureTargets } {
  if (futureTargets.weight === 0) return {};
  if (itemSoftmax !== undefined) return { futureTargets };
  if (historyOf === undefined) return { futureTargets: { ...futureTargets, trie } };
  const { maxHistory } = config.training;
  return { futureTargets: { ...futureTargets, trie, historyOf, sequences, maxHistory } };
}
