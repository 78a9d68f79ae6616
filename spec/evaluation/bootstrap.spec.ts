import { expect } from 'chai';
import { bootstrapInterval, bootstrapIntervals } from '../../src/evaluation/bootstrap';
import { createRandom } from '../../src/random';

describe('bootstrapIntervals', () => {
  it('is a point where all users are alike', () => {
    expect(bootstrapInterval([0.25, 0.25, 0.25])).to.deep.equal([0.25, 0.25]);
    expect(bootstrapInterval([3])).to.deep.equal([3, 3]);
  });

  it('takes quantiles of the resampled means', () => {
    // Two users, 0 and 1: the mean of a resample is 0, 1/2, 1 with probability 1/4, 1/2, 1/4.
    expect(bootstrapInterval([0, 1])).to.deep.equal([0, 1]); // 2.5 % and 97.5 % lie in the outer quarters
    expect(bootstrapInterval([0, 1], { level: 0.4 })).to.deep.equal([0.5, 0.5]); // 30 % and 70 % lie in the middle half
  });

  it('is as wide as the normal approximation says for many users', () => {
    const values = Array.from({ length: 2000 }, (_, user) => (user % 10 === 0 ? 1 : 0));
    const [low, high] = bootstrapInterval(values, { resamples: 4000 });
    const half = 1.96 * Math.sqrt((0.1 * 0.9) / 2000);
    expect(low).to.be.closeTo(0.1 - half, 0.15 * half);
    expect(high).to.be.closeTo(0.1 + half, 0.15 * half);
  });

  it('gives the same interval for the same seed, whatever the other columns are', () => {
    const random = createRandom(5);
    const a = Float64Array.from({ length: 50 }, () => random.next());
    const b = Float64Array.from({ length: 50 }, () => random.int(2));
    const [first, second] = bootstrapIntervals([a, b], { seed: 3 });
    expect(bootstrapInterval(a, { seed: 3 })[0]).to.be.closeTo(first[0], 1e-12);
    expect(bootstrapInterval(b, { seed: 3 })).to.deep.equal(second);
    expect(bootstrapInterval(a, { seed: 4 })).to.not.deep.equal(first);
  });

  it('draws clusters whole, and weighs each by its values', () => {
    // clusters [0, 0, 0] and [1]: a resample has mean 0, 1/4 or 1 with probability 1/4, 1/2, 1/4
    const clusters = [7, 7, 2, 7];
    expect(bootstrapInterval([0, 0, 1, 0], { clusters })).to.deep.equal([0, 1]);
    expect(bootstrapInterval([0, 0, 1, 0], { clusters, level: 0.4 })).to.deep.equal([0.25, 0.25]);
  });

  it('is that of single values where each is a cluster, and wider where a user repeats itself', () => {
    const random = createRandom(8);
    const values = Float64Array.from({ length: 200 }, () => random.int(2));
    const each = Int32Array.from(values.keys());
    expect(bootstrapInterval(values, { clusters: each })).to.deep.equal(bootstrapInterval(values));
    const repeated = Float64Array.from({ length: 1000 }, (_, i) => values[Math.floor(i / 5)]);
    const clusters = Int32Array.from(repeated, (_, i) => Math.floor(i / 5));
    const width = ([low, high]: readonly [number, number]): number => high - low;
    const clustered = bootstrapInterval(repeated, { clusters });
    expect(width(clustered)).to.be.closeTo(width(bootstrapInterval(values)), 1e-12); // five times the same
    expect(width(bootstrapInterval(repeated))).to.be.closeTo(width(clustered) / Math.sqrt(5), 0.01);
  });

  it('refuses no users, unequal columns, no resamples and a level outside (0, 1)', () => {
    expect(() => bootstrapInterval([])).to.throw('bootstrapInterval: there must be at least one user, got 0');
    expect(() => bootstrapIntervals([[1, 2], [1]])).to.throw(
      'bootstrapIntervals: columns must have one length, got 2 and 1; give each the same users',
    );
    expect(() => bootstrapInterval([1, 2], { clusters: [1] })).to.throw(
      'bootstrapInterval: clusters must have one number per value, got 1 for 2 values',
    );
    expect(() => bootstrapInterval([1], { resamples: 0 })).to.throw(
      'bootstrapInterval: resamples must be an integer of at least 1, got 0; 1000 is usual',
    );
    expect(() => bootstrapInterval([1], { level: 95 })).to.throw(
      'bootstrapInterval: level must be between 0 and 1, got 95; 0.95 is usual',
    );
  });
});
