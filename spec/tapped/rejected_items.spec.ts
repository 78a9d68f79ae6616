import { expect } from 'chai';
import { popularityScorer } from '../../src/models/popularity';
import type { PreferenceExamples } from '../../src/tapped/item_pairs';
import { randomRejected, topRejected } from '../../src/tapped/rejected_items';
import { forEachBackend } from '../support/backends';
import { messageOf } from '../support/folders';
import { integers } from '../support/random';

const N = 7;
/** Three places of one history, and one of another. */
const examples: PreferenceExamples = {
  numItems: N,
  histories: [
    [0, 1, 2],
    [3, 4],
  ],
  rows: Int32Array.of(0, 0, 0, 1),
  lengths: Int32Array.of(0, 1, 2, 1),
  chosen: Int32Array.of(0, 1, 2, 4),
};
const seenAt = [[], [0], [0, 1], [3]];

describe('rejected items', () => {
  it('are drawn without the chosen item, those seen before, and repetitions; the same for the same seed', async () => {
    const items = await randomRejected({ numRejected: 4, seed: 3 })(examples);
    expect(items).to.have.length(16);
    examples.chosen.forEach((chosen, e) => {
      const own = [...items.slice(4 * e, 4 * e + 4)];
      expect(new Set(own).size).to.equal(4);
      for (const item of [chosen, ...seenAt[e]]) expect(own).to.not.include(item);
    });
    expect(await randomRejected({ numRejected: 4, seed: 3 })(examples)).to.deep.equal(items);
    expect(await randomRejected({ numRejected: 4, seed: 4 })(examples)).to.not.deep.equal(items);
  });

  it('may be items seen before where they count', async () => {
    const items = await randomRejected({ numRejected: 6, excludeSeen: false })(examples);
    expect([...items.slice(6, 12)].sort()).to.deep.equal([0, 2, 3, 4, 5, 6]); // all but the chosen one
  });

  it('are drawn in proportion to their weights', async () => {
    const many: PreferenceExamples = {
      numItems: 3,
      histories: [[]],
      rows: new Int32Array(4000),
      lengths: new Int32Array(4000),
      chosen: integers(4000, 1, 1).fill(2),
    };
    const items = await randomRejected({ weights: [3, 1, 100], seed: 5 })(many);
    expect(items.filter((item) => item === 0).length / 4000).to.be.closeTo(0.75, 0.03);
  });

  forEachBackend(() => {
    it('are the best of a model, in its order', async () => {
      const scorer = popularityScorer([[5, 5, 5, 6, 6, 1, 1, 1, 1]], N); // 1, 5, 6, then the others by number
      const items = await topRejected({ scorer, numRejected: 2 })(examples);
      expect([...items]).to.deep.equal([1, 5, 5, 6, 5, 6, 1, 5]);
    });
  });

  it('are refused where there are too few, and where options are out of range', async () => {
    expect(await messageOf(Promise.resolve().then(() => randomRejected({ numRejected: 5 })(examples)))).to.equal(
      'randomRejected: numRejected must be at most the 4 items that are neither chosen nor seen, got 5',
    );
    const scorer = popularityScorer([[1]], N);
    expect(await messageOf(Promise.resolve(topRejected({ scorer, numRejected: 5 })(examples)))).to.equal(
      'topRejected: numRejected must be at most the 4 items that are neither chosen nor seen, got 5',
    );
    const other = popularityScorer([[1]], N + 1);
    expect(await messageOf(Promise.resolve(topRejected({ scorer: other })(examples)))).to.equal(
      'topRejected: the scorer must have the 7 items of the batches, got 8',
    );
    expect(() => randomRejected({ numRejected: 0 })).to.throw(
      'randomRejected: numRejected must be a whole number of at least 1, got 0',
    );
    expect(() => randomRejected({ weights: [1, 2] })(examples)).to.throw(
      'randomRejected: weights must be one for each of 7 items, got 2',
    );
    expect(() => randomRejected({ weights: new Float32Array(N) })(examples)).to.throw(
      'randomRejected: weights must sum to more than 0, got 0',
    );
  });
});
