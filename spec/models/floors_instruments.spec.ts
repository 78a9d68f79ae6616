import { expect } from 'chai';
import { existsSync, readFileSync } from 'node:fs';
import type { ItemScorer } from '../../src/models/item_scorer';
import { markovScorer } from '../../src/models/markov';
import { popularityScorer } from '../../src/models/popularity';
import { forEachBackend } from '../support/backends';

const file = new URL('../../../shared/data/instruments/Instruments.inter.json', import.meta.url);

/**
 * Hits and gains of the last item of every sequence, full ranking, ties by item number: [HR@5, NDCG@5, HR@10, NDCG@10].
 */
function evaluate(scorer: ItemScorer, sequences: readonly number[][]): number[] {
  const sums = [0, 0, 0, 0];
  const usersPerBatch = 256;
  for (let start = 0; start < sequences.length; start += usersPerBatch) {
    const users = sequences.slice(start, start + usersPerBatch);
    const tensor = scorer.score(users.map((sequence) => sequence.slice(0, -1)));
    const scores = tensor.dataSync();
    tensor.dispose();
    users.forEach((sequence, row) => {
      const target = sequence[sequence.length - 1];
      const first = row * scorer.numItems;
      const score = scores[first + target];
      let rank = 0;
      for (let item = 0; item < scorer.numItems && rank < 10; item++) {
        const other = scores[first + item];
        if (other > score || (other === score && item < target)) rank++;
      }
      [5, 10].forEach((k, i) => {
        if (rank >= k) return;
        sums[2 * i] += 1;
        sums[2 * i + 1] += 1 / Math.log2(rank + 2);
      });
    });
  }
  return sums.map((sum) => Number((sum / sequences.length).toFixed(4)));
}

describe('floors on instruments, all users (SOURCES.md of the data)', () => {
  const present = existsSync(file);
  const sequences = present ? (Object.values(JSON.parse(readFileSync(file, 'utf8'))) as number[][]) : [];
  const numItems = 9922;
  const train = sequences.map((sequence) => sequence.slice(0, -2));
  const define = present ? it : it.skip;
  const reason = present ? '' : ' (skipped: ../shared/data/instruments is not there)';

  forEachBackend((backend) => {
    if (backend !== 'cpu') return; // the scores are made on the CPU; another backend only carries them
    define(`popularity .0277 / .0162 / .0468 / .0223${reason}`, () => {
      expect(evaluate(popularityScorer(train, numItems), sequences)).to.deep.equal([0.0277, 0.0162, 0.0468, 0.0223]);
    });
    define(`Markov .0645 / .0530 / .0742 / .0562, ties as first seen${reason}`, () => {
      expect(evaluate(markovScorer(train, numItems, { ties: 'first-seen' }), sequences)).to.deep.equal([
        0.0645, 0.053, 0.0742, 0.0562,
      ]);
    });
    define(`Markov with ties by popularity is the higher floor${reason}`, () => {
      // a loop in Python gives the same
      expect(evaluate(markovScorer(train, numItems), sequences)).to.deep.equal([0.0669, 0.0545, 0.0801, 0.0588]);
    });
  });
});
