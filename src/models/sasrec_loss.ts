import type * as tfl from '@tensorflow/tfjs-layers';
import { lossOfHistories, type LossFunction } from './next_item_loss';
import { sasrecEmbedding } from './sasrec';

/**
 * Makes SASRec's loss: cross-entropy over all items, the stronger form of the published loss. Only labelled positions
 * are scored.
 *
 * The repeat bias applies to the items before a position, which are read from the earlier labels of its row, as
 * `sasrecRows` writes them.
 *
 * @param model a model made by `sasrec`. Gradients flow into its item table and repeat bias.
 * @returns the loss of labels int32 [B, T] (item numbers, negative without a target) and hidden states [B, T, D]: a
 * scalar, the mean over labelled positions, 0 without any.
 * @throws IlrecError when the model was not made by `sasrec`; the loss throws for a label that is not an item number
 * below N.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { sasrec, sasrecBatch, sasrecLoss, sasrecRows } from 'tfjs-ilrec';
 *
 * const model = sasrec({ numItems: 10, hiddenSize: 8 });
 * const { xs, ys } = sasrecBatch(sasrecRows([7, 3, 5], 50));
 * const loss = sasrecLoss(model); // for model.compile({ optimizer, loss })
 * console.log(loss(ys, model.predict(xs) as tf.Tensor).dataSync()[0].toFixed(1)); // 2.3
 * ```
 */
export function sasrecLoss(model: tfl.LayersModel): LossFunction {
  return lossOfHistories(sasrecEmbedding(model, 'sasrecLoss'), 'sasrecLoss');
}
