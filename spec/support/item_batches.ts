import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import type { ItemScorer } from '../../src/models/item_scorer';
import type { FutureTargets, ItemSoftmaxOptions } from '../../src/tapped/item_softmax';
import { itemReward, type ItemReward } from '../../src/rewards/item_reward';
import type { TappedMethod } from '../../src/tapped/tapped_method';
import { sampleItems } from '../../src/vocabulary/item_candidates';
import { alignmentOf } from './generative_reference';
import { itemModelReference, NUM_ITEMS as N } from './item_models';
import { scoredItems } from './item_softmax_reference';
import { normals } from './random';
import {
  crossEntropyOf,
  mean,
  type ReferenceOptions,
  referenceObjective,
  type ReferenceTerms,
  type Rows,
  softmax,
} from './reference';
import { type Weights, weightsOf } from './reference_decoder';

const [B, T] = [3, 5];
const NONE = -100;

/** Rows of one batch: the start token, then items, then padding. Users choose some items again. */
const inputIds = [N, 3, 1, 4, 1, N, 2, 7, 7, N, N, 6, 6, N, N];
const labels = [3, 1, 4, 1, 5, NONE, 7, 7, 8, NONE, 6, 6, 12, NONE, NONE];

/** The batch as `createBatches` would make it. */
export const itemBatch = {
  inputIds: Int32Array.from(inputIds),
  labels: Int32Array.from(labels),
  batchSize: B,
  sequenceLength: T,
};

/** The response positions of the batch: what comes before and after each. */
export const places = labels.flatMap((label, at) => {
  if (label === NONE) return [];
  const [start, end] = [at - (at % T), at - (at % T) + T];
  const upcoming = labels.slice(at, end).filter((each) => each !== NONE);
  const seen = inputIds.slice(start, at + 1).filter((id) => id < N);
  return [{ row: Math.floor(at / T), column: at % T, label, upcoming, seen }];
});

export const numPositions = places.length;

export function itemInputs(): { xs: tf.Tensor2D; ys: tf.Tensor2D } {
  return { xs: tf.tensor2d(inputIds, [B, T], 'int32'), ys: tf.tensor2d(labels, [B, T], 'int32') };
}

function scoresOf(history: readonly number[]): Float32Array {
  return normals(
    N,
    history.reduce((hash, item) => hash * 31 + item + 1, 7),
    2,
  );
}

/** A teacher whose scores differ with every history. */
const teacher: ItemScorer = {
  name: 'teacher',
  numItems: N,
  score: (histories) =>
    tf.tensor2d(
      histories.map((history) => Array.from(scoresOf(Array.from(history)))),
      [histories.length, N],
    ),
};

/** How many items of the teacher keep their mass. */
const topK = 3;

/** A reward that has been asked about the batch, so that it works where nothing can be read synchronously. */
export async function preparedReward(): Promise<ItemReward> {
  const reward = itemReward({ scorer: teacher, topK });
  await reward.prepare([itemBatch]);
  return reward;
}

/** The teacher's masses of all items after a history. */
function massesOf(history: readonly number[]): number[] {
  const scores = scoresOf(history);
  const kept = [...scores.keys()].sort((a, b) => scores[b] - scores[a]).slice(0, topK);
  const masses = softmax(kept.map((item) => scores[item]));
  return Array.from({ length: N }, (_, item) => (kept.includes(item) ? masses[kept.indexOf(item)] : 0));
}

/** q of all items. */
function futureOf(upcoming: readonly number[], { numItems = 5, decay = 0.5 }: FutureTargets): number[] {
  const q = new Array<number>(N).fill(0);
  upcoming.slice(0, numItems).forEach((item, j) => (q[item] += decay ** j));
  const total = q.reduce((sum, value) => sum + value);
  return q.map((value) => value / total);
}

export interface ItemLossOptions extends Partial<Omit<ReferenceOptions, 'rewardWeight'>> {
  /** Tapped layers; default none. */
  layers?: readonly number[];
  itemSoftmax?: ItemSoftmaxOptions;
  futureTargets?: FutureTargets;
  /** mu of the teacher; default none. */
  rewardWeight?: number;
  /** a of TCA4Rec, whose loss then is the total; default none. */
  alignmentWeight?: number;
  /** Scores are divided by it. Default 1. */
  temperature?: number;
  rewardTargets?: 'negatives' | 'all';
  /** Whether it is a training pass, which draws items. */
  training?: boolean;
  step?: number;
}

const PLAIN = {
  penaltyWeight: 0,
  penalty: 'scale',
  thresholdScale: 1,
  thresholdReference: 'final',
  distillationWeight: 0,
} as const;

/**
 * The loss of a model of items over the batch, in float64, from the lists of items that each position scores:
 *
 * ```
 * L = L_CPO + f (CE(q_future) - CE(y)) + lambda L_CPD + mu CE(q_teacher)        CPO is CE(y) without negatives
 * ```
 *
 * @param frozen weights that negatives, threshold and the distillation's teacher are taken from.
 */
