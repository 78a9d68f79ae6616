import * as tf from '@tensorflow/tfjs-core';
import { UnnamedError } from '../errors';
import { futureTargets } from '../losses/future_targets';
import type { RewardEntries } from '../losses/reward';
import { type FutureTokensOptions, type FutureTokensReader, futureTokens } from '../rewards/future_tokens';
import {
  atTemperature,
  type CandidateHead,
  candidateCrossEntropy,
  type Candidates,
} from '../vocabulary/candidate_cross_entropy';
import { ofTokens } from '../vocabulary/head_of_tokens';
import { itemCandidates, sampleItems } from '../vocabulary/item_candidates';
import { type VocabularyProjection, vocabSizeOf } from '../vocabulary/vocabulary_projection';
import type { TappedBatch } from './tapped_batch';

/** Options for models whose tokens are the items themselves, such as `causalLM({ items })`. */
export interface ItemSoftmaxOptions {
  /**
   * 'exclude' leaves items of the history out of the softmax, as they are left out of the lists; a label always counts.
   * Default 'allow'.
   */
  seen?: 'allow' | 'exclude';
  /**
   * M, items drawn for each batch in place of all N: the softmax of a position is then over its targets and these, with
   * log(N / M) added to their scores. Null for all items. Catalogues of up to 2 M items are always scored whole.
   * Default null.
   */
  sampledItems?: number | null;
  /** Seed of the draws. Default 0. */
  seed?: number;
}

/** The next items as further targets. Where an item takes several tokens, `trie` is needed. */
export interface FutureTargets extends Partial<FutureTokensOptions> {
  /** Share of the target that the next items get, in [0, 1]; the label keeps the rest. */
  weight: number;
}

/** What the loss of a batch is made of. */
export interface ItemTargets {
  readonly future: FutureTargets | null;
  /** A teacher's distribution over items at each response position, and its weight mu. */
  readonly reward: { readonly entries: RewardEntries; readonly weight: number } | null;
}

/** Terms of the loss; only `total` has a gradient. */
export interface ItemTerms {
  readonly total: tf.Scalar;
  /** Cross-entropy of the labels. */
  readonly crossEntropy: tf.Scalar;
  /** Cross-entropy of the teacher's distribution; 0 without one. */
  readonly reward: tf.Scalar;
}

/** A batch laid out for a softmax over items. */
export interface ItemBatch {
  /** The rows of the head that the candidates index. */
  readonly head: CandidateHead;
  readonly candidates: Candidates;
  /** What each position aims at, [P]. */
  readonly shares: readonly Shares[];
  /** mu, 0 without a teacher. */
  readonly rewardWeight: number;
}

/** @throws UnnamedError on an option out of range, or one that does not exist. */
export function checkItemOptions(
  itemSoftmax: ItemSoftmaxOptions = {},
  future: FutureTargets | null = null,
  restrictTo?: unknown,
): void {
  const hasTrie = future?.trie !== undefined;
  if (restrictTo !== undefined && ((future !== null && !hasTrie) || Object.keys(itemSoftmax).length > 0))
    throw new UnnamedError(
      'restrictTo is for models that write an item in several tokens, got it beside itemSoftmax or futureTargets ' +
        'without a trie; leave it out',
    );
  refuseUnknownFields('itemSoftmax', itemSoftmax, [
    'seen',
    'sampledItems',
    'seed',
  ] satisfies (keyof ItemSoftmaxOptions)[]);
  const { seen = 'allow', sampledItems = null } = itemSoftmax;
  if (!['allow', 'exclude'].includes(seen))
    throw new UnnamedError(`itemSoftmax.seen must be 'allow' or 'exclude', got '${seen}'`);
  if (sampledItems !== null && !isPositiveInteger(sampledItems))
    throw new UnnamedError(`itemSoftmax.sampledItems must be a positive integer or null, got ${sampledItems}`);
  if (future === null) return;
  refuseUnknownFields('futureTargets', future, [
    'weight',
    'numItems',
    'decay',
    'trie',
    'separators',
    'historyOf',
    'sequences',
    'maxHistory',
  ] satisfies (keyof FutureTargets)[]);
  const { weight, numItems = 1, decay = 1 } = future;
  if (hasTrie && Object.keys(itemSoftmax).length > 0)
    throw new UnnamedError(
      'futureTargets.trie is for models that write an item in several tokens, got it beside itemSoftmax; leave one out',
    );
  if (hasTrie && (future.historyOf === undefined) !== (future.sequences === undefined))
    throw new UnnamedError(
      'futureTargets.historyOf and futureTargets.sequences must be set together: a prompt shows one item, the ' +
        'sequences what came after it',
    );
  if (!(weight >= 0 && weight <= 1)) throw new UnnamedError(`futureTargets.weight must be from 0 to 1, got ${weight}`);
  if (!isPositiveInteger(numItems))
    throw new UnnamedError(`futureTargets.numItems must be a positive integer, got ${numItems}`);
  if (!(decay > 0 && decay <= 1))
    throw new UnnamedError(`futureTargets.decay must be above 0 and at most 1, got ${decay}`);
}

