import { expect } from 'chai';
import * as fc from 'fast-check';
import * as tf from '@tensorflow/tfjs-core';
import { buildPrefixTrie } from '../../src/generation/prefix_trie';
import type { ItemScorer } from '../../src/models/item_scorer';
import { popularityScorer } from '../../src/models/popularity';
import { trieReward } from '../../src/rewards/trie_reward';
import type { RewardContext } from '../../src/losses/reward';
import { forEachBackend } from '../support/backends';
import { normals } from '../support/random';

const PAD = 0;
const BOS = 1;
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

/** A batch of rows of tokens: inputs are all but the last, labels all but the first, padded right. */
function contextOf(rows: readonly (readonly number[])[], vocabSize: number, firstLabel = 0): RewardContext {
  const sequenceLength = Math.max(...rows.map((row) => row.length)) - 1;
  const inputIds = new Int32Array(rows.length * sequenceLength).fill(PAD);
  const labels = new Int32Array(rows.length * sequenceLength).fill(IGNORED);
  rows.forEach((row, b) => {
    for (let t = 0; t + 1 < row.length; t++) {
      inputIds[b * sequenceLength + t] = row[t];
      if (t >= firstLabel) labels[b * sequenceLength + t] = row[t + 1];
    }
  });
  const positions = Int32Array.from([...labels.keys()].filter((at) => labels[at] !== IGNORED));
  return { inputIds, labels, batchSize: rows.length, sequenceLength, positions, vocabSize };
}

/** The reward by loops over all items, in float64. */
function reference(
  sequences: readonly number[][],
  context: RewardContext,
  temperature: number,
  separators: readonly number[] = [],
): number[][] {
  const { inputIds, labels, batchSize, sequenceLength, positions, vocabSize } = context;
  const continued = (prefix: readonly number[]): number[] =>
    [...sequences.keys()].filter(
      (item) => sequences[item].length >= prefix.length && prefix.every((token, i) => sequences[item][i] === token),
    );
  const whole = (tokens: readonly number[]): number =>
    continued(tokens).find((item) => sequences[item].length === tokens.length) ?? -1;
  const result = new Map<number, number[]>();
  for (let b = 0; b < batchSize; b++) {
    let history: number[] = [];
    let begun: number[] = [];
    for (let t = 0; t < sequenceLength; t++) {
      const at = b * sequenceLength + t;
      const token = inputIds[at];
      if (continued([...begun, token]).length > 0) begun.push(token);
      else {
        if (begun.length > 0 && whole(begun) >= 0) history.push(whole(begun));
        begun = continued([token]).length > 0 ? [token] : [];
      }
      const longer = continued(begun).some((item) => sequences[item].length > begun.length);
      if (begun.length > 0 && !longer) {
        history.push(whole(begun));
        begun = [];
      }
      if (separators.includes(token)) [history, begun] = [[], []];

      let prefix = begun;
      let known = history;
      if (prefix.length > 0 && whole(prefix) >= 0 && continued([...prefix, labels[at]]).length === 0)
        [prefix, known] = [[], [...history, whole(prefix)]];
      const row = new Array<number>(vocabSize).fill(0);
      if (continued([...prefix, labels[at]]).length > 0) {
        const scores = scoresOf(known, sequences.length);
        for (let v = 0; v < vocabSize; v++) {
          for (const item of continued([...prefix, v])) row[v] += Math.exp(scores[item] / temperature);
        }
        const total = row.reduce((sum, mass) => sum + mass, 0);
        row.forEach((mass, v) => (row[v] = mass / total));
      }
      result.set(at, row);
    }
  }
  return Array.from(positions, (at) => result.get(at) as number[]);
}

function rowsOf(tensor: tf.Tensor2D): number[][] {
  const rows = tensor.arraySync();
  tensor.dispose();
  return rows;
}

function expectClose(actual: number[][], expected: number[][]): void {
  expect(actual.length).to.equal(expected.length);
  actual.forEach((row, p) =>
    row.forEach((mass, v) => expect(mass, `position ${p}, token ${v}`).to.be.closeTo(expected[p][v], 1e-5)),
  );
}

