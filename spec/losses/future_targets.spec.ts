import { expect } from 'chai';
import * as fc from 'fast-check';
import { futureTargets } from '../../src/losses';

describe('futureTargets', () => {
  it('gives each next item less than the one before, by the decay', () => {
    // 1, 1/2, 1/4 over 7/4
    expect(futureTargets([7, 3, 5], { decay: 0.5 })).to.deep.equal({ items: [7, 3, 5], shares: [4 / 7, 2 / 7, 1 / 7] });
  });

  it('adds up what an item gets that comes again, and keeps the label first', () => {
    // 7 gets 1 + 1/4, 3 gets 1/2 + 1/8, of 15/8
    const { items, shares } = futureTargets(Int32Array.of(7, 3, 7, 3));
    expect(items).to.deep.equal([7, 3]);
    expect(shares[0]).to.be.closeTo(2 / 3, 1e-12);
    expect(shares[1]).to.be.closeTo(1 / 3, 1e-12);
  });

  it('counts the first numItems alone, five by default', () => {
    expect(futureTargets([1, 2, 3, 4, 5, 6, 7]).items).to.deep.equal([1, 2, 3, 4, 5]);
    expect(futureTargets([1, 2, 3], { numItems: 2 })).to.deep.equal({ items: [1, 2], shares: [2 / 3, 1 / 3] });
  });

  it('is the label alone for one item, or where one item is left', () => {
    expect(futureTargets([4, 2, 9], { numItems: 1 })).to.deep.equal({ items: [4], shares: [1] });
    expect(futureTargets([4])).to.deep.equal({ items: [4], shares: [1] });
  });

  it('gives all items the same where the decay is 1', () => {
    expect(futureTargets([4, 2, 9, 0], { decay: 1 })).to.deep.equal({
      items: [4, 2, 9, 0],
      shares: [0.25, 0.25, 0.25, 0.25],
    });
  });

  it('has shares that sum to 1, over distinct items, of which the label is the first', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(6), { minLength: 1, maxLength: 13 }),
        fc.integer({ min: 1, max: 17 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (upcoming, numItems, decay) => {
          const { items, shares } = futureTargets(upcoming, { numItems, decay });
          expect(items[0]).to.equal(upcoming[0]);
          expect(new Set(items)).to.deep.equal(new Set(upcoming.slice(0, numItems)));
          expect(items.length).to.equal(new Set(items).size);
          expect(shares.reduce((sum, share) => sum + share)).to.be.closeTo(1, 1e-12);
        },
      ),
      { seed: 1, numRuns: 200 },
    );
  });

  it('refuses no items and options out of range', () => {
    expect(() => futureTargets([])).to.throw('futureTargets: there must be at least one item, got none');
    for (const numItems of [0, 1.5, NaN])
      expect(() => futureTargets([1], { numItems })).to.throw(
        `futureTargets: numItems must be a positive integer, got ${numItems}`,
      );
    for (const decay of [0, -1, 1.1, NaN])
      expect(() => futureTargets([1], { decay })).to.throw(
        `futureTargets: decay must be above 0 and at most 1, got ${decay}`,
      );
  });
});
