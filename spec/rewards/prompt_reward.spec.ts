import { expect } from 'chai';
import * as fc from 'fast-check';
import * as tf from '@tensorflow/tfjs-core';
import { buildPrefixTrie } from '../../src/generation/prefix_trie';
import type { ItemScorer } from '../../src/models/item_scorer';
import { lcRecLanguage } from '../../src/prompts/lc_rec_language';
import { titleLanguage } from '../../src/prompts/title_language';
import { trieReward } from '../../src/rewards/trie_reward';
import { promptBatches } from '../../src/training/prompt_batches';
import type { RewardContext } from '../../src/losses/reward';
import { forEachBackend } from '../support/backends';
import { byteTokenizer } from '../support/byte_tokenizer';
import { normals } from '../support/random';

const IGNORED = -100;

/** Log-scores that differ with every history. */
function scoresOf(history: readonly number[], numItems: number): Float32Array {
  return normals(
    numItems,
    history.reduce((hash, item) => hash * 31 + item + 1, 7),
    2,
  );
}

function randomScorer(numItems: number): ItemScorer {
  return {
    name: 'random',
    numItems,
    score: (histories) =>
      tf.stack(histories.map((history) => tf.tensor1d(scoresOf(Array.from(history), numItems)))) as tf.Tensor2D,
  };
}

interface PromptRow {
  readonly prompt: readonly number[];
  readonly response: readonly number[];
}

/** A batch whose labels are the responses. */
function contextOf(rows: readonly PromptRow[], vocabSize: number): RewardContext {
  const sequenceLength = Math.max(...rows.map(({ prompt, response }) => prompt.length + response.length)) - 1;
  const inputIds = new Int32Array(rows.length * sequenceLength);
  const labels = new Int32Array(rows.length * sequenceLength).fill(IGNORED);
  rows.forEach(({ prompt, response }, b) => {
    inputIds.set([...prompt, ...response.slice(0, -1)], b * sequenceLength);
    labels.set(response, b * sequenceLength + prompt.length - 1);
  });
  return {
    inputIds,
    labels,
    batchSize: rows.length,
    sequenceLength,
    positions: Int32Array.from([...labels.keys()].filter((at) => labels[at] !== IGNORED)),
    vocabSize,
  };
}

/**
 * For each token of a response that is one item, the share of the items behind each token, by loops over all items in
 * float64.
 */
function reference(
  sequences: readonly (readonly number[])[],
  history: readonly number[] | null,
  response: readonly number[],
  vocabSize: number,
): number[][] {
  const scores = scoresOf(history ?? [], sequences.length);
  return response.map((_, t) => {
    const row = new Array<number>(vocabSize).fill(0);
    const followers = sequences
      .map((sequence, item) => ({ sequence, item }))
      .filter(({ sequence }) => sequence.length > t && response.slice(0, t).every((token, i) => sequence[i] === token));
    if (history === null || !followers.some(({ sequence }) => sequence[t] === response[t])) return row;
    for (const { sequence, item } of followers) row[sequence[t]] += Math.exp(scores[item]);
    const total = row.reduce((sum, mass) => sum + mass, 0);
    return row.map((mass) => mass / total);
  });
}

function expectRows(reward: tf.Tensor2D, expected: readonly (readonly number[])[]): void {
  const rows = reward.arraySync();
  reward.dispose();
  expect(rows.length).to.equal(expected.length);
  rows.forEach((row, p) =>
    row.forEach((mass, v) => expect(mass, `position ${p}, token ${v}`).to.be.closeTo(expected[p][v], 1e-5)),
  );
}