function expectReference(sequences: number[][], rows: number[][], vocabSize: number, temperature = 1): void {
  const context = contextOf(rows, vocabSize);
  const reward = trieReward({ scorer: randomScorer(sequences.length), trie: buildPrefixTrie(sequences), temperature });
  expectClose(rowsOf(reward(context)), reference(sequences, context, temperature));
}

describe('trieReward', () => {
  forEachBackend(() => {
    it("gives each token the recommender's mass of the items behind it", () => {
      // counts + 1: item 0 [2, 4]: 5, item 1 [2, 5]: 1, item 2 [3, 4]: 2. At the root 6/8 and 2/8; after 2: 5/6 and
      // 1/6; after 3 only 4 may follow.
      const sequences = [
        [2, 4],
        [2, 5],
        [3, 4],
      ];
      const scorer = popularityScorer([[0, 0, 0, 0, 2]], 3);
      const context = contextOf([[BOS, 2, 5, 3, 4]], 7);
      expectClose(rowsOf(trieReward({ scorer, trie: buildPrefixTrie(sequences) })(context)), [
        [0, 0, 6 / 8, 2 / 8, 0, 0, 0],
        [0, 0, 0, 0, 5 / 6, 1 / 6, 0],
        [0, 0, 6 / 8, 2 / 8, 0, 0, 0],
        [0, 0, 0, 0, 1, 0, 0],
      ]);
    });

    it('equals a loop over all items on packed rows of many items, the first after an empty history', () => {
      const sequences = [
        [2, 5, 7],
        [2, 5, 8],
        [2, 6, 7],
        [3, 5, 7],
        [3, 6, 9],
        [4, 6, 7],
        [4, 6, 8],
        [4, 5, 7],
        [4, 5, 9],
      ];
      expectReference(
        sequences,
        [
          [BOS, 2, 6, 7, 4, 6, 8, 2, 5, 8, 3, 6, 9, 4, 5, 9],
          [BOS, 4, 5, 7, 4, 5, 7],
          [BOS, 3, 5, 7],
        ],
        11,
      );
    });

    it('sharpens with the temperature', () => {
      const sequences = [
        [2, 5],
        [2, 6],
        [3, 5],
        [3, 6],
        [4, 5],
      ];
      expectReference(sequences, [[BOS, 2, 6, 4, 5, 3, 6]], 7, 0.37);
    });

    it('reads items that share a sequence, or are prefixes of others', () => {
      const sequences = [[2], [2, 3], [2, 3], [2, 3, 4], [5, 2], [5], [2, 3, 6]];
      expectReference(
        sequences,
        [
          [BOS, 2, 3, 4, 2, 5, 5, 2, 2, 3, 5],
          [BOS, 2, 2, 3, 6, 5, 5],
        ],
        7,
      );
    });

    it('leaves a row of zeros where the label goes on with no item', () => {
      const sequences = [
        [2, 3],
        [4, 3],
        [2, 5],
      ];
      const context = contextOf([[BOS, 2, 3, 9, 10, 4, 3, 9]], 11); // 9 and 10 are text
      const rows = rowsOf(trieReward({ scorer: randomScorer(3), trie: buildPrefixTrie(sequences) })(context));
      expectClose(rows, reference(sequences, context, 1));
      expect(rows.map((row) => row.some((mass) => mass > 0))).to.deep.equal([
        true,
        true,
        false,
        false,
        true,
        true,
        false,
      ]);
    });

    it('reads a history from the prompt when only the last item is a response', () => {
      const sequences = [
        [2, 3],
        [4, 3],
        [2, 5],
        [4, 5],
      ];
      const context = contextOf(
        [
          [BOS, 2, 3, 4, 3, 2, 5],
          [BOS, 4, 5, 2, 3],
        ],
        7,
        4,
      );
      expectClose(
        rowsOf(trieReward({ scorer: randomScorer(4), trie: buildPrefixTrie(sequences) })(context)),
        reference(sequences, context, 1),
      );
    });

    it('starts a new history after a separator', () => {
      const sequences = [
        [2, 3],
        [4, 3],
        [2, 5],
        [4, 5],
      ];
      const context = contextOf([[BOS, 2, 3, 4, 3, BOS, 2, 5, 4, 5]], 7);
      const reward = trieReward({ scorer: randomScorer(4), trie: buildPrefixTrie(sequences), separators: [BOS] });
      const rows = rowsOf(reward(context));
      expectClose(rows, reference(sequences, context, 1, [BOS]));
      expect(rows[5]).to.deep.equal(rows[0]);
    });

    it('equals a loop over all items on random catalogues and random tokens', () => {
      const sequence = fc.array(fc.integer({ min: 2, max: 6 }), { minLength: 1, maxLength: 4 });
      const catalogue = fc.array(sequence, { minLength: 1, maxLength: 17 });
      const rows = fc.array(fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 2, maxLength: 23 }), {
        minLength: 1,
        maxLength: 3,
      });
      fc.assert(
        fc.property(catalogue, rows, (sequences, tokens) => expectReference(sequences, tokens, 11)),
        { numRuns: 60, seed: 5 },
      );
    });

    it('sums a first level too wide for an indicator matrix', () => {
      const numItems = 2053; // 2053 * 2053 > 2^22
      const sequences = Array.from({ length: numItems }, (_, item) => [item + 2]);
      const context = contextOf([[BOS, 7, 2054, 3]], numItems + 2);
      const rows = rowsOf(trieReward({ scorer: randomScorer(numItems), trie: buildPrefixTrie(sequences) })(context));
      expectClose(rows, reference(sequences, context, 1));
    });

    it('keeps the digits of a prefix that the recommender holds for all but impossible', () => {
      // p_CF of items 1 and 2 is about e^-60 each; behind their prefix they still share 1 : e.
      const scorer: ItemScorer = {
        name: 'sure',
        numItems: 3,
        score: ({ length }) => tf.tile(tf.tensor2d([[0, -61, -60]]), [length, 1]),
      };
      const context = contextOf([[BOS, 3, 4]], 7);
      const rows = rowsOf(
        trieReward({
          scorer,
          trie: buildPrefixTrie([
            [2, 4],
            [3, 4],
            [3, 5],
          ]),
        })(context),
      );
      expect(rows[1][4]).to.be.closeTo(1 / (1 + Math.E), 1e-6);
    });

    it('returns no row for no response position', () => {
      const context = { ...contextOf([[BOS, 2]], 3), positions: new Int32Array(0) };
      expect(trieReward({ scorer: randomScorer(1), trie: buildPrefixTrie([[2]]) })(context).shape).to.deep.equal([
        0, 3,
      ]);
    });

    it('leaves no tensor behind and nothing on the tape of a loss', () => {
      const sequences = [
        [2, 5],
        [2, 6],
        [3, 5],
        [3, 6],
        [4, 5],
      ];
      const context = contextOf([[BOS, 2, 6, 4, 5, 3, 6]], 7);
      const reward = trieReward({ scorer: popularityScorer([[1, 2]], 5), trie: buildPrefixTrie(sequences) });
      const weight = tf.variable(tf.tensor1d([3]));
      const before = tf.memory().numTensors;
      const { value, grads } = tf.variableGrads(() => tf.mul(tf.sum(weight), tf.sum(reward(context))));
      expect(value.arraySync()).to.be.closeTo(18, 1e-5); // six rows, each of mass 1
      expect(grads[weight.name].arraySync()).to.satisfy(([gradient]: number[]) => Math.abs(gradient - 6) < 1e-5);
      tf.dispose([value, grads]);
      expect(tf.memory().numTensors).to.equal(before);
      weight.dispose();
    });
  });

  it('refuses a temperature that is not above 0', () => {
    const options = { scorer: randomScorer(1), trie: buildPrefixTrie([[2]]), temperature: 0 };
    expect(() => trieReward(options)).to.throw('trieReward: temperature must be above 0, got 0; 1 is the default');
  });

  it('refuses a scorer of another catalogue', () => {
    expect(() => trieReward({ scorer: randomScorer(5), trie: buildPrefixTrie([[2], [3]]) })).to.throw(
      'trieReward: scorer and trie must have the same catalogue, got 5 items in "random" and 2 in the trie',
    );
  });

  it("refuses a vocabulary that does not hold the items' tokens", () => {
    const reward = trieReward({ scorer: randomScorer(1), trie: buildPrefixTrie([[7]]) });
    expect(() => reward(contextOf([[BOS, 2]], 7))).to.throw(
      "trieReward: the trie's tokens must be below the vocabulary size 7, got 7; build trie and model from the same tokenizer",
    );
  });
});
