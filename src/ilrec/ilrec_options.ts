import { UnnamedError } from '../errors';
import type { Penalty, ThresholdReference } from '../losses';
import { distillationTokensOf } from '../losses/cross_layer_distillation';
import type { Reward } from '../losses/reward';
import type { TokenRestriction } from '../rewards/valid_items';
import type { TapOptions } from '../taps';
import { checkItemOptions, type FutureTargets, type ItemSoftmaxOptions } from '../tapped/item_softmax';
import { refuseUnknown } from '../tapped/tapped_method';
import { checkProbe, type NegativeProbeOptions } from './negative_probe';
import { checkNegatives, type StudiedNegatives } from './studied_negatives';

/** A coefficient: a constant, or a function of the number of training steps done. */
export type Coefficient = number | ((step: number) => number);

export interface IlrecOptions {
  /** k, number of intermediate layers in S = {L-1, ..., L-k}; at most L-1 count. Default 4. */
  numNegativeLayers?: number;
  /** alpha, weight of the penalty on negatives (CPO), >= 0. Default 0.1. */
  penaltyWeight?: Coefficient;
  /** Penalty form. Default 'scale'. */
  penalty?: Penalty;
  /** phi, scale of the threshold that makes a token a negative, > 0. Default 1. */
  thresholdScale?: number;
  /** Whose probability of the label sets the threshold. Default 'final'. */
  thresholdReference?: ThresholdReference;
  /** Departures from the paper's negatives, for studies. Default none. */
  negatives?: StudiedNegatives;
  /** lambda, weight of the distillation into intermediate layers (CPD), >= 0. Default 0.1. */
  distillationWeight?: Coefficient;
  /** Token ids on which CPD compares layers. Default the whole vocabulary. */
  distillationTokens?: ArrayLike<number>;
  /**
   * Weight of the mean cross-entropy of the intermediate layers (deep supervision), >= 0. Makes logits of all response
   * positions. Default 0.
   */
  deepSupervisionWeight?: number;
  /** mu, weight of the collaborative reward (CRR), >= 0; needs `reward`. Default 0, or 0.1 when `reward` is given. */
  rewardWeight?: Coefficient;
  /** Mass of each next token according to a collaborative-filtering model, for example `trieReward(...)`. */
  reward?: Reward;
  /**
   * Where the reward counts: 'negatives' on the negatives and the label, as in the paper, or 'all', everywhere. Where the
   * tokens are not items, 'all' makes logits of all response positions. Default 'negatives'.
   */
  rewardTargets?: 'negatives' | 'all';
  /**
   * Tokens that the softmax of every layer is restricted to, such as `validItems(...)`: then the negatives are items,
   * too. Makes logits of all response positions. Default the whole vocabulary.
   */
  restrictTo?: TokenRestriction;
  /** For models whose tokens are items: how the softmax over items is made. Default the plain softmax. */
  itemSoftmax?: ItemSoftmaxOptions;
  /** The next items as further targets. Default none. */
  futureTargets?: FutureTargets;
  /** Looks at the negatives every so many steps, for `diagnostics()`. Not on WebGPU. Default never. */
  probe?: NegativeProbeOptions;
  /** Label of positions that do not count. Default -100. */
  ignoreIndex?: number;
  /** Where blocks, norm and head are, for models in which they cannot be found. */
  taps?: TapOptions;
  /** @deprecated The old name of `distillationTokens`. */
  itemTokens?: ArrayLike<number>;
}

/** The options with their defaults; the optional ones have none. */
export type FullIlrecOptions = Required<Omit<IlrecOptions, Optional | 'itemTokens'>> & Pick<IlrecOptions, Optional>;
type Optional =
  'reward' | 'negatives' | 'probe' | 'distillationTokens' | 'restrictTo' | 'itemSoftmax' | 'futureTargets' | 'taps';