describe('trieReward with historyOf', () => {
  forEachBackend(() => {
    it('walks titles of different lengths token by token, after a prompt that is not read', () => {
      // titles [2], [2, 3, 4], [5, 3], each with the end 7; scores 0, log 2, log 3 whatever the history
      const sequences = [
        [2, 7],
        [2, 3, 4, 7],
        [5, 3, 7],
      ];
      const scorer: ItemScorer = {
        name: 'fixed',
        numItems: 3,
        score: ({ length }) => tf.tile(tf.tensor2d([[0, Math.log(2), Math.log(3)]]), [length, 1]),
      };
      const context = contextOf([{ prompt: [2, 3, 2], response: [2, 3, 4, 7] }], 11); // the prompt looks like titles
      expectRows(trieReward({ scorer, trie: buildPrefixTrie(sequences), historyOf: () => [] })(context), [
        [0, 0, 3 / 6, 0, 0, 3 / 6, 0, 0, 0, 0, 0],
        [0, 0, 0, 2 / 3, 0, 0, 0, 1 / 3, 0, 0, 0],
        [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
      ]);
    });

    it('is what reading the whole row gives where a prompt holds nothing but its history', () => {
      const sequences = [
        [2, 5],
        [2, 6],
        [3, 5],
        [3, 6],
        [4, 5],
      ];
      const trie = buildPrefixTrie(sequences);
      const scorer = randomScorer(5);
      const context = contextOf(
        [
          { prompt: [1, 2, 6, 4, 5], response: [3, 6] },
          { prompt: [1, 3, 5], response: [2, 5] },
        ],
        7,
      );
      const whole = trieReward({ scorer, trie })(context);
      const byPrompt = trieReward({ scorer, trie, historyOf: (prompt) => (prompt.length === 5 ? [1, 4] : [2]) })(
        context,
      );
      expect(byPrompt.arraySync()).to.deep.equal(whole.arraySync());
      tf.dispose([whole, byPrompt]);
    });

    it('gives no reward on a row whose prompt has no history, and the others theirs', () => {
      const sequences = [
        [2, 5],
        [3, 5],
        [3, 6],
      ];
      const rows = [
        { prompt: [1, 9], response: [2, 5] },
        { prompt: [1, 8], response: [3, 6] },
        { prompt: [1, 7], response: [3, 5] },
      ];
      const historyOf = (prompt: Int32Array): number[] | null => ({ 9: [0, 1], 7: [2] })[prompt[1]] ?? null;
      expectRows(
        trieReward({ scorer: randomScorer(3), trie: buildPrefixTrie(sequences), historyOf })(contextOf(rows, 11)),
        rows.flatMap(({ prompt, response }) => reference(sequences, historyOf(Int32Array.from(prompt)), response, 11)),
      );
    });

    it('asks for the tokens up to the first response position, once per row, of rows that have one', () => {
      const asked: number[][] = [];
      const context = contextOf(
        [
          { prompt: [1, 9, 9], response: [2, 5] },
          { prompt: [1, 8], response: [2, 5] },
        ],
        11,
      );
      context.labels.fill(IGNORED, context.sequenceLength); // the second row has no response
      const positions = context.positions.filter((at) => at < context.sequenceLength);
      const historyOf = (prompt: Int32Array): number[] => (asked.push([...prompt]), []);
      trieReward({ scorer: randomScorer(1), trie: buildPrefixTrie([[2, 5]]), historyOf })({
        ...context,
        positions,
      }).dispose();
      expect(asked).to.deep.equal([[1, 9, 9]]);
    });

    it('equals a loop over all items on random catalogues of titles and random prompts', () => {
      const end = 7;
      const title = fc.array(fc.integer({ min: 2, max: 5 }), { minLength: 1, maxLength: 5 });
      const catalogue = fc.array(title, { minLength: 1, maxLength: 13 });
      const row = fc.record({
        prompt: fc.array(fc.integer({ min: 0, max: 8 }), { minLength: 1, maxLength: 6 }),
        item: fc.nat(),
        known: fc.option(fc.array(fc.nat(), { maxLength: 3 })),
      });
      fc.assert(
        fc.property(catalogue, fc.array(row, { minLength: 1, maxLength: 3 }), (titles, drawn) => {
          const sequences = titles.map((tokens) => [...tokens, end]);
          const rows = drawn.map(({ prompt, item }) => ({ prompt, response: sequences[item % sequences.length] }));
          const histories = drawn.map(({ known }) => known?.map((item) => item % sequences.length) ?? null);
          let asked = 0; // rows are asked in their order
          const reward = trieReward({
            scorer: randomScorer(sequences.length),
            trie: buildPrefixTrie(sequences),
            historyOf: () => histories[asked++],
          });
          expectRows(
            reward(contextOf(rows, 11)),
            rows.flatMap(({ response }, b) => reference(sequences, histories[b], response, 11)),
          );
        }),
        { numRuns: 60, seed: 17 },
      );
    });

    it('rewards the batches of both languages by the histories of their own prompts', () => {
      const tokenizer = byteTokenizer();
      const titles = ['Saw', 'Saw 2', 'Nut', 'Nut'];
      const sequences = [
        [0, 1, 2],
        [3, 1],
      ];
      const ids = lcRecLanguage({
        tokenizer,
        titles,
        semanticIds: [
          ['<a>', '<c>'],
          ['<a>', '<d>'],
          ['<b>', '<c>'],
          ['<b>', '<c>'],
        ],
      });
      for (const language of [ids, titleLanguage({ tokenizer, titles })]) {
        const batches = promptBatches({
          examples: (epoch) => language.examples(sequences, { epoch }),
          padTokenId: language.padTokenId,
          batchSize: 16,
        });
        const [batch] = [...batches.batchesOf(0)];
        const positions = Int32Array.from([...batch.labels.keys()].filter((at) => batch.labels[at] !== IGNORED));
        const reward = trieReward({
          scorer: randomScorer(4),
          trie: buildPrefixTrie(language.itemTokens),
          historyOf: language.historyOf,
        });
        const expected: number[][] = [];
        for (let b = 0; b < batch.batchSize; b++) {
          const low = b * batch.sequenceLength;
          const labels = [...batch.labels.subarray(low, low + batch.sequenceLength)];
          const first = labels.findIndex((label) => label !== IGNORED);
          const response = labels.filter((label) => label !== IGNORED);
          const history = language.historyOf(batch.inputIds.slice(low, low + first + 1));
          expected.push(
            ...reference(
              language.itemTokens.map((tokens) => [...tokens]),
              history,
              response,
              language.vocabSize,
            ),
          );
        }
        expect(expected.filter((row) => row.some((mass) => mass > 0)).length, 'rows with a reward').to.be.above(5);
        expectRows(reward({ ...batch, positions, vocabSize: language.vocabSize }), expected);
      }
    });

    it('leaves no tensor behind', () => {
      const before = tf.memory().numTensors;
      const reward = trieReward({
        scorer: { name: 'flat', numItems: 2, score: ({ length }) => tf.zeros([length, 2]) },
        trie: buildPrefixTrie([[2, 3], [4]]),
        historyOf: () => null,
      });
      reward(contextOf([{ prompt: [1], response: [2, 3] }], 5)).dispose();
      expect(tf.memory().numTensors).to.equal(before);
    });
  });
});
