import { expect } from 'chai';
import { listQuality } from '../../src/evaluation/list_quality';
import { createRandom } from '../../src/random';

describe('listQuality', () => {
  it('gives coverage, Gini and top share of a case by hand', () => {
    // sorted 0 1 1 2 6, N = 5: (-4 * 0 - 2 * 1 + 0 * 1 + 2 * 2 + 4 * 6) / (5 * 10)
    const { coverage, gini, top3Share } = listQuality([1, 6, 0, 2, 1]);
    expect(coverage).to.be.closeTo(4 / 5, 1e-12);
    expect(gini).to.be.closeTo(26 / 50, 1e-12);
    expect(top3Share).to.be.closeTo(9 / 10, 1e-12);
  });

  it('is 0 of Gini where all items are recommended alike, and 1 - 1/N where one is', () => {
    expect(listQuality(new Array(7).fill(3)).gini).to.be.closeTo(0, 1e-12);
    const { coverage, gini, top3Share } = listQuality([0, 0, 9, 0, 0, 0, 0]);
    expect(gini).to.be.closeTo(6 / 7, 1e-12);
    expect(coverage).to.be.closeTo(1 / 7, 1e-12);
    expect(top3Share).to.equal(1);
  });

  it('is the mean absolute difference over twice the mean', () => {
    const random = createRandom(4);
    const counts = Array.from({ length: 23 }, () => random.int(11));
    let differences = 0;
    for (const a of counts) for (const b of counts) differences += Math.abs(a - b);
    const mean = counts.reduce((sum, count) => sum + count, 0) / 23;
    expect(listQuality(counts).gini).to.be.closeTo(differences / (2 * 23 * 23 * mean), 1e-12);
  });

  it('gives the share of the ten most popular items, of equally popular ones those of lower number', () => {
    const training = [5, 5, 5, 5, 5, 5, 5, 5, 5, 1, 1, 9]; // item 11, items 0 to 8
    const recommended = [1, 0, 0, 0, 0, 0, 0, 0, 2, 8, 4, 5];
    expect(listQuality(recommended, training).popular10Share).to.be.closeTo(8 / 20, 1e-12);
    expect(listQuality([1, 2], [0, 0]).popular10Share).to.equal(1);
    expect(() => listQuality([1, 2], [1])).to.throw(
      'listQuality: trainingCounts must have one number per item, got 1 for 2 items',
    );
  });

  it('refuses lists without an item', () => {
    expect(() => listQuality([0, 0])).to.throw(
      'listQuality: itemCounts must hold at least one recommendation, got none',
    );
  });
});
