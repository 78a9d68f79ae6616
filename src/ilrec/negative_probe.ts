import * as tf from '@tensorflow/tfjs-core';
import { UnnamedError } from '../errors';
import { selfHardNegatives, type SelfHardNegativesOptions } from '../losses';
import { withoutTape } from '../ops/without_tape';
import { tokenMarks, type TokenMarksOptions } from '../rewards/token_marks';
import type { TokenRestriction } from '../rewards/valid_items';
import { refuseUnknownFields } from '../tapped/item_softmax';
import { rewardContext, type TappedBatch } from '../tapped/tapped_batch';
import { LEFT_OUT } from '../vocabulary/candidate_cross_entropy';
import { type VocabularyProjection, vocabSizeOf } from '../vocabulary/vocabulary_projection';

/** What a look at the negatives needs to know. */
export interface NegativeProbeOptions extends TokenMarksOptions {
  /** Training steps between looks. Default 100. */
  every?: number;
  /** How many of the likeliest tokens of two layers are compared. Default 10. */
  topTokens?: number;
  /** How many response positions of the batch are looked at. Default 256. */
  maxPositions?: number;
}

/** The negatives that one layer makes, or all of them together. */
export interface LayerNegatives {
  /** Mean |N_t|. */
  readonly numNegatives: number;
  /** Share of the negatives with which an item can go on. */
  readonly validShare: number;
  /** Share that leads to an item that the user takes later: false negatives. */
  readonly futureShare: number;
  /** Share that leads to one of the scorer's best items; null without a scorer. */
  readonly likedShare: number | null;
  /** Share of the likeliest tokens of the final layer that are among the likeliest here. */
  readonly overlap: number;
}

/** What a look at the negatives found. Shares are 0 where there is no negative. */
export interface NegativeReport {
  /** Training steps done. */
  readonly step: number;
  /** Each tapped layer, shallow to deep. */
  readonly layers: readonly LayerNegatives[];
  /** All of them together, which is what trains. */
  readonly ensemble: LayerNegatives;
  /** Mean |N_t| of the ensemble at the first, second, ... token of an item. */
  readonly byDepth: readonly number[];
}

/** Looks at the negatives of a batch. */
export type NegativeProbe = (batch: TappedBatch, options: SelfHardNegativesOptions) => NegativeReport;

/** @throws UnnamedError on a field out of range, or one that does not exist. */
export function checkProbe(probe: NegativeProbeOptions): void {
  refuseUnknownFields('probe', probe, [
    'trie',
    'every',
    'separators',
    'historyOf',
    'sequences',
    'maxHistory',
    'scorer',
    'topItems',
    'topTokens',
    'maxPositions',
  ] satisfies (keyof NegativeProbeOptions)[]);
  const { trie, scorer, every = 1, topItems = 1, topTokens = 1, maxPositions = 1 } = probe;
  for (const [field, value] of Object.entries({ every, topItems, topTokens, maxPositions }))
    if (!(Number.isInteger(value) && value >= 1))
      throw new UnnamedError(`probe.${field} must be a positive integer, got ${value}`);
  if (typeof (trie as TokenMarksOptions['trie'] | undefined)?.numItems !== 'number')
    throw new UnnamedError(`probe.trie must be what buildPrefixTrie returns, got ${String(trie)}`);
  if (scorer !== undefined && scorer.numItems !== trie.numItems)
    throw new UnnamedError(`probe.scorer must score the trie's ${trie.numItems} items, got ${scorer.numItems}`);
}

/**
 * Makes a look at the negatives: how many there are, where in an item they arise, and how many of them are no items or
 * may be right.
 *
 * @param excludesSeen whether the softmax leaves out items of the history; then the tokens are items.
 * @param restrictTo the tokens that the softmax is over; null for all.
 */
