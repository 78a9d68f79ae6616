import { expect } from 'chai';
import {
  evaluateRecommender,
  evaluationSummary,
  metricKeys,
  type EvaluateOptions,
} from '../../src/evaluation/evaluate_ranking';
import { protocolText, type RankingProtocol } from '../../src/evaluation/protocol';
import { messageOf } from '../support/folders';

const ranking: RankingProtocol = {
  ranking: 'fixed lists',
  numItems: 30,
  beamWidth: null,
  renormalize: null,
  listLength: 20,
  maxHistory: null,
  excludeSeen: false,
  tieRule: 'none',
};

/** User u gets items u, u + 1, ... (modulo 30), so a target of u + r - 1 has rank r. */
function ladder(overrides: Partial<EvaluateOptions> = {}): EvaluateOptions {
  return {
    recommend: (users) => Promise.resolve(users.map((user) => Array.from({ length: 20 }, (_, i) => (user + i) % 30))),
    numItems: 30,
    ranking,
    targets: [0, 3, 29, 12, 14], // ranks 1, 3, none (it would be 28th), 10, 11
    split: 'test',
    ...overrides,
  };
}

describe('evaluateRecommender', () => {
  it('gives the metrics of the ranks, under the names of the command line and in their order', async () => {
    const result = await evaluateRecommender(ladder());
    expect([...result.ranks]).to.deep.equal([1, 3, 0, 10, 11]);
    expect(result['hr@1']).to.be.closeTo(1 / 5, 1e-12);
    expect(result['hr@5']).to.be.closeTo(2 / 5, 1e-12);
    expect(result['ndcg@5']).to.be.closeTo(1.5 / 5, 1e-12);
    expect(result['hr@10']).to.be.closeTo(3 / 5, 1e-12);
    expect(result['ndcg@10']).to.be.closeTo((1.5 + 1 / Math.log2(11)) / 5, 1e-12);
    expect(result['mrr@10']).to.be.closeTo((1 + 1 / 3 + 1 / 10) / 5, 1e-12);
    expect(result.invalidItems).to.equal(0);
    const keys = ['hr@1', 'hr@5', 'ndcg@5', 'hr@10', 'ndcg@10', 'mrr@10'];
    expect(Object.keys(evaluationSummary(result))).to.deep.equal([
      ...keys,
      'users',
      'rows',
      'invalidItems',
      'ci95',
      'protocol',
    ]);
    expect(metricKeys()).to.deep.equal(keys);
    for (const key of metricKeys()) {
      const [low, high] = result.ci95[key];
      expect(low).to.be.at.most(result[key]);
      expect(high).to.be.at.least(result[key]);
    }
  });

  it('refuses beams that are narrower than the largest cutoff, unless they reach all of a small catalogue', async () => {
    const beams = (beamWidth: number, ks: number[], numItems = 30): Partial<EvaluateOptions> => ({
      ranking: { ...ranking, beamWidth, numItems },
      numItems,
      ks,
    });
    const refusal =
      'evaluateRecommender: beamWidth must be at least the largest cutoff, 10, got 9, with which lists may hold fewer ' +
      'items; raise beamWidth, or give lower cutoffs in ks';
    expect(await messageOf(evaluateRecommender(ladder(beams(9, [1, 10]))))).to.equal(refusal);
    for (const wide of [beams(10, [10]), beams(9, [1, 9])]) await evaluateRecommender(ladder(wide));
    const small = ladder({ ...beams(3, [1, 10], 3), targets: [0, 1, 2] });
    const { protocol } = await evaluateRecommender({
      ...small,
      recommend: async (users) => users.map(() => [0, 1, 2]),
    });
    expect(protocol.shortLists).to.deep.equal({ lists: 3, cutoff: 10 });
    expect(protocolText(protocol)).to.include(
      'The catalogue has fewer than 10 items, so a cutoff of 10 takes in every item of a list.',
    );
  });

  it('says how many lists hold fewer items than the largest cutoff', async () => {
    const { recommend } = ladder();
    const cut = ladder({
      recommend: async (users) =>
        (await recommend(users)).map((list, i) => Array.from(list).slice(0, 9 + (users[i] % 2))),
    });
    const { protocol } = await evaluateRecommender(cut); // users 0, 2 and 4 get 9 items
    expect(protocol.shortLists).to.deep.equal({ lists: 3, cutoff: 10 });
    expect(protocolText(protocol)).to.include(' 3 of 5 lists hold fewer than 10 items. Ties:');
    expect((await evaluateRecommender(ladder())).protocol).to.not.have.property('shortLists');
  });

  it('counts how often each item is within the largest cutoff', async () => {
    const { itemCounts } = await evaluateRecommender(ladder({ ks: [1, 3] }));
    // users 0 to 4 have items u, u + 1, u + 2
    expect([...itemCounts.slice(0, 8)]).to.deep.equal([1, 2, 3, 3, 3, 2, 1, 0]);
    expect(itemCounts).to.have.length(30);
    const some = await evaluateRecommender(ladder({ ks: [1], users: [3, 4], batchSize: 1 }));
    expect([...some.itemCounts.slice(0, 6)]).to.deep.equal([0, 0, 0, 1, 1, 0]);
  });

  it('draws users with all of their targets where they have several', async () => {
    const { ci95, protocol, users, rows } = await evaluateRecommender(ladder({ clusters: [4, 4, 4, 9, 9] }));
    // hr@10 is 1 1 0 of one user and 1 0 of the other: means 2/3, 3/5, 1/2
    expect(ci95['hr@10'][0]).to.be.closeTo(1 / 2, 1e-12);
    expect(ci95['hr@10'][1]).to.be.closeTo(2 / 3, 1e-12);
    expect(protocol.bootstrap.clusters).to.equal(2);
    expect([users, rows, protocol.users]).to.deep.equal([2, 5, 5]);
    expect(protocolText({ ...protocol, holdOut: 'published rows' })).to.include(
      'The published rows of the test split, all 5 rows of 2 users.',
    );
    expect(protocolText({ ...protocol, holdOut: 'published rows' })).to.include(
      'bootstrap over the 2 users of the rows',
    );
  });

  it('counts every user whatever the batch size, and reports progress', async () => {
    const whole = await evaluateRecommender(ladder());
    for (const batchSize of [1, 2, 3, 5, 64]) {
      const done: number[] = [];
      const result = await evaluateRecommender(ladder({ batchSize, onProgress: (count) => done.push(count) }));
      expect([...result.ranks]).to.deep.equal([...whole.ranks]);
      expect(result.users).to.equal(5);
      expect(done.length).to.equal(Math.ceil(5 / batchSize));
      expect(done[done.length - 1]).to.equal(5);
    }
  });

  it('puts users of like cost into one batch and each rank back in its place', async () => {
    const batches: number[][] = [];
    const { recommend } = ladder();
    const result = await evaluateRecommender(
      ladder({
        batchSize: 2,
        costOf: (user) => [9, 1, 8, 2, 9][user],
        recommend: (users) => {
          batches.push([...users]);
          return recommend(users);
        },
      }),
    );
    expect(batches).to.deep.equal([[1, 3], [2, 0], [4]]);
    expect([...result.ranks]).to.deep.equal([1, 3, 0, 10, 11]);
  });

  it('draws the same users for the same seed, or takes those named, and says so in the protocol', async () => {
    const targets = Array.from({ length: 200 }, (_, user) => user % 30);
    const a = await evaluateRecommender(ladder({ targets, users: 20, seed: 4 }));
    const b = await evaluateRecommender(ladder({ targets, users: 20, seed: 4, batchSize: 7 }));
    expect(new Set(a.evaluatedUsers).size).to.equal(20);
    expect([...a.evaluatedUsers]).to.deep.equal([...b.evaluatedUsers]);
    const other = await evaluateRecommender(ladder({ targets, users: 20, seed: 5 }));
    expect([...other.evaluatedUsers]).to.not.deep.equal([...a.evaluatedUsers]);
    expect(a.protocol).to.include({ users: 20, usersTotal: 200, userSeed: 4 });
    const named = await evaluateRecommender(ladder({ users: [3, 1] }));
    expect([...named.ranks]).to.deep.equal([10, 3]);
    expect(named.protocol.userSeed).to.equal(null);
    const all = await evaluateRecommender(ladder({ users: 1000 }));
    expect(all.protocol).to.deep.equal({
      split: 'test',
      holdOut: 'leave-one-out',
      ...ranking,
      users: 5,
      usersTotal: 5,
      userSeed: null,
      bootstrap: { resamples: 1000, seed: 0, level: 0.95 },
    });
  });

  it('counts list entries that are no items, or come twice', async () => {
    const result = await evaluateRecommender(
      ladder({ targets: [5], recommend: () => Promise.resolve([[-1, 30, 1.5, 5, 5]]) }),
    );
    expect(result.invalidItems).to.equal(4);
    expect(result.ranks[0]).to.equal(4);
  });

  it('refuses what it cannot measure, each by a sentence', async () => {
    const messageOf = (overrides: Partial<EvaluateOptions>): Promise<string> =>
      evaluateRecommender(ladder(overrides)).then(String, (error: Error) => error.message);
    expect(await messageOf({ targets: [] })).to.equal('evaluateRecommender: there must be at least one user, got 0');
    expect(await messageOf({ targets: [1, 30] })).to.equal(
      'evaluateRecommender: targets must be item numbers in [0, 30), got 30 for user 1',
    );
    expect(await messageOf({ ks: [1, 21] })).to.equal(
      'evaluateRecommender: ks must be integers from 1 to the list length of 20, got [1, 21]; raise listLength',
    );
    expect(await messageOf({ users: 0 })).to.equal(
      'evaluateRecommender: users must be an integer of at least 1, got 0',
    );
    expect(await messageOf({ users: [7] })).to.equal(
      'evaluateRecommender: users must be user numbers in [0, 5), got 7',
    );
    expect(await messageOf({ batchSize: 0 })).to.equal(
      'evaluateRecommender: batchSize must be an integer of at least 1, got 0',
    );
    expect(await messageOf({ resamples: 0 })).to.equal(
      'evaluateRecommender: resamples must be an integer of at least 1, got 0; 1000 is usual',
    );
    expect(await messageOf({ recommend: () => Promise.resolve([[1]]) })).to.equal(
      'evaluateRecommender: recommend must return one list per user, got 1 lists for 5 users',
    );
  });
});
