import { expect } from 'chai';
import fc from 'fast-check';
import { chooseSeenRule, repeatShare } from '../../src/data/repeat_share';

/** 500 users with two items each; the first `repeats` of them take one item twice. */
const withRepeats = (repeats: number): number[][] =>
  Array.from({ length: 500 }, (_, user) => [user, user < repeats ? user : 500 + user]);

describe('repeatShare', () => {
  it('counts interactions that repeat an earlier item of the same user', () => {
    // 7 3 7 7: the third and the fourth; 7 3: none, since these repeat another user's; so 2 of 6.
    expect(repeatShare([Int32Array.of(7, 3, 7, 7), Int32Array.of(7, 3)])).to.equal(2 / 6);
  });

  it('is 0 where nobody takes an item twice, and where there is nothing', () => {
    expect(repeatShare([[0, 1, 2], [2, 1], []])).to.equal(0);
    expect(repeatShare([])).to.equal(0);
  });

  it('does not depend on the order of users and items', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat(5))), (sequences) => {
        const turned = sequences.map((items) => items.toReversed()).reverse();
        expect(repeatShare(turned)).to.equal(repeatShare(sequences));
      }),
    );
  });
});

describe('chooseSeenRule', () => {
  it('leaves items seen out up to 0.2 % of repeats', () => {
    // of 1,000 interactions: 2 are 0.2 %, 3 are 0.3 %
    expect(chooseSeenRule(withRepeats(0))).to.deep.equal({ seen: 'exclude', repeatShare: 0 });
    expect(chooseSeenRule(withRepeats(2))).to.deep.equal({ seen: 'exclude', repeatShare: 0.002 });
    expect(chooseSeenRule(withRepeats(3))).to.deep.equal({ seen: 'allow', repeatShare: 0.003 });
  });
});
