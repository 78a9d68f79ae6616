import * as tf from '@tensorflow/tfjs-core';
import { calledAs } from '../errors';
import { crossEntropy } from '../losses';
import type { TapOptions } from '../taps';
import { futureTerm } from './future_term';
import {
  checkItemOptions,
  type FutureTargets,
  futureReader,
  isOverItems,
  itemHeadOf,
  type ItemSoftmaxOptions,
  itemSoftmaxTerms,
} from './item_softmax';
import { rewardContext, type TappedBatch } from './tapped_batch';
import type { TokenRestriction } from '../rewards/valid_items';
import { createTappedMethod, refuseUnknown, type TappedMethod } from './tapped_method';
import { logProbsOfLabels } from '../vocabulary/log_probs';
import { vocabSizeOf } from '../vocabulary/vocabulary_projection';
import { isStreamed } from '../vocabulary/vocabulary_tiles';

export interface SftOptions {
  /** Tokens that the softmax is restricted to, such as `validItems(...)`. Default the whole vocabulary. */
  restrictTo?: TokenRestriction;
  /** For models whose tokens are items: how the softmax over items is made. Default the plain softmax. */
  itemSoftmax?: ItemSoftmaxOptions;
  /** The next items as further targets. Default none. */
  futureTargets?: FutureTargets;
  /** Label of positions that do not count. Default -100. */
  ignoreIndex?: number;
  /** Where the head is, for models in which it cannot be found. */
  taps?: TapOptions;
}

/**
 * Makes the method of supervised fine-tuning: cross-entropy at the response positions alone, the baseline of every
 * other method.
 *
 * ```
 * L_CE = mean_t [ logsumexp(z_t) - z_t(y_t) ]
 * ```
 * Equal to `ilrec({ penaltyWeight: 0, distillationWeight: 0 })`, and cheaper: only what the head reads is tapped, so a
 * model of one block can be trained, too. Logits of all positions are never made; with a large vocabulary, not even
 * those of the response positions.
 *
 * @param options see `SftOptions`.
 * @returns what `compile` and `fit` take; its one metric is `crossEntropy`.
 * @throws IlrecError on an option out of range, or one that does not exist.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { causalLM, sft } from 'tfjs-ilrec';
 *
 * const model = causalLM({ vocabSize: 11, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2 });
 * const method = sft();
 * model.compile({ optimizer: tf.train.adam(0.01), loss: method.loss, metrics: method.metrics });
 * method.attach(model);
 * const inputIds = tf.tensor2d([[1, 2, 3, 4]], [1, 4], 'int32');
 * const labels = tf.tensor2d([[-100, 3, 4, 5]], [1, 4], 'int32');
 * const { history } = await model.fit(inputIds, labels, { epochs: 2, verbose: 0 });
 * method.detach();
 * console.log(Number(history.loss[0]).toFixed(1)); // 2.4
 * console.log(method.numResponsePositions, method.step); // 3 2
 * ```
 */
export function sft(options: SftOptions = {}): TappedMethod {
  return calledAs('sft', () => {
    refuseUnknown(options, [
      'restrictTo',
      'itemSoftmax',
      'futureTargets',
      'ignoreIndex',
      'taps',
    ] satisfies (keyof SftOptions)[]);
    const { restrictTo, itemSoftmax, futureTargets: future = null, ...shared } = options;
    checkItemOptions(itemSoftmax, future, restrictTo);
    const overItems = isOverItems(itemSoftmax, future);
    const reader = futureReader(future);
    const { method } = createTappedMethod({
      ...shared,
      name: 'sft',
      metrics: ['crossEntropy'],
      inputIdsReader: overItems || restrictTo !== undefined || reader !== null ? 'the softmax over items' : null,
      loss: (batch) => {
        if (overItems) return itemSoftmaxTerms(batch, itemHeadOf(batch), itemSoftmax ?? {}, { future, reward: null });
        const crossEntropy = responseCrossEntropy(batch, restrictTo);
        if (future === null || future.weight === 0 || reader === null) return { total: crossEntropy, crossEntropy };
        return { total: tf.add(crossEntropy, futureTerm(batch, future.weight, reader)), crossEntropy };
      },
    });
    return method;
  });
}

/** Mean over P; a large head is read tile by tile. */
export function responseCrossEntropy(batch: TappedBatch, restrictTo?: TokenRestriction): tf.Tensor {
  if (restrictTo !== undefined) {
    const logits = batch.finalLogits(); // [P, V]
    return crossEntropy(tf.add(logits, restrictTo(rewardContext(batch, logits.shape[1]))), batch.labels);
  }
  const { head, labelIds } = batch;
  if (head === null || !isStreamed(vocabSizeOf(head), labelIds.length))
    return crossEntropy(batch.finalLogits(), batch.labels);
  return tf.neg(
    tf.mean(
      logProbsOfLabels(batch.finalHidden(), head, { places: Int32Array.from(labelIds.keys()), labels: labelIds }),
    ),
  );
}
