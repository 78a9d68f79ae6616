import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { evaluateRecommender } from '../../src/evaluation/evaluate_ranking';
import { beamSearchRecommender, scorerRecommender } from '../../src/evaluation/recommenders';
import { buildPrefixTrie } from '../../src/generation/prefix_trie';
import type { ItemScorer } from '../../src/models/item_scorer';
import { forEachBackend } from '../support/backends';
import { FakeDecoder } from '../support/fake_decoder';
import { integers } from '../support/random';

const NUM_ITEMS = 23;
const itemTokens = Array.from({ length: NUM_ITEMS }, (_, item) => [3 + (item % 5), 8 + (item % 3), 11 + (item % 2)]); // some share a sequence
const histories = Array.from({ length: 17 }, (_, user) => integers(user % 6, NUM_ITEMS, user));
const targets = integers(17, NUM_ITEMS, 99);

/**
 * Scores -|item - last item|, 0 for the last item itself; of two items as far from it the lower number must be ahead.
 */
const nearest: ItemScorer = {
  name: 'nearest',
  numItems: NUM_ITEMS,
  score: (rows) =>
    tf.tensor2d(
      rows.map((history) =>
        Array.from({ length: NUM_ITEMS }, (_, item) => -Math.abs(item - (history[history.length - 1] ?? 0))),
      ),
      [rows.length, NUM_ITEMS],
    ),
};

describe('recommenders', () => {
  forEachBackend(() => {
    it('rank every item by its score, equal scores by item number', async () => {
      const [list] = await scorerRecommender({ scorer: nearest, histories: [[1, 10]], listLength: 6 }).recommend([0]);
      expect([...Array.from(list)]).to.deep.equal([10, 9, 11, 8, 12, 7]);
      const [all] = await scorerRecommender({ scorer: nearest, histories: [[]], listLength: 100 }).recommend([0]);
      expect(Array.from(all)).to.deep.equal(Array.from({ length: NUM_ITEMS }, (_, item) => item));
    });

    it('leave out seen items, or see only the newest of the history, when asked', async () => {
      const options = { scorer: nearest, histories: [[9, 11, 10]], listLength: 3 };
      expect(Array.from((await scorerRecommender({ ...options, excludeSeen: true }).recommend([0]))[0])).to.deep.equal([
        8, 12, 7,
      ]);
      const sawLast: number[] = [];
      const scorer: ItemScorer = {
        ...nearest,
        score: (rows) => (sawLast.push(...rows.map(({ length }) => length)), nearest.score(rows)),
      };
      await scorerRecommender({ ...options, scorer, maxHistory: 2 }).recommend([0]);
      expect(sawLast).to.deep.equal([2]);
    });

    it('beam-search valid items for every user, the same in batches of any size, and leave no tensor behind', async () => {
      const trie = buildPrefixTrie(itemTokens);
      const before = tf.memory().numTensors;
      const decoder = new FakeDecoder(13);
      const recommender = beamSearchRecommender({ decoder, trie, tokenizer: { bosTokenId: 1, itemTokens }, histories });
      const one = await evaluateRecommender({ ...recommender, targets, split: 'test', batchSize: 1 });
      const many = await evaluateRecommender({ ...recommender, targets, split: 'test', batchSize: 7 });
      expect([...many.ranks]).to.deep.equal([...one.ranks]);
      expect(many).to.include({ users: 17, invalidItems: 0 });
      expect(many.protocol).to.include({ beamWidth: 20, renormalize: false, excludeSeen: false, numItems: NUM_ITEMS });
      expect(decoder.prefilledTokens).to.equal(2 * histories.reduce((sum, history) => sum + 1 + 3 * history.length, 0)); // two evaluations
      const scored = await evaluateRecommender({
        ...scorerRecommender({ scorer: nearest, histories }),
        targets,
        split: 'test',
      });
      expect(scored.users).to.equal(17);
      expect(tf.memory().numTensors).to.equal(before);
    });

    it('widen a beam to the items that each list must hold, and say so', async () => {
      const trie = buildPrefixTrie(itemTokens);
      const tokenizer = { bosTokenId: 1, itemTokens };
      const options = { decoder: new FakeDecoder(13), trie, tokenizer, histories, listLength: 10, leastItems: 10 };
      const { ranking, recommend } = beamSearchRecommender({ ...options, beamWidth: 2 });
      expect(ranking).to.include({ beamWidth: 10, askedBeamWidth: 2 });
      for (const list of await recommend([0, 5, 16])) expect(list).to.have.length(10);
      expect(beamSearchRecommender({ ...options, beamWidth: 11 }).ranking).to.include({ beamWidth: 11 });
      const small = { ...options, trie: buildPrefixTrie([[3], [4]]), beamWidth: 1 };
      expect(beamSearchRecommender(small).ranking.beamWidth, 'two items').to.equal(2);
      for (const beamWidth of [0, 1.5, NaN])
        expect(() => beamSearchRecommender({ ...options, beamWidth })).to.throw(
          `beamSearchRecommender: beamWidth must be an integer of at least 1, got ${beamWidth}`,
        );
    });

    it('put the more popular of the items behind one sequence first', async () => {
      const trie = buildPrefixTrie([[3], [3], [3]]);
      const options = {
        decoder: new FakeDecoder(5),
        trie,
        tokenizer: { bosTokenId: 1, itemTokens: [[3], [3], [3]] },
        histories: [[0]],
      };
      const listOf = async (more: object): Promise<number[]> =>
        Array.from((await beamSearchRecommender({ ...options, ...more }).recommend([0]))[0]);
      expect(await listOf({})).to.deep.equal([0, 1, 2]);
      expect(await listOf({ itemCounts: [1, 1, 6] })).to.deep.equal([2, 0, 1]);
      expect(await listOf({ itemCounts: [1, 1, 6], excludeSeen: true })).to.deep.equal([2, 1]);
    });

    it('refuse scores that are NaN', async () => {
      const scorer: ItemScorer = { ...nearest, score: (rows) => tf.fill([rows.length, NUM_ITEMS], NaN) };
      const message = await scorerRecommender({ scorer, histories })
        .recommend([0])
        .then(String, (error: Error) => error.message);
      expect(message).to.equal(
        'scorerRecommender: scores must be numbers, got NaN from nearest for item 0; its weights have diverged',
      );
    });
  });
});
