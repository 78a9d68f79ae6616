import type * as tfl from '@tensorflow/tfjs-layers';
import type { ItemScorer } from './item_scorer';
import { scorerOfHistories } from './next_item_scorer';
import { sasrecEmbedding } from './sasrec';

/**
 * Makes a scorer of a trained SASRec: the logits of all items after a history, with the repeat bias on its items. An
 * empty history is scored from the start alone.
 *
 * A history longer than the model's `maxHistory` is cut to its newest items. The scorer reads the model's current
 * weights, so that training may continue between calls.
 *
 * @param model a model made by `sasrec`.
 * @returns the scorer.
 * @throws IlrecError when the model was not made by `sasrec`.
 * @example
 * ```ts
 * import { sasrec, sasrecScorer } from 'tfjs-ilrec';
 *
 * const scorer = sasrecScorer(sasrec({ numItems: 10, hiddenSize: 8 }));
 * console.log(scorer.score([[3, 1], []]).shape); // [ 2, 10 ]
 * ```
 */
export function sasrecScorer(model: tfl.LayersModel): ItemScorer {
  return scorerOfHistories(model, sasrecEmbedding(model, 'sasrecScorer'), 'sasrec');
}
