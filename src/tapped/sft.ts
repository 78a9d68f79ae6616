import * as tf from '@tensorflow/tfjs-core';
import { calledAs, UnnamedError } from '../errors';
import { crossEntropy } from '../losses';
import type { AdaptiveTemperatureOptions } from '../losses/adaptive_temperature';
import { maskedSoftmax } from '../losses/masked_softmax';
import { stopGradient } from '../ops/stop_gradient';
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
import { MslTemperature } from './msl_temperature';
import { rewardContext, type TappedBatch } from './tapped_batch';
import { allowedTokensOf, type TokenRestriction } from '../rewards/valid_items';
import type { LossTerms } from './last_step';
import { createTappedMethod, refuseUnknown, type TappedMethod } from './tapped_method';
import { logProbsOfLabels } from '../vocabulary/log_probs';
import { vocabSizeOf } from '../vocabulary/vocabulary_projection';
import { isStreamed } from '../vocabulary/vocabulary_tiles';

export interface SftOptions {
  /** Tokens that the softmax is restricted to, such as `validItems(...)`. Default the whole vocabulary. */
  restrictTo?: TokenRestriction;
  /**
   * tau of MSL's softmax (`maskedSoftmax`), a number above 0, or options of `adaptiveTemperature`, `{}` for the paper's.
   * It is for `restrictTo`, whose positions with one allowed token then leave the mean, and for `itemSoftmax`, where it
   * is a number. Default none: the plain softmax.
   */
  temperature?: number | AdaptiveTemperatureOptions;
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
 * With `temperature` it is MSL (Wang et al., arXiv 2504.04178). An adaptive temperature is the metric `temperature`, the
 * loss is multiplied with it, and `crossEntropy` is the mean without that factor.
 *
 * @param options see `SftOptions`.
 * @returns what `compile` and `fit` take; its metric is `crossEntropy`.
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
      'temperature',
      'itemSoftmax',
      'futureTargets',
      'ignoreIndex',
      'taps',
    ] satisfies (keyof SftOptions)[]);
    const { restrictTo, temperature, itemSoftmax, futureTargets: future = null, ...shared } = options;
    checkItemOptions(itemSoftmax, future, restrictTo);
    checkTemperaturePlace(options);
    const overItems = isOverItems(itemSoftmax, future);
    const reader = futureReader(future);
    const tau =
      temperature === undefined || overItems ? null : new MslTemperature(temperature, restrictTo?.numFirstTokens);
    const { method } = createTappedMethod({
      ...shared,
      name: 'sft',
      metrics: tau?.isAdaptive === true ? ['crossEntropy', 'temperature'] : ['crossEntropy'],
      inputIdsReader: overItems || restrictTo !== undefined || reader !== null ? 'the softmax over items' : null,
      ...(tau?.isAdaptive === true ? { state: tau, onDetach: () => tau.free() } : {}),
      loss: (batch): LossTerms & Record<'crossEntropy' | 'temperature', tf.Tensor> => {
        const none = { temperature: tf.scalar(1) };
        if (overItems) {
          const targets = { future, reward: null };
          return {
            ...none,
            ...itemSoftmaxTerms(batch, itemHeadOf(batch), itemSoftmax ?? {}, targets, itemTau(options)),
          };
        }
        if (tau !== null && restrictTo !== undefined) return mslTerms(batch, restrictTo, tau);
        const crossEntropy = responseCrossEntropy(batch, restrictTo);
        if (future === null || future.weight === 0 || reader === null)
          return { ...none, total: crossEntropy, crossEntropy };
        return { ...none, total: tf.add(crossEntropy, futureTerm(batch, future.weight, reader)), crossEntropy };
      },
    });
    return method;
  });
}

/** The temperature of a softmax over items. */
function itemTau({ temperature = 1 }: SftOptions): number {
  return temperature as number; // checked
}

/** @throws UnnamedError where nothing has the temperature. */
function checkTemperaturePlace({ restrictTo, temperature, itemSoftmax, futureTargets }: SftOptions): void {
  if (temperature === undefined) return;
  if (restrictTo === undefined && itemSoftmax === undefined)
    throw new UnnamedError('temperature needs restrictTo or itemSoftmax, got neither; restrict it to validItems(...)');
  if (itemSoftmax !== undefined && !(typeof temperature === 'number' && temperature > 0 && temperature < Infinity))
    throw new UnnamedError(
      `temperature must be a number above 0 for a softmax over items, got ${typeof temperature === 'number' ? temperature : 'options'}; an adaptive ` +
        'one is for models that write an item in several tokens',
    );
  if (restrictTo !== undefined && futureTargets !== undefined)
    throw new UnnamedError('temperature must not be set beside futureTargets of tokens; leave one out');
}

/** MSL over the allowed tokens; with an adaptive temperature times tau, as it was published. */
function mslTerms(
  batch: TappedBatch,
  restrictTo: TokenRestriction,
  tau: MslTemperature,
): Record<'total' | 'crossEntropy' | 'temperature', tf.Tensor> {
  const logits = batch.finalLogits(); // [P, V]
  const { labels } = batch;
  const allowed = allowedTokensOf(restrictTo(rewardContext(batch, logits.shape[1]))); // [P, V]
  const temperature = tau.of({ logits: stopGradient(logits), labels, allowed }, batch.training);
  const crossEntropy = maskedSoftmax(logits, labels, allowed, { temperature });
  return { total: tau.isAdaptive ? tf.mul(crossEntropy, temperature) : crossEntropy, crossEntropy, temperature };
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