/** Whether the loss is over items: its options say so, and no trie says that an item takes several tokens. */
export function isOverItems(itemSoftmax: ItemSoftmaxOptions | undefined, future: FutureTargets | null): boolean {
  return itemSoftmax !== undefined || (future !== null && future.trie === undefined);
}

/** Reads the next tokens of a model that writes an item in several; null without such targets. */
export function futureReader(future: FutureTargets | null): FutureTokensReader | null {
  const { trie, weight: _, ...options } = future ?? { weight: 0 };
  return trie === undefined ? null : futureTokens({ ...options, trie });
}

function isPositiveInteger(value: number): boolean {
  return Number.isInteger(value) && value >= 1;
}

/** @throws UnnamedError when an option has a field that does not exist. */
export function refuseUnknownFields(option: string, fields: object, known: readonly string[]): void {
  const unknown = Object.keys(fields).find((field) => !known.includes(field));
  if (unknown !== undefined)
    throw new UnnamedError(`fields of ${option} must be among ${known.join(', ')}, got ${unknown}`);
}

/** @throws UnnamedError when a label is not an item. */
export function itemBatch(
  batch: TappedBatch,
  head: VocabularyProjection,
  { seen = 'allow', sampledItems = null, seed = 0 }: ItemSoftmaxOptions,
  { future, reward }: ItemTargets,
): ItemBatch {
  const numItems = vocabSizeOf(head);
  const rows = rowsOf(batch, numItems);
  const teacher = reward === null ? null : teacherOf(reward.entries, rows.length);
  const rewardWeight = reward?.weight ?? 0;
  const shares = rows.map((row, p) => sharesOf(row, future, teacher?.[p] ?? null, rewardWeight));
  const { items, candidates } = itemCandidates(
    rows.map((row, p) => ({ ...shares[p], seen: row.seen })),
    numItems,
    {
      excludeSeen: seen === 'exclude',
      hasRepeatBias: (head.repeatBias ?? null) !== null,
      sample: batch.training ? sampleItems(numItems, sampledItems, seed, batch.step) : null,
    },
  );
  return { head: headOf(head, items), candidates, shares, rewardWeight };
}

/**
 * Cross-entropy over items, of labels, next items and a teacher's distribution together.
 *
 * ```
 * L = (1 - f) CE(y) + f CE(q_future) + mu CE(q_teacher)
 * ```
 * @param temperature tau, the scores are divided by it.
 */
export function itemSoftmaxTerms(
  batch: TappedBatch,
  head: VocabularyProjection,
  options: ItemSoftmaxOptions,
  targets: ItemTargets,
  temperature = 1,
): ItemTerms {
  const laid = itemBatch(batch, head, options, targets);
  const scaled = atTemperature(batch.finalHidden(), laid.head, temperature);
  const { loss, ofOwn } = candidateCrossEntropy(scaled.hidden, scaled.head, laid.candidates);
  const labels = tf.slice(ofOwn, [0, 0], [ofOwn.shape[0], 1]); // the label is the first of its own
  return {
    total: tf.mul(loss, 1 + laid.rewardWeight), // the shares of a position sum to 1
    crossEntropy: tf.mean(labels),
    reward: targets.reward === null ? tf.scalar(0) : tf.mean(tf.sum(tf.mul(ofOwn, massesOf(laid)), 1)),
  };
}

interface Row {
  readonly label: number;
  readonly upcoming: readonly number[];
  readonly seen: readonly number[];
}

