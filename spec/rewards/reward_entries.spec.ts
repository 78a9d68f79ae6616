import { expect } from 'chai';
import * as fc from 'fast-check';
import * as tf from '@tensorflow/tfjs-core';
import { buildPrefixTrie } from '../../src/generation/prefix_trie';
import { popularityScorer } from '../../src/models/popularity';
import { trieReward } from '../../src/rewards/trie_reward';
import '../support/backends';

describe('the entries of a trie reward', () => {
  before(async () => {
    await tf.setBackend('cpu');
  });

  it('name no pair of row and token twice, as the gradient on WebGPU adds all entries of a row at the same time', () => {
    const VOCAB = 7;
    const token = fc.integer({ min: 0, max: VOCAB - 1 });
    const items = fc.array(fc.array(token, { minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 11 });
    const rows = fc.array(fc.array(token, { minLength: 6, maxLength: 6 }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(items, rows, (sequences, batch) => {
        const scorer = popularityScorer(
          Array.from({ length: sequences.length }, (_, i) => [i]),
          sequences.length,
        );
        const { entries } = trieReward({ scorer, trie: buildPrefixTrie(sequences) });
        const found = entries?.({
          inputIds: Int32Array.from(batch.flatMap((row) => row.slice(0, -1))),
          labels: Int32Array.from(batch.flatMap((row) => row.slice(1))),
          batchSize: batch.length,
          sequenceLength: 5,
          positions: Int32Array.from({ length: 5 * batch.length }, (_, i) => i),
          vocabSize: VOCAB,
        });
        if (found === undefined) throw new Error('no entries');
        const pairs = Array.from(found.rows, (row, i) => `${row} ${found.tokens[i]}`);
        found.masses.dispose();
        expect(new Set(pairs).size).to.equal(pairs.length);
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});