export function negativeProbe(
  { topTokens = 10, maxPositions = 256, every: _, ...options }: NegativeProbeOptions,
  excludesSeen: boolean,
  restrictTo: TokenRestriction | null = null,
): NegativeProbe {
  const read = tokenMarks(options);
  const look = (batch: TappedBatch, negatives: SelfHardNegativesOptions): NegativeReport => {
    const count = Math.min(maxPositions, batch.positions.length); // P'
    const { inputIds, allLabels: labels, labelIds, batchSize, sequenceLength, positions } = batch;
    const marks = read({ inputIds, labels, batchSize, sequenceLength, positions }, count);
    const leftOut = excludesSeen ? marks.history.map((items, p) => items.filter((item) => item !== labelIds[p])) : null;
    const all = logitsOf(batch, count, leftOut);
    const vocabSize = all.final.shape[1];
    const added = restrictTo?.(rewardContext(batch, vocabSize)) ?? null; // [P, V]
    const restricted = (logits: tf.Tensor2D): tf.Tensor2D =>
      added === null ? logits : tf.add(logits, tf.slice(added, 0, count));
    const [final, layers] = [restricted(all.final), all.layers.map(restricted)];
    const labelsOfRows = tf.slice(batch.labels, 0, count);
    const [valid, future] = [marked(marks.valid, vocabSize), marked(marks.future, vocabSize)];
    const liked = marks.liked === null ? null : marked(marks.liked, vocabSize);
    const best = topOf(final, topTokens);
    const lookAt = (logits: tf.Tensor2D): { found: LayerNegatives; counts: Float32Array } => {
      const { mask } = selfHardNegatives(logits, final, labelsOfRows, negatives);
      const counts = tf.sum(mask, 1).dataSync<'float32'>();
      const total = sum(counts);
      const share = (mark: tf.Tensor2D): number =>
        total === 0 ? 0 : tf.sum(tf.mul(mask, mark)).dataSync<'float32'>()[0] / total;
      const found = {
        numNegatives: total / count,
        validShare: share(valid),
        futureShare: share(future),
        likedShare: liked === null ? null : share(liked),
        overlap: overlapOf(best, topOf(logits, topTokens)),
      };
      return { counts, found };
    };
    const ensemble = lookAt(tf.mean<tf.Tensor2D>(tf.stack(layers), 0));
    return {
      step: batch.step,
      layers: layers.map((logits) => lookAt(logits).found),
      ensemble: ensemble.found,
      byDepth: meanByDepth(ensemble.counts, marks.depths),
    };
  };
  return (batch, negatives) => {
    if (tf.getBackend().startsWith('webgpu'))
      throw new UnnamedError('probe reads numbers in the middle of a step, which WebGPU cannot; use another backend');
    let report: NegativeReport | null = null;
    withoutTape(() => {
      report = look(batch, negatives);
      return tf.scalar(0);
    }).dispose();
    return report as NegativeReport | null as NegativeReport;
  };
}

/** Logits of the first positions, of the final layer and of each tapped one, [P', V] each. */
function logitsOf(
  batch: TappedBatch,
  count: number,
  leftOut: readonly (readonly number[])[] | null,
): { final: tf.Tensor2D; layers: tf.Tensor2D[] } {
  const { head, numLayers } = batch;
  const numPositions = batch.positions.length;
  const rows = (all: tf.Tensor2D, layer: number): tf.Tensor2D =>
    tf.slice(all, [layer * numPositions, 0], [count, all.shape[1]]);
  const layersOf = (all: tf.Tensor2D, logits: (part: tf.Tensor2D) => tf.Tensor2D): tf.Tensor2D[] =>
    Array.from({ length: numLayers }, (_, layer) => logits(rows(all, layer)));
  if (head === null)
    return { final: rows(batch.finalLogits(), 0), layers: layersOf(batch.earlyExitLogits(), (part) => part) };
  const project = (hidden: tf.Tensor2D): tf.Tensor2D => {
    const logits = projected(hidden, head);
    return leftOut === null ? logits : tf.add(logits, tf.mul(marked(leftOut, logits.shape[1]), LEFT_OUT));
  };
  return { final: project(rows(batch.finalHidden(), 0)), layers: layersOf(batch.earlyExitHidden(), project) };
}

function projected(hidden: tf.Tensor2D, head: VocabularyProjection): tf.Tensor2D {
  const { weight, layout, bias } = head;
  const logits = tf.matMul(hidden, weight, false, layout === 'rows') as tf.Tensor2D; // [P', V]
  return bias === null ? logits : tf.add(logits, tf.reshape(bias, [1, vocabSizeOf(head)]));
}

/** 1 at some tokens of each row, [P', V]. */
function marked(tokens: readonly (readonly number[])[], vocabSize: number): tf.Tensor2D {
  const values = new Float32Array(tokens.length * vocabSize);
  tokens.forEach((row, p) => row.forEach((token) => (values[p * vocabSize + token] = 1)));
  return tf.tensor2d(values, [tokens.length, vocabSize]);
}

/** The likeliest tokens of each row, [P'] of k, or of fewer where the softmax is over fewer. */
function topOf(logits: tf.Tensor2D, topTokens: number): Int32Array[] {
  const k = Math.min(topTokens, logits.shape[1]);
  const { values, indices } = tf.topk(logits, k);
  const [flat, sizes] = [indices.dataSync<'int32'>(), values.dataSync<'float32'>()];
  return Array.from({ length: logits.shape[0] }, (_, p) =>
    flat.slice(p * k, (p + 1) * k).filter((_token, i) => sizes[p * k + i] > LEFT_OUT / 2),
  );
}

function overlapOf(best: readonly Int32Array[], other: readonly Int32Array[]): number {
  const shared = best.map((tokens, p) => tokens.filter((token) => other[p].includes(token)).length / tokens.length);
  return sum(shared) / shared.length;
}

/** Mean over the positions of each depth. */
function meanByDepth(counts: Float32Array, depths: readonly number[]): number[] {
  const deepest = Math.max(-1, ...depths);
  return Array.from({ length: deepest + 1 }, (_, depth) => {
    const own = [...counts].filter((_, p) => depths[p] === depth);
    return own.length === 0 ? 0 : sum(own) / own.length;
  });
}

function sum(values: ArrayLike<number>): number {
  return Array.from(values).reduce((total, value) => total + value, 0);
}
