import { expect } from 'chai';
import fc from 'fast-check';
import { TopK } from '../../src/generation/top_k';

describe('TopK', () => {
  it('keeps what sorting by higher score, then lower key would keep, in any order of arrival', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -4, max: 4 }), { maxLength: 60 }),
        fc.integer({ min: 1, max: 20 }),
        (scores, capacity) => {
          const best = new TopK(capacity);
          const candidates = scores.map((score, i) => ({
            score: score === -4 ? -Infinity : score,
            key: (i * 37) % 61,
            payload: i,
          }));
          candidates.forEach(({ score, key, payload }) => best.offer(score, key, payload));
          const sorted = candidates.map(({ score }) => score).sort((a, b) => b - a);
          expect(best.bar).to.equal(sorted.length < capacity ? -Infinity : sorted[capacity - 1]);
          const kept: unknown[] = [];
          best.drain((rank, score, key, payload) => kept.push({ rank, score, key, payload }));
          const expected = candidates
            .sort((a, b) => (a.score === b.score ? a.key - b.key : b.score - a.score))
            .slice(0, capacity);
          expect(kept).to.deep.equal(expected.map((candidate, rank) => ({ rank, ...candidate })));
          expect(best.size).to.equal(0);
        },
      ),
    );
  });
});
