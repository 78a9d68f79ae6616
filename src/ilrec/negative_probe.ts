import * as tf from '@tensorflow/tfjs-core';
import { UnnamedError } from '../errors';
import type { PrefixTrie } from '../generation/prefix_trie';
import { selfHardNegatives, type SelfHardNegativesOptions } from '../losses';
import { type ItemScorer, scorePrefixes } from '../models/item_scorer';
import { withoutTape } from '../ops/without_tape';
import { futureTokens, type FutureTokensReader } from '../rewards/future_tokens';
import { edgeTowards, placesOf } from '../rewards/trie_places';
import { type PromptHistory, type TokenContext, type TrieWalk, walkTrie } from '../rewards/trie_walk';
import type { TappedBatch } from '../tapped/tapped_batch';
import { refuseUnknownFields } from '../tapped/item_softmax';
import { LEFT_OUT } from '../vocabulary/candidate_cross_entropy';
import { type VocabularyProjection, vocabSizeOf } from '../vocabulary/vocabulary_projection';

/** What a look at the negatives needs to know. */
export interface NegativeProbeOptions {
  /** The items' token sequences; of one token each where the tokens are items. */
  trie: PrefixTrie;
  /** Training steps between looks. Default 100. */
  every?: number;
  /** Tokens after which a row holds another user's items. Default none. */
  separators?: readonly number[];
  /** For text prompts: reads the history. */
  historyOf?: PromptHistory;
  /** For text prompts: the histories that the prompts were made of, item numbers, oldest first. */
  sequences?: readonly ArrayLike<number>[];
  /** For text prompts: how many items a prompt shows at most. Default all. */
  maxHistory?: number;
  /** A recommender whose best items may be false negatives. Default none. */
  scorer?: ItemScorer;
  /** How many of its best items. Default 50. */
  topItems?: number;
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
  if (typeof (trie as PrefixTrie | undefined)?.numItems !== 'number')
    throw new UnnamedError(`probe.trie must be what buildPrefixTrie returns, got ${String(trie)}`);
  if (scorer !== undefined && scorer.numItems !== trie.numItems)
    throw new UnnamedError(`probe.scorer must score the trie's ${trie.numItems} items, got ${scorer.numItems}`);
}

/**
 * Makes a look at the negatives: how many there are, where in an item they arise, and how many of them are no items or
 * may be right.
 *
 * @param excludesSeen whether the softmax leaves out items of the history; then the tokens are items.
 */
export function negativeProbe(options: NegativeProbeOptions, excludesSeen: boolean): NegativeProbe {
  const { trie, separators = [], historyOf, scorer, topItems = 50, topTokens = 10, maxPositions = 256 } = options;
  const separatorSet = new Set(separators);
  const { every: _, topItems: __, topTokens: ___, maxPositions: ____, scorer: _____, ...rest } = options;
  const reader = futureTokens({ ...rest, numItems: Number.MAX_SAFE_INTEGER, decay: 1 });
  const places = placesOf(trie);
  const depths = depthsOf(trie);
  return (batch, negatives) => {
    if (tf.getBackend().startsWith('webgpu'))
      throw new UnnamedError('probe reads numbers in the middle of a step, which WebGPU cannot; use another backend');
    let report: NegativeReport | null = null;
    const look = (): tf.Scalar => {
      const count = Math.min(maxPositions, batch.positions.length); // P'
      const { inputIds, allLabels: labels, batchSize, sequenceLength, positions } = batch;
      const context = { inputIds, labels, batchSize, sequenceLength, positions };
      const walk = walkTrie(trie, context, separatorSet, historyOf);
      const seen = excludesSeen ? tf.mul(seenItems(walk, batch.labelIds, count, trie.numItems), LEFT_OUT) : null;
      const { final, layers } = logitsOf(batch, count, seen as tf.Tensor2D | null);
      const vocabSize = final.shape[1];
      const labelsOfRows = tf.slice(batch.labels, 0, count);
      const marks = {
        valid: validTokens(trie, walk, count, vocabSize),
        future: upcomingTokens(reader, context, count, vocabSize),
        liked: scorer === undefined ? null : likedTokens(trie, walk, scorer, topItems, places, count, vocabSize),
      };
      const best = topOf(final, topTokens);
      const lookAt = (logits: tf.Tensor2D): { found: LayerNegatives; counts: Float32Array } => {
        const { mask } = selfHardNegatives(logits, final, labelsOfRows, negatives);
        const counts = tf.sum(mask, 1).dataSync<'float32'>();
        const total = sum(counts);
        const share = (mark: tf.Tensor2D): number =>
          total === 0 ? 0 : tf.sum(tf.mul(mask, mark)).dataSync<'float32'>()[0] / total;
        return {
          counts,
          found: {
            numNegatives: total / count,
            validShare: share(marks.valid),
            futureShare: share(marks.future),
            likedShare: marks.liked === null ? null : share(marks.liked),
            overlap: overlapOf(best, topOf(logits, topTokens)),
          },
        };
      };
      const ensemble = lookAt(tf.mean<tf.Tensor2D>(tf.stack(layers), 0));
      report = {
        step: batch.step,
        layers: layers.map((logits) => lookAt(logits).found),
        ensemble: ensemble.found,
        byDepth: meanByDepth(ensemble.counts, walk, depths),
      };
      return tf.scalar(0);
    };
    withoutTape(look).dispose();
    return report as NegativeReport | null as NegativeReport;
  };
}

