import { expect } from 'chai';
import { gains, hitRatio, meanReciprocalRank, ndcg, rankOf } from '../../src/evaluation/metrics';

describe('metrics', () => {
  const ranks = Int32Array.of(1, 3, 0, 10, 11); // 0: not in the list

  it('take the values derived by hand', () => {
    // within 10: ranks 1, 3, 10. 1/log2(2) = 1, 1/log2(4) = 1/2, 1/log2(11) = 0.2890648
    expect(hitRatio(ranks, 10)).to.be.closeTo(3 / 5, 1e-12);
    expect(ndcg(ranks, 10)).to.be.closeTo((1 + 0.5 + 0.2890648263) / 5, 1e-9);
    expect(meanReciprocalRank(ranks, 10)).to.be.closeTo((1 + 1 / 3 + 1 / 10) / 5, 1e-12);
    expect(hitRatio(ranks, 2)).to.be.closeTo(1 / 5, 1e-12);
  });

  it('agree at cutoff 1, where a hit is a hit', () => {
    expect([hitRatio(ranks, 1), ndcg(ranks, 1), meanReciprocalRank(ranks, 1)]).to.deep.equal([0.2, 0.2, 0.2]);
  });

  it('keep one gain per user', () => {
    expect([...gains('hr', ranks, 3)]).to.deep.equal([1, 1, 0, 0, 0]);
    expect([...gains('ndcg', ranks, 3)]).to.deep.equal([1, 0.5, 0, 0, 0]);
  });

  it('count ranks from 1 and say 0 for a target that is not in the list', () => {
    expect(rankOf(7, [4, 7])).to.equal(2);
    expect(rankOf(5, Int32Array.of(4, 7))).to.equal(0);
    expect(rankOf(5, [])).to.equal(0);
  });
});