/** @throws UnnamedError on an option out of range, or one that does not exist. */
export function withDefaults(options: IlrecOptions): FullIlrecOptions {
  const {
    numNegativeLayers = 4,
    penaltyWeight = 0.1,
    penalty = 'scale',
    thresholdScale = 1,
    thresholdReference = 'final',
    negatives,
    deepSupervisionWeight = 0,
    distillationWeight = 0.1,
    reward,
    rewardWeight = reward === undefined ? 0 : 0.1,
    rewardTargets = 'negatives',
    restrictTo,
    itemSoftmax,
    futureTargets,
    probe,
    ignoreIndex = -100,
    taps,
  } = options;
  if (!Number.isInteger(numNegativeLayers) || numNegativeLayers < 1)
    throw new UnnamedError(`numNegativeLayers must be a positive integer, got ${numNegativeLayers}`);
  for (const [name, value] of Object.entries({
    penaltyWeight,
    distillationWeight,
    deepSupervisionWeight,
    rewardWeight,
  })) {
    if (typeof value === 'number' && !(value >= 0)) throw new UnnamedError(`${name} must be at least 0, got ${value}`);
  }
  if (!(thresholdScale > 0)) throw new UnnamedError(`thresholdScale must be above 0, got ${thresholdScale}`);
  if (!['scale', 'paper', 'additive'].includes(penalty))
    throw new UnnamedError(`penalty must be 'scale', 'paper' or 'additive', got '${penalty}'`);
  if (!['final', 'ensemble'].includes(thresholdReference))
    throw new UnnamedError(`thresholdReference must be 'final' or 'ensemble', got '${thresholdReference}'`);
  if (negatives !== undefined) checkNegatives(negatives, { reward, futureTargets });
  if (probe !== undefined) checkProbe(probe);
  checkItemOptions(itemSoftmax, futureTargets, restrictTo);
  const distillationTokens = distillationTokensOf('ilrec', options);
  if (distillationTokens !== undefined && (itemSoftmax?.sampledItems ?? null) !== null)
    throw new UnnamedError(
      'distillationTokens and itemSoftmax.sampledItems must not both be set: a sample decides on which items CPD ' +
        'compares the layers',
    );
  if (!['negatives', 'all'].includes(rewardTargets))
    throw new UnnamedError(`rewardTargets must be 'negatives' or 'all', got '${rewardTargets}'`);
  const full = {
    numNegativeLayers,
    penaltyWeight,
    penalty,
    thresholdScale,
    thresholdReference,
    negatives,
    deepSupervisionWeight,
    distillationWeight,
    distillationTokens,
    rewardWeight,
    reward,
    rewardTargets,
    restrictTo,
    itemSoftmax,
    futureTargets,
    probe,
    ignoreIndex,
    taps,
  };
  const { itemTokens: _, ...current } = options;
  refuseUnknown(current, Object.keys(full));
  if (reward === undefined && rewardWeight !== 0)
    throw new UnnamedError('rewardWeight is set and no reward is given; pass `reward: trieReward({ scorer, trie })`');
  return full;
}

/** Whether a term reads the layers below the last. */
export function readsLayers({
  penaltyWeight,
  negatives,
  distillationWeight,
  deepSupervisionWeight,
  rewardWeight,
  rewardTargets,
  reward,
  probe,
}: Pick<
  FullIlrecOptions,
  'penaltyWeight' | 'distillationWeight' | 'deepSupervisionWeight' | 'rewardWeight' | 'rewardTargets' | 'negatives'
> & { readonly reward?: unknown; readonly probe?: unknown }): boolean {
  const restricts = rewardWeight !== 0 && rewardTargets === 'negatives' && (reward ?? null) !== null;
  const usesNegatives = penaltyWeight !== 0 || restricts;
  return (
    probe !== undefined ||
    distillationWeight !== 0 ||
    deepSupervisionWeight !== 0 ||
    (usesNegatives && negatives?.source !== 'final')
  );
}
