import { expect } from 'chai';
import { isRecomputing, recompute } from '../../src/ops/recomputation';

describe('isRecomputing', () => {
  it('is true inside of recompute, nested or left by an error', () => {
    expect(isRecomputing()).to.equal(false);
    expect(recompute(() => [isRecomputing(), recompute(isRecomputing), isRecomputing()])).to.deep.equal([
      true,
      true,
      true,
    ]);
    expect(() =>
      recompute(() => {
        throw new Error('stop');
      }),
    ).to.throw('stop');
    expect(isRecomputing()).to.equal(false);
  });
});
