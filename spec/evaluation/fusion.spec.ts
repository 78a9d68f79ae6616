import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { Fusion } from '../../src/evaluation/fusion';
import { beamSearchRecommender, scorerRecommender } from '../../src/evaluation/recommenders';
import { constrainedBeamSearch } from '../../src/generation/constrained_beam_search';
import { buildPrefixTrie } from '../../src/generation/prefix_trie';
import type { ItemScorer } from '../../src/models/item_scorer';
import { forEachBackend } from '../support/backends';
import { FakeDecoder } from '../support/fake_decoder';
import { normals } from '../support/random';
import { logSumExp } from '../support/reference';

const NUM_ITEMS = 13;
const itemTokens = Array.from({ length: NUM_ITEMS }, (_, item) => [3 + (item % 5), 8 + Math.floor(item / 5)]);
const trie = buildPrefixTrie(itemTokens);
const histories = [[2, 5], [7]];
const [CANDIDATES, LENGTH] = [5, 4];

/** Scores that differ with the last item. */
function named(name: string, seed: number): ItemScorer & { readonly of: (history: readonly number[]) => number[] } {
  const of = (history: readonly number[]): number[] => [...normals(NUM_ITEMS, seed + history[history.length - 1], 2)];
  return {
    name,
    numItems: NUM_ITEMS,
    of,
    score: (rows) =>
      tf.tensor2d(
        rows.map((row) => of(Array.from(row))),
        [rows.length, NUM_ITEMS],
      ),
  };
}
const [own, other] = [named('own', 1), named('other', 100)];
const logProbs = (scores: readonly number[]): number[] => scores.map((score) => score - logSumExp(scores));

async function listsOf(fusion: Fusion | undefined): Promise<number[][]> {
  const options = { beamWidth: CANDIDATES, listLength: LENGTH, histories, fusion, trie };
  const tokenizer = { bosTokenId: 1, itemTokens };
  const { recommend } = beamSearchRecommender({ decoder: new FakeDecoder(VOCAB), tokenizer, ...options });
  return (await recommend([0, 1])).map((list) => Array.from(list));
}
const VOCAB = 13;

describe('fusion with another model', () => {
  forEachBackend(() => {
    it('ranks all items by the weighted log-probabilities of two scorers', async () => {
      const fusion = { scorer: other, weight: 0.7 };
      const lists = await scorerRecommender({ scorer: own, histories, fusion, listLength: LENGTH }).recommend([0, 1]);
      histories.forEach((history, user) => {
        const [mine, theirs] = [logProbs(own.of(history)), logProbs(other.of(history))];
        const fused = mine.map((value, item) => 0.7 * value + 0.3 * theirs[item]);
        const expected = [...fused.keys()].sort((a, b) => fused[b] - fused[a]).slice(0, LENGTH);
        expect(Array.from(lists[user])).to.deep.equal(expected);
      });
    });

    it('ranks what the beam search has found by both', async () => {
      const prompts = histories.map((history) => [1, ...history.flatMap((item) => itemTokens[item])]);
      const found = await constrainedBeamSearch(new FakeDecoder(VOCAB), trie, prompts, { beamWidth: CANDIDATES });
      const lists = await listsOf({ scorer: other, weight: 0.4 });
      found.forEach(({ items, scores }, user) => {
        const theirs = logProbs(other.of(histories[user]));
        const fused = new Map(Array.from(items, (item, i) => [item, 0.4 * scores[i] + 0.6 * theirs[item]]));
        const expected = [...items].sort((a, b) => (fused.get(b) as number) - (fused.get(a) as number));
        expect(lists[user]).to.deep.equal(expected.slice(0, LENGTH));
      });
    });

    it('is the plain search for g = 1, and with D3 the other model alone for g = 0', async () => {
      const plain = await listsOf(undefined);
      for (const kind of ['d3', 'scores'] as const)
        expect(await listsOf({ scorer: other, weight: 1, kind })).to.deep.equal(plain);
      const recommender = beamSearchRecommender({
        decoder: new FakeDecoder(VOCAB),
        tokenizer: { bosTokenId: 1, itemTokens },
        histories,
        trie,
        beamWidth: 100,
        listLength: LENGTH,
        fusion: { scorer: other, weight: 0, kind: 'd3' },
      });
      const alone = await scorerRecommender({ scorer: other, histories, listLength: LENGTH }).recommend([0, 1]);
      expect(await recommender.recommend([0, 1])).to.deep.equal(alone);
    });

    it('leaves no tensor behind', async () => {
      const before = tf.memory().numTensors;
      for (const kind of ['d3', 'scores'] as const) await listsOf({ scorer: other, weight: 0.5, kind });
      await scorerRecommender({ scorer: own, histories, fusion: { scorer: other, weight: 0.5 } }).recommend([0]);
      expect(tf.memory().numTensors).to.equal(before);
    });
  });

  it('is stated in the protocol', () => {
    const options = { decoder: new FakeDecoder(VOCAB), tokenizer: { bosTokenId: 1, itemTokens }, trie, histories };
    const textOf = (fusion: Fusion): string => beamSearchRecommender({ ...options, fusion }).ranking.ranking;
    expect(textOf({ scorer: other, weight: 0.9, kind: 'd3' })).to.equal(
      'constrained beam search over the item trie, mixed with other token by token (D3), which has the weight 0.1',
    );
    expect(textOf({ scorer: other, weight: 0.5 })).to.equal(
      'constrained beam search over the item trie, mixed with other by their scores, which has the weight 0.5',
    );
    const fusion = { scorer: other, weight: 0.9 };
    expect(scorerRecommender({ scorer: own, histories, fusion }).ranking.ranking).to.equal(
      'the scores of mean of own (0.9), other (0.1)',
    );
  });

  it('is refused where it does not fit', async () => {
    const refused = (fusion: Fusion): Promise<string> => listsOf(fusion).then(String, (error: Error) => error.message);
    expect(await refused({ scorer: other, weight: -1 })).to.equal('fusion: weight must be from 0 to 1, got -1');
    expect(await refused({ scorer: { ...other, numItems: 5 }, weight: 0.5 })).to.equal(
      'fusion: both models must have the same catalogue, got 5 items in "other" and 13 in the trie',
    );
    const broken = {
      ...other,
      score: (rows: readonly unknown[]) => tf.fill([rows.length, NUM_ITEMS], NaN),
    } as ItemScorer;
    expect(await refused({ scorer: broken, weight: 0.5 })).to.match(
      /^fusion: scores must be numbers, got NaN for item \d+; the weights of a model have diverged$/,
    );
  });
});
