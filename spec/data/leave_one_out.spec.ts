import { expect } from 'chai';
import { leaveOneOut } from '../../src/data/leave_one_out';

describe('leaveOneOut', () => {
  it('takes the last item for test, the one before for validation and leaves the rest for training', () => {
    const split = leaveOneOut({
      userIds: ['u', 'v'],
      sequences: [Int32Array.of(5, 3, 2), Int32Array.of(1, 2, 3, 4, 0)],
    });
    expect(split.train.map((sequence) => [...sequence])).to.deep.equal([[5], [1, 2, 3]]);
    expect([...split.validation]).to.deep.equal([3, 4]);
    expect([...split.test]).to.deep.equal([2, 0]);
  });
  it('refuses a user with two interactions', () => {
    expect(() =>
      leaveOneOut({ userIds: ['u', 'v'], sequences: [Int32Array.of(5, 3, 2), Int32Array.of(1, 2)] }),
    ).to.throw('leaveOneOut: user "v" must have 3 interactions or more, got 2; prepareInteractions drops such users');
  });
});