/** What comes before and after each response position. */
function rowsOf({ inputIds, allLabels, positions, sequenceLength }: TappedBatch, numItems: number): Row[] {
  const ends = positions.map((position) => (Math.floor(position / sequenceLength) + 1) * sequenceLength);
  return Array.from(positions, (position, p) => {
    const start = ends[p] - sequenceLength;
    const seen: number[] = [];
    for (let at = start; at <= position; at++) if (inputIds[at] < numItems) seen.push(inputIds[at]);
    const upcoming: number[] = [];
    for (let next = p; next < positions.length && positions[next] < ends[p]; next++)
      upcoming.push(allLabels[positions[next]]);
    const label = allLabels[position];
    if (!(label >= 0 && label < numItems))
      throw new UnnamedError(`labels must be items below the ${numItems} that the model scores, got ${label}`);
    return { label, upcoming, seen };
  });
}

type Entry = readonly [item: number, mass: number];

/** The teacher's items of each position. */
function teacherOf({ rows, tokens, masses }: RewardEntries, numPositions: number): Entry[][] {
  const values = masses.dataSync<'float32'>();
  masses.dispose();
  const entries: Entry[][] = Array.from({ length: numPositions }, () => []);
  rows.forEach((row, i) => entries[row].push([tokens[i], values[i]]));
  return entries;
}

export interface Shares {
  readonly items: readonly number[];
  readonly shares: readonly number[];
  /** The teacher's mass of each item, for the metric. */
  readonly masses: readonly number[];
  /** Each item's share among the next items. */
  readonly upcoming: readonly number[];
}

/** The target of one position: label, next items and the teacher's, in shares that sum to 1. The label comes first. */
function sharesOf({ label, upcoming }: Row, future: FutureTargets | null, teacher: Entry[] | null, mu: number): Shares {
  const total = 1 + mu;
  const weights = new Map<number, number>([[label, (1 - (future?.weight ?? 0)) / total]]);
  const add = (item: number, share: number): void => void weights.set(item, (weights.get(item) ?? 0) + share);
  const next = new Map<number, number>();
  if (future !== null) {
    const { items, shares } = futureTargets(upcoming, future);
    items.forEach((item, i) => {
      next.set(item, shares[i]);
      add(item, (future.weight * shares[i]) / total);
    });
  }
  const mass = teacher?.reduce((sum, [, one]) => sum + one, 0) ?? 0;
  const known = mass > 0 ? (teacher as Entry[]) : teacher === null ? [] : [[label, 1] as const]; // no mass: the label
  const norm = mass > 0 ? mass : 1;
  for (const [item, one] of known) add(item, (mu * one) / norm / total);
  const masses = new Map(known.map(([item, one]) => [item, one / norm]));
  return {
    items: [...weights.keys()],
    shares: [...weights.values()],
    masses: Array.from(weights.keys(), (item) => masses.get(item) ?? 0),
    upcoming: Array.from(weights.keys(), (item) => next.get(item) ?? 0),
  };
}

/** The teacher's mass of each own candidate, [P, K]. */
export function massesOf(batch: ItemBatch): tf.Tensor2D {
  return ofOwn(batch, ({ masses }) => masses);
}

/** The share of each own candidate among the next items, [P, K]. */
export function upcomingOf(batch: ItemBatch): tf.Tensor2D {
  return ofOwn(batch, ({ upcoming }) => upcoming);
}

function ofOwn(
  { shares, candidates: { numOwn } }: ItemBatch,
  valuesOf: (share: Shares) => readonly number[],
): tf.Tensor2D {
  const values = new Float32Array(shares.length * numOwn);
  shares.forEach((share, p) => values.set(valuesOf(share), p * numOwn));
  return tf.tensor2d(values, [shares.length, numOwn]);
}

/** @throws UnnamedError where the head is more than one matrix. */
export function itemHeadOf({ head }: TappedBatch): VocabularyProjection {
  if (head === null) throw new UnnamedError('itemSoftmax needs a head that is one matrix; leave it out for this model');
  return head;
}

/** The rows of the head that the candidates index. */
function headOf(head: VocabularyProjection, items: Int32Array | null): CandidateHead {
  const { weight, bias } = items === null ? inRows(head) : ofTokens(head, tf.tensor1d(items, 'int32'));
  return { weight, bias: bias ?? tf.zeros([weight.shape[0]]), repeatBias: head.repeatBias ?? null };
}

function inRows(head: VocabularyProjection): VocabularyProjection {
  return head.layout === 'rows' ? head : { ...head, weight: tf.transpose(head.weight) as tf.Tensor2D, layout: 'rows' };
}
