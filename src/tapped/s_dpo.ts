import { calledAs } from '../errors';
import { sDpoLoss } from '../losses';
import { preferenceMethod, type PreferenceOptions } from './preference_method';
import type { TappedMethod } from './tapped_method';

export interface SDpoOptions extends PreferenceOptions {
  /** beta, how hard the policy is held to the reference, above 0. Default 1. */
  beta?: number;
}

/**
 * Makes the method of softmax-DPO, which compares the chosen response with several rejected ones at once (Chen et al.,
 * arXiv 2406.09215). With one rejected response it is DPO.
 *
 * ```
 * d(y) = log pi(y|x) - log ref(y|x),   L = mean [ -log sigma( -log sum_j exp( beta (d(y_j-) - d(y+)) ) ) ]
 * ```
 *
 * @param options see `SDpoOptions`.
 * @returns what `compile` and `fit` take; its metrics are those of `dpo`.
 * @throws IlrecError on an option out of range, or one that does not exist.
 * @example
 * ```ts
 * import { causalItemScorer, causalLM, createBatches, itemPairs, randomRejected, sDpo } from 'tfjs-ilrec';
 *
 * const [bosTokenId, padTokenId] = [5, 5]; // five items, 0 to 4
 * const batches = createBatches({ sequences: [[0, 1], [3, 2]], itemTokens: [[0], [1], [2], [3], [4]], bosTokenId, padTokenId });
 * const model = causalLM({ vocabSize: 5, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2, items: {} });
 * const pairs = await itemPairs({
 *   reference: causalItemScorer(model),
 *   batches: batches.batchesOf(0),
 *   rejected: randomRejected({ numRejected: 3 }),
 * });
 * const method = sDpo({ pairs });
 * console.log(method.metrics.map(({ name }) => name)); // [ 'rewardAccuracy', 'rewardMargin' ]
 * ```
 */
export function sDpo(options: SDpoOptions): TappedMethod {
  return calledAs('sDpo', () => {
    const { beta = 1 } = options;
    return preferenceMethod('sDpo', { ...options, beta }, ({ policy, reference }) =>
      sDpoLoss(policy, reference, { beta }),
    );
  });
}