export function itemLossReference(
  weights: Weights,
  options: ItemLossOptions = {},
  frozen: Weights = weights,
): ReferenceTerms {
  const { layers = [], itemSoftmax = {}, futureTargets, rewardWeight = 0, rewardTargets = 'negatives' } = options;
  const { training = true, step = 0, alignmentWeight, temperature = 1, ...others } = options;
  const { seen = 'allow', sampledItems = null, seed = 0 } = itemSoftmax;
  const hasRepeatBias = weights.has('embed_tokens/repeat_bias');
  const sample = training ? sampleItems(N, sampledItems, seed, step) : null;

  const lists = places.map(({ label, upcoming, seen: before }) => {
    const q = futureTargets === undefined ? null : futureOf(upcoming, futureTargets);
    const c = rewardWeight === 0 && alignmentWeight === undefined ? null : massesOf(before);
    const items = Array.from({ length: N }, (_, item) => item).filter(
      (item) => item === label || (q?.[item] ?? 0) > 0 || (c?.[item] ?? 0) > 0,
    );
    const rule = { excludeSeen: seen === 'exclude', hasRepeatBias, sample };
    const scored = scoredItems({ items, shares: items.map(() => 0), seen: before }, N, rule);
    const at = (of: number[] | null): number[] | null => of && scored.map(({ item }) => of[item]);
    return { scored, label: scored.findIndex(({ item }) => item === label), q: at(q), c: at(c) };
  });
  const scoresOfLists = (of: Weights): { final: Rows; intermediate: Rows[] } => {
    const rows = Array.from({ length: B }, (_, b) => itemModelReference(of, inputIds.slice(b * T, (b + 1) * T)));
    const [bias] = of.get('embed_tokens/bias') as Rows;
    const repeatBias = (of.get('embed_tokens/repeat_bias') as Rows | undefined)?.[0][0] ?? 0;
    const listed = (score: (row: (typeof rows)[number], column: number) => number[]): Rows =>
      places.map(({ row, column }, p) => {
        const scores = score(rows[row], column);
        return lists[p].scored.map(
          ({ item, offset, isRaised }) => (scores[item] + (isRaised ? repeatBias : 0)) / temperature + offset,
        );
      });
    return {
      final: listed((row, column) => row.scores[column]),
      intermediate: layers.map((layer) =>
        listed((row, column) =>
          row.project([row.hiddenStates[layer][column]])[0].map((value, item) => value + bias[item]),
        ),
      ),
    };
  };

  const [live, still] = [scoresOfLists(weights), scoresOfLists(frozen)];
  const isRestricted = rewardWeight !== 0 && rewardTargets === 'negatives';
  const ce = (p: number, target: readonly number[]): number =>
    target.reduce((sum, share, i) => (share === 0 ? sum : sum + share * crossEntropyOf(live.final[p], i)), 0);
  const terms = referenceObjective(
    live.final,
    live.intermediate,
    lists.map(({ label }) => label),
    isRestricted ? lists.map(({ c }) => c as number[]) : null,
    { ...PLAIN, ...others, rewardWeight: isRestricted ? rewardWeight : 0 },
    still,
  );
  let { total, crr } = terms;
  if (rewardWeight !== 0 && !isRestricted) {
    crr = mean(lists.map(({ c }, p) => ce(p, c as number[])));
    total += rewardWeight * crr;
  }
  if (futureTargets !== undefined) {
    const moved = lists.map(({ q, label }, p) => ce(p, q as number[]) - crossEntropyOf(live.final[p], label));
    total += futureTargets.weight * mean(moved);
  }
  if (alignmentWeight !== undefined) {
    const masses = lists.map(({ c }) => c as number[]);
    const settings = { weight: alignmentWeight, temperature: 1, allowed: null };
    total = alignmentOf(
      live.final,
      lists.map(({ label }) => label),
      masses,
      settings,
    );
  }
  return { ...terms, total, crr };
}

/** Loss and gradients of one training pass over the batch; gradients by the names of `weightsOf`. */
export async function itemStep(
  method: TappedMethod,
  model: tfl.LayersModel,
  { xs, ys }: { xs: tf.Tensor2D; ys: tf.Tensor2D } = itemInputs(),
): Promise<{ loss: number; gradients: Map<string, Float32Array> }> {
  const named = model.layers.flatMap((layer) =>
    layer.trainableWeights.map((weight) => ({
      name: `${layer.name}/${weight.originalName.split('/').pop() as string}`,
      variable: weight.read() as tf.Variable,
    })),
  );
  const { value, grads } = tf.variableGrads(
    () => method.loss(ys, model.apply(xs, { training: true }) as tf.Tensor),
    named.map(({ variable }) => variable),
  );
  const gradients = new Map<string, Float32Array>();
  for (const { name, variable } of named) {
    const gradient = grads[variable.name] as tf.Tensor | null;
    gradients.set(name, gradient === null ? new Float32Array(variable.size) : await gradient.data<'float32'>());
  }
  const [loss] = await value.data();
  tf.dispose([xs, ys, value, grads]);
  return { loss, gradients };
}

/** `weightsOf`, also where nothing can be read synchronously. */
export async function weightsNow(model: tfl.LayersModel): Promise<Weights> {
  await Promise.all(model.getWeights().map((weight) => weight.data()));
  return weightsOf(model);
}

/** The same weights but for one entry. */
export function withEntry(weights: Weights, name: string, flat: number, value: number): Weights {
  const rows = weights.get(name) as Rows;
  const [r, c] = [Math.floor(flat / rows[0].length), flat % rows[0].length];
  return new Map(weights).set(
    name,
    rows.map((row, at) => (at === r ? row.map((v, column) => (column === c ? value : v)) : row)),
  );
}
