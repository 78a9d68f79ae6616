import { calledAs } from '../errors';
import { dpoLoss } from '../losses';
import { preferenceMethod, type PreferenceOptions } from './preference_method';
import type { TappedMethod } from './tapped_method';

export interface DpoOptions extends PreferenceOptions {
  /** beta, how hard the policy is held to the reference, above 0. Default 0.1. */
  beta?: number;
}

/**
 * Makes the method of direct preference optimisation: the model learns to prefer chosen responses over rejected ones,
 * without leaving a frozen reference too far (Rafailov et al., arXiv 2305.18290).
 *
 * ```
 * d(y) = log pi(y|x) - log ref(y|x),   L = mean [ -log sigma( beta (d(y+) - d(y-)) ) ]
 * ```
 * Start from the weights of the reference, a fine-tuned model.
 *
 * @param options see `DpoOptions`.
 * @returns what `compile` and `fit` take; its metrics are `rewardAccuracy`, the share of pairs in the right order, and
 *   `rewardMargin`, the mean of beta (d(y+) - d(y-)).
 * @throws IlrecError on an option out of range, or one that does not exist.
 * @example
 * ```ts
 * import { AdamW, causalItemScorer, causalLM, createBatches, dpo, itemPairs, randomRejected, trainModel } from 'tfjs-ilrec';
 *
 * const [bosTokenId, padTokenId] = [5, 5]; // five items, 0 to 4
 * const batches = createBatches({ sequences: [[0, 1, 2], [3, 2]], itemTokens: [[0], [1], [2], [3], [4]], bosTokenId, padTokenId });
 * const model = causalLM({ vocabSize: 5, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2, items: {} });
 * const reference = causalItemScorer(model); // a fine-tuned model would be here
 * const pairs = await itemPairs({ reference, batches: batches.batchesOf(0), rejected: randomRejected({ seed: 1 }) });
 * const losses: number[] = [];
 * await trainModel({
 *   model,
 *   method: dpo({ pairs, beta: 0.5 }),
 *   optimizer: new AdamW({ learningRate: 0.01 }),
 *   batches,
 *   epochs: 5,
 *   callbacks: [{ onStep: ({ loss }) => void losses.push(loss) }],
 * });
 * console.log(losses[0].toFixed(4), losses[4] < losses[0]); // 0.6931 true
 * ```
 */
export function dpo(options: DpoOptions): TappedMethod {
  return calledAs('dpo', () => {
    const { beta = 0.1 } = options;
    return preferenceMethod('dpo', { ...options, beta }, ({ policy, reference }) =>
      dpoLoss(policy, reference, { beta }),
    );
  });
}
