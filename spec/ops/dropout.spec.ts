import { expect } from 'chai';
import { dropoutMask, mixSeeds } from '../../src/ops/dropout';

describe('dropoutMask', () => {
  it('zeroes the share asked for and keeps the mean', () => {
    for (const rate of [0.1, 0.5, 0.9]) {
      const mask = dropoutMask(40_001, rate, 7);
      expect(mask.filter((value) => value === 0).length / mask.length).to.be.closeTo(rate, 0.01);
      expect(mask.reduce((a, b) => a + b) / mask.length).to.be.closeTo(1, 0.07);
    }
  });

  it('depends on the seed alone, and neighbouring seeds share nothing', () => {
    const [a, b, c] = [1, 1, 2].map((seed) => dropoutMask(10_000, 0.5, seed));
    expect(a).to.deep.equal(b);
    expect(a.filter((value, i) => value === c[i]).length / a.length).to.be.closeTo(0.5, 0.03);
    expect(a.slice(2).filter((value, i) => value === a[i]).length / a.length).to.be.closeTo(0.5, 0.03);
  });

  it('mixes the order of seeds in', () => expect(mixSeeds(1, 2)).to.not.equal(mixSeeds(2, 1)));
});
