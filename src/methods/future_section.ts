import type { FutureTargets } from '../tapped/item_softmax';
import type { ItemTokenSetting } from './language_model';

/** A section with the next items as further targets. */
export interface FutureSection {
  readonly futureTargets: FutureTargets;
}

/** The option `futureTargets` of a loss, none where their weight is 0. */
export function futureOf({ futureTargets }: FutureSection): { futureTargets?: FutureTargets } {
  return futureTargets.weight === 0 ? {} : { futureTargets };
}

/** Only a model whose tokens are items has next items as targets. */
export function futureSetting({ futureTargets: { weight } }: FutureSection): ItemTokenSetting | null {
  return weight === 0 ? null : { key: 'futureTargets.weight', value: weight, instead: '0' };
}
