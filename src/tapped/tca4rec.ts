import * as tf from '@tensorflow/tfjs-core';
import { calledAs, UnnamedError } from '../errors';
import { maskedSoftmax } from '../losses/masked_softmax';
import type { Reward } from '../losses/reward';
import { tokenCollaborativeAlignment } from '../losses/token_collaborative_alignment';
import { stopGradient } from '../ops/stop_gradient';
import { rewardEntries } from '../rewards/reward_entries';
import { allowedTokensOf, type TokenRestriction } from '../rewards/valid_items';
import type { TapOptions } from '../taps';
import { atTemperature, LEFT_OUT } from '../vocabulary/candidate_cross_entropy';
import { atCandidates, candidateLogits, labelColumns } from '../vocabulary/candidate_logits';
import { vocabSizeOf } from '../vocabulary/vocabulary_projection';
import { checkItemOptions, itemBatch, itemHeadOf, type ItemSoftmaxOptions, massesOf } from './item_softmax';
import { rewardContext, type TappedBatch } from './tapped_batch';
import { createTappedMethod, refuseUnknown, type TappedMethod } from './tapped_method';

/** Options of `tca4rec`. */
export interface Tca4RecOptions {
  /** c, what a collaborative model finds likely: `trieReward(...)`, or `itemReward(...)` where the tokens are items. */
  reward: Reward;
  /** a, share of the target that the reward gets, in [0, 1]. Default 0.1. */
  collaborativeWeight?: number;
  /** tau, the logits are divided by it, above 0. Default 1. */
  temperature?: number;
  /** Tokens that the softmax is restricted to, such as `validItems(...)`: MSL's mask. Default the whole vocabulary. */
  restrictTo?: TokenRestriction;
  /** For models whose tokens are items: how the softmax over items is made. Default none: tokens are not items. */
  itemSoftmax?: ItemSoftmaxOptions;
  /** Label of positions that do not count. Default -100. */
  ignoreIndex?: number;
  /** Where the head is, for models in which it cannot be found. */
  taps?: TapOptions;
}

/**
 * Makes the method of TCA4Rec (Lin et al., arXiv 2601.18457): fine-tuning towards the label and the tokens that a
 * collaborative model finds likely, see `tokenCollaborativeAlignment`.
 *
 * ```
 * L = mean_t [ log sum_v e^(z_t(v) / tau) - log sum_v q_t(v) e^(z_t(v) / tau) ],   q_t = (1 - a) onehot(y_t) + a c_t
 * ```
 * Logits of all response positions are made. Where the tokens are items, v runs over the items of the softmax.
 *
 * @param options see `Tca4RecOptions`.
 * @returns what `compile` and `fit` take; its metric `crossEntropy` is that of the labels, at the same temperature.
 * @throws IlrecError on an option out of range, or one that does not exist.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { buildPrefixTrie, causalLM, markovScorer, tca4rec, trieReward, validItems } from 'tfjs-ilrec';
 *
 * const trie = buildPrefixTrie([[3, 5], [3, 6], [4, 5]]);
 * const reward = trieReward({ scorer: markovScorer([[0, 1], [0, 2]], 3), trie });
 * const method = tca4rec({ reward, restrictTo: validItems({ trie }) });
 *
 * const model = causalLM({ vocabSize: 7, hiddenSize: 8, numHiddenLayers: 1, numAttentionHeads: 2 });
 * model.compile({ optimizer: tf.train.adam(0.01), loss: method.loss, metrics: method.metrics });
 * method.attach(model);
 * const inputIds = tf.tensor2d([[1, 3, 5, 3]], [1, 4], 'int32'); // item 0, then item 1
 * const labels = tf.tensor2d([[3, 5, 3, 6]], [1, 4], 'int32');
 * const { history } = await model.fit(inputIds, labels, { epochs: 3, verbose: 0 });
 * method.detach();
 * console.log(history.loss[2] < history.loss[0]); // true
 * ```
 */