/** Logits of the first positions, of the final layer and of each tapped one, [P', V] each. */
function logitsOf(
  batch: TappedBatch,
  count: number,
  added: tf.Tensor2D | null,
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
    return added === null ? logits : (tf.add(logits, added) as tf.Tensor2D);
  };
  return { final: project(rows(batch.finalHidden(), 0)), layers: layersOf(batch.earlyExitHidden(), project) };
}

function projected(hidden: tf.Tensor2D, head: VocabularyProjection): tf.Tensor2D {
  const { weight, layout, bias } = head;
  const logits = tf.matMul(hidden, weight, false, layout === 'rows') as tf.Tensor2D; // [P', V]
  return bias === null ? logits : tf.add(logits, tf.reshape(bias, [1, vocabSizeOf(head)]));
}

/** 1 at the items of the history, but for the label, [P', N]. */
function seenItems(
  { histories, rows, lengths }: TrieWalk,
  labels: Int32Array,
  count: number,
  numItems: number,
): tf.Tensor2D {
  return marked(count, numItems, (p) => histories[rows[p]].slice(0, lengths[p]).filter((item) => item !== labels[p]));
}

/** 1 at tokens with which an item goes on, [P', V]. */
function validTokens(trie: PrefixTrie, { nodes }: TrieWalk, count: number, vocabSize: number): tf.Tensor2D {
  return marked(count, vocabSize, function* (p) {
    if (nodes[p] < 0) return;
    for (let edge = trie.childStart[nodes[p]]; edge < trie.childStart[nodes[p] + 1]; edge++)
      yield trie.childToken[edge];
  });
}

/** 1 at tokens that lead to an item that the user takes later, [P', V]. */
function upcomingTokens(
  reader: FutureTokensReader,
  context: TokenContext,
  count: number,
  vocabSize: number,
): tf.Tensor2D {
  const { rows, tokens } = reader(context);
  const tokensOf: number[][] = Array.from({ length: count }, () => []);
  rows.forEach((row, i) => tokensOf[row]?.push(tokens[i]));
  return marked(count, vocabSize, (p) => tokensOf[p]);
}

/** 1 at tokens that lead to one of a recommender's best items, [P', V]. */
function likedTokens(
  trie: PrefixTrie,
  { histories, rows, lengths, nodes }: TrieWalk,
  scorer: ItemScorer,
  topItems: number,
  places: Int32Array,
  count: number,
  vocabSize: number,
): tf.Tensor2D {
  const scores = scorePrefixes(scorer, histories, rows.slice(0, count), lengths.slice(0, count)); // [P', N]
  const k = Math.min(topItems, scorer.numItems);
  const items = tf.topk(scores, k).indices.dataSync<'int32'>(); // [P', k]
  scores.dispose();
  return marked(count, vocabSize, function* (p) {
    for (const item of items.subarray(p * k, (p + 1) * k)) {
      const edge = nodes[p] < 0 ? -1 : edgeTowards(trie, nodes[p], places[item]);
      if (edge >= 0) yield trie.childToken[edge];
    }
  });
}

function marked(count: number, vocabSize: number, tokensOf: (p: number) => Iterable<number>): tf.Tensor2D {
  const values = new Float32Array(count * vocabSize);
  for (let p = 0; p < count; p++) for (const token of tokensOf(p)) values[p * vocabSize + token] = 1;
  return tf.tensor2d(values, [count, vocabSize]);
}

/** The likeliest tokens of each row, [P'] of k. */
function topOf(logits: tf.Tensor2D, topTokens: number): Int32Array[] {
  const k = Math.min(topTokens, logits.shape[1]);
  const flat = tf.topk(logits, k).indices.dataSync<'int32'>();
  return Array.from({ length: logits.shape[0] }, (_, p) => flat.slice(p * k, (p + 1) * k));
}

function overlapOf(best: readonly Int32Array[], other: readonly Int32Array[]): number {
  const shared = best.map((tokens, p) => tokens.filter((token) => other[p].includes(token)).length / tokens.length);
  return sum(shared) / shared.length;
}

/** Mean over the positions of each depth. */
function meanByDepth(counts: Float32Array, { nodes }: TrieWalk, depths: Int32Array): number[] {
  const totals: number[] = [];
  const positions: number[] = [];
  counts.forEach((value, p) => {
    if (nodes[p] < 0) return;
    const depth = depths[nodes[p]];
    totals[depth] = (totals[depth] ?? 0) + value;
    positions[depth] = (positions[depth] ?? 0) + 1;
  });
  return Array.from(totals, (total, depth) => (positions[depth] === undefined ? 0 : total / positions[depth]));
}

/** Tokens before each node. */
function depthsOf({ numNodes, childStart }: PrefixTrie): Int32Array {
  const depths = new Int32Array(numNodes);
  for (let node = 0; node < numNodes; node++)
    for (let edge = childStart[node]; edge < childStart[node + 1]; edge++) depths[edge + 1] = depths[node] + 1;
  return depths;
}

function sum(values: ArrayLike<number>): number {
  return Array.from(values).reduce((total, value) => total + value, 0);
}
