import { IlrecError } from '../errors';
import type { Penalty, ThresholdReference } from '../losses';
import type { TapOptions } from '../taps';
import type { Reward } from '../losses/reward';

/** A coefficient: a constant, or a function of the number of training steps done. */
export type Coefficient = number | ((step: number) => number);

export interface IlrecOptions {
  /** k, number of intermediate layers in S = {L-1, ..., L-k}, clamped to L-1. Default 4. */
  numNegativeLayers?: number;
  /** alpha, weight of the penalty on negatives (CPO), >= 0. Default 0.1. */
  penaltyWeight?: Coefficient;
  /** Penalty form. Default 'scale'. */
  penalty?: Penalty;
  /** phi, scale of the threshold that makes a token a negative, > 0. Default 1. */
  thresholdScale?: number;
  /** Whose probability of the label sets the threshold. Default 'final'. */
  thresholdReference?: ThresholdReference;
  /** lambda, weight of the distillation into intermediate layers (CPD), >= 0. Default 0.1. */
  distillationWeight?: Coefficient;
  /** mu, weight of the collaborative reward (CRR), >= 0; needs `reward`. Default 0, or 0.1 when `reward` is given. */
  rewardWeight?: Coefficient;
  /** Mass of each next token by a collaborative-filtering model, for example `trieReward(...)`. */
  reward?: Reward;
  /** Token ids on which CPD compares layers. Default the whole vocabulary. */
  itemTokens?: ArrayLike<number>;
  /** Label of positions that do not count. Default -100. */
  ignoreIndex?: number;
  /** Where blocks, norm and head are, when they are not found by themselves. */
  taps?: TapOptions;
}

/** The options with their defaults; only these three have none. */
export type FullIlrecOptions = Required<Omit<IlrecOptions, 'reward' | 'itemTokens' | 'taps'>> &
  Pick<IlrecOptions, 'reward' | 'itemTokens' | 'taps'>;

const TAP_OPTIONS: readonly string[] = ['blocks', 'norm', 'head', 'embedding', 'causal'] satisfies (keyof TapOptions)[];

/** @throws IlrecError on an option out of range, or one that is none. */
export function withDefaults(options: IlrecOptions): FullIlrecOptions {
  const {
    numNegativeLayers = 4,
    penaltyWeight = 0.1,
    penalty = 'scale',
    thresholdScale = 1,
    thresholdReference = 'final',
  } = options;
  const {
    distillationWeight = 0.1,
    reward,
    rewardWeight = reward === undefined ? 0 : 0.1,
    itemTokens,
    ignoreIndex = -100,
    taps,
  } = options;
  if (!Number.isInteger(numNegativeLayers) || numNegativeLayers < 1) {
    throw new IlrecError(`ilrec: numNegativeLayers must be a positive integer, got ${numNegativeLayers}`);
  }
  for (const [name, value] of Object.entries({ penaltyWeight, distillationWeight, rewardWeight })) {
    if (typeof value === 'number' && !(value >= 0))
      throw new IlrecError(`ilrec: ${name} must be at least 0, got ${value}`);
  }
  if (!(thresholdScale > 0)) throw new IlrecError(`ilrec: thresholdScale must be above 0, got ${thresholdScale}`);
  if (!['scale', 'paper', 'additive'].includes(penalty))
    throw new IlrecError(`ilrec: penalty must be 'scale', 'paper' or 'additive', got '${penalty}'`);
  if (!['final', 'ensemble'].includes(thresholdReference)) {
    throw new IlrecError(`ilrec: thresholdReference must be 'final' or 'ensemble', got '${thresholdReference}'`);
  }
  const full = {
    numNegativeLayers,
    penaltyWeight,
    penalty,
    thresholdScale,
    thresholdReference,
    distillationWeight,
    reward,
    rewardWeight,
    itemTokens,
    ignoreIndex,
    taps,
  };
  const unknown = Object.keys(options).find((name) => !(name in full));
  if (unknown !== undefined)
    throw new IlrecError(`ilrec: options must be among ${Object.keys(full).join(', ')}, got ${unknown}`);
  const strange = Object.keys(taps ?? {}).find((name) => !TAP_OPTIONS.includes(name));
  if (strange !== undefined)
    throw new IlrecError(`ilrec: taps must be among ${TAP_OPTIONS.join(', ')}, got ${strange}`);
  if (reward === undefined && rewardWeight !== 0)
    throw new IlrecError(
      'ilrec: rewardWeight is set and no reward is given; pass `reward: trieReward({ scorer, trie })`',
    );
  return full;
}