export function tca4rec(options: Tca4RecOptions): TappedMethod {
  return calledAs('tca4rec', () => {
    refuseUnknown(options, [
      'reward',
      'collaborativeWeight',
      'temperature',
      'restrictTo',
      'itemSoftmax',
      'ignoreIndex',
      'taps',
    ] satisfies (keyof Tca4RecOptions)[]);
    const { reward, collaborativeWeight = 0.1, temperature = 1, restrictTo, itemSoftmax, ...shared } = options;
    if (typeof reward !== 'function')
      throw new UnnamedError(`reward must be a function, got ${typeof reward}; trieReward(...) makes one`);
    if (!(collaborativeWeight >= 0 && collaborativeWeight <= 1))
      throw new UnnamedError(`collaborativeWeight must be from 0 to 1, got ${collaborativeWeight}`);
    if (!(temperature > 0 && Number.isFinite(temperature)))
      throw new UnnamedError(`temperature must be above 0, got ${temperature}; 1 is the default`);
    checkItemOptions(itemSoftmax, null, restrictTo);
    if (restrictTo !== undefined && itemSoftmax !== undefined)
      throw new UnnamedError('restrictTo must not be set beside itemSoftmax: every token is an item; leave it out');
    const { method } = createTappedMethod({
      ...shared,
      name: 'tca4rec',
      metrics: ['crossEntropy'],
      inputIdsReader: 'the reward',
      loss: (batch) => {
        const { logits, labels, masses, allowed } =
          itemSoftmax === undefined
            ? overTokens(batch, reward, temperature, restrictTo)
            : overItems(batch, reward, temperature, itemSoftmax);
        const total = tokenCollaborativeAlignment(logits, labels, masses, {
          collaborativeWeight,
          ...(restrictTo === undefined ? {} : { allowed }),
        });
        return { total, crossEntropy: maskedSoftmax(stopGradient(logits), labels, allowed) };
      },
    });
    return method;
  });
}

/** What the loss reads of a batch. */
interface Aligned {
  /** z / tau, [P, C]. */
  readonly logits: tf.Tensor2D;
  /** int32 [P], columns. */
  readonly labels: tf.Tensor1D;
  /** c, [P, C]. */
  readonly masses: tf.Tensor2D;
  /** What takes part in the softmax, 1 or 0, [P, C]. */
  readonly allowed: tf.Tensor2D;
}

/** Columns are tokens. */
function overTokens(
  batch: TappedBatch,
  reward: Reward,
  temperature: number,
  restrictTo: TokenRestriction | undefined,
): Aligned {
  const logits = tf.div(batch.finalLogits(), temperature) as tf.Tensor2D; // [P, V]
  const context = rewardContext(batch, logits.shape[1]);
  return {
    logits,
    labels: batch.labels,
    masses: reward(context),
    allowed: restrictTo === undefined ? tf.onesLike(logits) : allowedTokensOf(restrictTo(context)),
  };
}

/** Columns are the candidates of the softmax over items. */
function overItems(batch: TappedBatch, reward: Reward, temperature: number, itemSoftmax: ItemSoftmaxOptions): Aligned {
  const head = itemHeadOf(batch);
  const entries = rewardEntries(reward, rewardContext(batch, vocabSizeOf(head)));
  const laid = itemBatch(batch, head, itemSoftmax, { future: null, reward: { entries, weight: 0 } });
  const { candidates } = laid;
  const scaled = atTemperature(batch.finalHidden(), laid.head, temperature);
  const logits = candidateLogits(scaled.hidden, scaled.head, candidates); // [P, C]
  return {
    logits,
    labels: labelColumns(candidates),
    masses: atCandidates(massesOf(laid), candidates),
    allowed: tf.cast(tf.greater(stopGradient(logits), LEFT_OUT / 2), 'float32') as tf.Tensor2D,
  };
}
