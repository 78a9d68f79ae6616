import { expect } from 'chai';
import { pairedDifference } from '../../src/evaluation/paired_difference';
import { signFlipTest } from '../../src/evaluation/sign_flip_test';
import { createRandom } from '../../src/random';

describe('signFlipTest', () => {
  it('enumerates the signs of few differences', () => {
    expect(signFlipTest([1, 1, 1])).to.equal(2 / 8); // only +++ and --- reach |3|
    expect(signFlipTest([3, 1])).to.equal(2 / 4); // |4| of 4, 2, -2, -4
    // |sum| is 4, 2, 2, 0 for each sign of the 2; at least 2 in 6 of 8
    expect(signFlipTest([2, 1, -1])).to.equal(6 / 8);
    expect(signFlipTest([1, -1])).to.equal(1);
  });

  it('does not mind users without a difference, and is 1 where nobody has one', () => {
    expect(signFlipTest([0, 1, 0, 1, 1, 0])).to.equal(signFlipTest([1, 1, 1]));
    expect(signFlipTest([0, 0])).to.equal(1);
  });

  it('samples close to the enumeration when the differences are many, the same for the same seed and for either sign', () => {
    const random = createRandom(2);
    const differences = Array.from({ length: 13 }, () => random.normal() + 0.4);
    const exact = signFlipTest(differences, { permutations: 8192 });
    const sampled = signFlipTest(differences, { permutations: 8191, seed: 1 });
    expect(sampled).to.be.closeTo(exact, 0.02).and.not.equal(exact);
    expect(signFlipTest(differences, { permutations: 8191, seed: 1 })).to.equal(sampled);
    expect(
      signFlipTest(
        differences.map((d) => -d),
        { permutations: 8191, seed: 1 },
      ),
    ).to.equal(sampled);
  });

  it('is never 0 and is small for a difference that all users share', () => {
    expect(signFlipTest(new Array(100).fill(0.1), { permutations: 999 })).to.equal(1 / 1000);
  });

  it('is about uniform where there is nothing to find', () => {
    const random = createRandom(9);
    const values = Array.from({ length: 200 }, (_, seed) =>
      signFlipTest(
        Array.from({ length: 40 }, () => random.normal()),
        { permutations: 199, seed },
      ),
    );
    const below = values.filter((p) => p <= 0.05).length;
    expect(below).to.be.within(2, 20); // 10 expected of 200, standard deviation 3.1
  });
});

describe('pairedDifference', () => {
  it("averages a user's metric over the seeds, then compares users", () => {
    // hr@2 per user: a = mean of [1 0 0], [1 1 0] = [1, 1/2, 0]; b = [0 1 0]
    const result = pairedDifference(
      [
        [1, 3, 0],
        [2, 2, 9],
      ],
      [[0, 1, 5]],
      { metric: 'hr', k: 2 },
    );
    expect(result.meanA).to.be.closeTo(0.5, 1e-12);
    expect(result.meanB).to.be.closeTo(1 / 3, 1e-12);
    expect(result.difference).to.be.closeTo((1 - 0.5 + 0) / 3, 1e-12);
    expect(result.pValue).to.equal(1); // differences 1, -1/2: sums 1/2, 3/2 and their negatives, all at least 1/2
    expect(result).to.include({ metric: 'hr@2', users: 3, seedsA: 2, seedsB: 1 });
    expect(result.ci95[0]).to.be.closeTo(-0.5, 1e-12); // the second user three times: 1/27 of the resamples
    expect(result.ci95[1]).to.be.closeTo(1, 1e-12);
    expect(result.protocol).to.equal(
      "paired over 3 users, each user's hr@2 averaged over seeds (2 and 1); 95 % percentile bootstrap, 1000 resamples of users; " +
        'two-sided sign-flip test, 10000 permutations; seed 0',
    );
  });

  it('is narrower than two unpaired intervals when the methods agree on most users', () => {
    const random = createRandom(1);
    const b = Int32Array.from({ length: 3000 }, () => (random.next() < 0.1 ? 1 : 0));
    const a = b.map((rank, user) => (user % 50 === 0 ? 1 : rank)); // better for a few
    const { difference, ci95, pValue } = pairedDifference([a], [b], { metric: 'hr', k: 1 });
    expect(difference).to.be.within(0.015, 0.02);
    expect(ci95[0]).to.be.above(0.01);
    expect(pValue).to.be.below(0.001);
  });

  it('flips the signs of whole users where they have several cases', () => {
    // hr@1 differences 1 1 1 -1 of users 0 0 1 1: sums 2 and 0, so all signs give |2|; by cases |2| of 4 values has 10 of 16
    const [a, b] = [
      [1, 1, 1, 0],
      [0, 0, 0, 1],
    ];
    const options = { metric: 'hr', k: 1 } as const;
    const clustered = pairedDifference([a], [b], { ...options, clusters: [0, 0, 1, 1] });
    expect(clustered.pValue).to.equal(1);
    expect(clustered.difference).to.equal(0.5);
    expect(clustered.ci95).to.deep.equal([0, 1]);
    expect(clustered.protocol).to.match(/^paired over 4 cases of 2 users, each case's hr@1/);
    expect(pairedDifference([a], [b], options).pValue).to.equal(10 / 16);
  });

  it('changes its sign with the order of the methods', () => {
    const [a, b] = [
      [1, 2, 0, 4],
      [0, 1, 3, 0],
    ];
    const forth = pairedDifference([a], [b]);
    const back = pairedDifference([b], [a]);
    expect(back.difference).to.equal(-forth.difference);
    expect(back.ci95[0]).to.be.closeTo(-forth.ci95[1], 0.05);
    expect(back.pValue).to.equal(forth.pValue);
  });

  it('refuses runs over different users, and none', () => {
    expect(() => pairedDifference([[1, 2]], [[1]])).to.throw(
      'pairedDifference: all runs must rank the same users, got 2 and 1 users; evaluate them with the same users option',
    );
    expect(() => pairedDifference([], [[1]])).to.throw(
      'pairedDifference: each method must have the ranks of at least one seed and user, got none',
    );
  });
});
