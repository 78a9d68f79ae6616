import { expect } from 'chai';
import { bootstrapInterval } from '../../src/evaluation/bootstrap';
import { pairedDifference } from '../../src/evaluation/paired_difference';
import { createRandom } from '../../src/random';

/** Users with 1 to 8 rows each, as published splits have them. */
const USERS = 100;
const TRIALS = 500;

interface Rows {
  /** The user of each row. */
  readonly clusters: readonly number[];
  /** Rank of each row's target for two methods, 1 or 0. */
  readonly ranks: readonly [readonly number[], readonly number[]];
}

/**
 * Rows of one user are alike: a user is easy for a method or not, and each row then hits with probability 0.9 or 0.1.
 * Both methods hit half of all rows, and what is easy for one is drawn apart from what is easy for the other.
 */
function correlatedRows(seed: number): Rows {
  const random = createRandom(seed);
  const clusters: number[] = [];
  const ranks: [number[], number[]] = [[], []];
  for (let user = 0; user < USERS; user++) {
    const hits = [0, 1].map(() => (random.next() < 0.5 ? 0.9 : 0.1));
    for (let row = 1 + Math.floor(8 * random.next()); row > 0; row--) {
      clusters.push(user);
      ranks.forEach((own, method) => own.push(random.next() < hits[method] ? 1 : 0));
    }
  }
  return { clusters, ranks };
}

describe('rows of one user that are alike', () => {
  const trials = Array.from({ length: TRIALS }, (_, trial) => correlatedRows(trial + 1));
  const shareOf = (test: (rows: Rows, trial: number) => boolean): number => trials.filter(test).length / TRIALS;

  it('are drawn together: 95 % intervals hold the truth in 93 to 97 % of samples, single rows in fewer', () => {
    const holds =
      (byUser: boolean) =>
      ({ ranks, clusters }: Rows, seed: number): boolean => {
        const [low, high] = bootstrapInterval(ranks[0], { resamples: 200, seed, ...(byUser && { clusters }) });
        return low <= 0.5 && 0.5 <= high; // the hit ratio of all users that there could be
      };
    expect(shareOf(holds(true))).to.be.within(0.93, 0.97);
    expect(shareOf(holds(false))).to.be.below(0.85);
  });

  it('flip signs together: equal methods differ at p < 0.05 in 3 to 7 % of samples, single rows in more', () => {
    const differs =
      (byUser: boolean) =>
      ({ ranks: [a, b], clusters }: Rows, seed: number): boolean => {
        const options = { metric: 'hr', permutations: 200, resamples: 1, seed, ...(byUser && { clusters }) } as const;
        return pairedDifference([a], [b], options).pValue < 0.05;
      };
    expect(shareOf(differs(true))).to.be.within(0.03, 0.07);
    expect(shareOf(differs(false))).to.be.above(0.12);
  });
});
