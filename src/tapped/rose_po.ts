import * as tf from '@tensorflow/tfjs-core';
import { calledAs, UnnamedError } from '../errors';
import { rosePoLoss } from '../losses';
import { preferenceDoubt } from '../losses/rose_po';
import { preferenceMethod, type PreferenceOptions } from './preference_method';
import type { TappedMethod } from './tapped_method';

export interface RosePoOptions extends PreferenceOptions {
  /** beta, how hard the policy is held to the reference, above 0. Default 0.1. */
  beta?: number;
  /**
   * m, the largest doubt in a pair, in [0, 0.5]: 0 is DPO; at 0.5, a pair that the oracle finds wrong only keeps the
   * policy near the reference. Default 0.5.
   */
  maxDoubt?: number;
}

/**
 * Makes the method RosePO: DPO in which an oracle, a model that scores items, says how likely each pair is the wrong way
 * round (Liao et al., arXiv 2410.12519). An item that was not chosen need not be one that the user dislikes.
 *
 * ```
 * D = beta (d(y+) - d(y-)),   e = min( m, 2 m sigma( s(y-) - s(y+) ) )       s: the oracle's log-scores
 * L = mean [ -(1 - e) log sigma(D) - e log sigma(-D) ]
 * ```
 * The authors published no code; the form of e is this library's.
 *
 * @param options see `RosePoOptions`. Its pairs must have been made with an `oracle`.
 * @returns what `compile` and `fit` take; its metrics are those of `dpo`.
 * @throws IlrecError on an option out of range, one that does not exist, or pairs without an oracle.
 * @example
 * ```ts
 * import { causalItemScorer, causalLM, createBatches, itemPairs, markovScorer, rosePo, randomRejected } from 'tfjs-ilrec';
 *
 * const [bosTokenId, padTokenId] = [5, 5]; // five items, 0 to 4
 * const sequences = [[0, 1], [3, 2]];
 * const batches = createBatches({ sequences, itemTokens: [[0], [1], [2], [3], [4]], bosTokenId, padTokenId });
 * const model = causalLM({ vocabSize: 5, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2, items: {} });
 * const pairs = await itemPairs({
 *   reference: causalItemScorer(model),
 *   batches: batches.batchesOf(0),
 *   rejected: randomRejected(),
 *   oracle: markovScorer(sequences, 5),
 * });
 * const method = rosePo({ pairs, maxDoubt: 0.3 });
 * console.log(method.metrics.map(({ name }) => name)); // [ 'rewardAccuracy', 'rewardMargin' ]
 * ```
 */
export function rosePo(options: RosePoOptions): TappedMethod {
  return calledAs('rosePo', () => {
    const { beta = 0.1, maxDoubt = 0.5, ...shared } = options;
    if (!(maxDoubt >= 0 && maxDoubt <= 0.5)) throw new UnnamedError(`maxDoubt must be from 0 to 0.5, got ${maxDoubt}`);
    const method = preferenceMethod('rosePo', { ...shared, beta }, ({ policy, reference, oracle }) => {
      const [numGroups, groupSize] = policy.shape;
      const doubt = preferenceDoubt(oracle as Float32Array, groupSize, maxDoubt);
      return rosePoLoss(policy, reference, tf.tensor2d(doubt, [numGroups, groupSize - 1]), { beta });
    });
    if (!shared.pairs.hasOracle)
      throw new UnnamedError('pairs must hold the scores of an oracle, got none; make them with the option oracle');
    return method;
  });
}
