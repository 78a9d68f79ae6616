import { expect } from 'chai';
import { verdict } from '../../src/report/wording';
import type { ComparedPair } from '../../src/runs/comparison';

describe('verdict', () => {
  const pair: ComparedPair = {
    a: 'ilrec',
    b: 'sft',
    metric: 'ndcg@10',
    difference: 0.00123,
    ci95: [-0.0004, 0.0029],
    pValue: 0.1234,
    meanA: 0.1,
    meanB: 0.09877,
    users: 9,
    seedsA: 3,
    seedsB: 3,
    protocol: '',
  };

  const titleOf = (name: string): string => ({ ilrec: 'ILRec', sft: 'SFT' })[name] ?? name;

  it('shows no difference where the interval contains zero', () => {
    expect(verdict(pair, titleOf)).to.equal(
      'No difference shown between ILRec and SFT: +0.0012 NDCG@10, 95 % interval [−0.0004, +0.0029], p = 0.123; 3 training seeds averaged per user.',
    );
    expect(verdict({ ...pair, ci95: [0, 0.003] }, titleOf)).to.match(/^No difference shown/);
  });

  it('says who is ahead where it does not', () => {
    expect(verdict({ ...pair, ci95: [0.0001, 0.0029], pValue: 0.0001 }, titleOf)).to.match(
      /^ILRec is ahead of SFT: .* p < 0\.001;/,
    );
    expect(verdict({ ...pair, difference: -0.002, ci95: [-0.003, -0.001] }, titleOf)).to.match(
      /^ILRec is behind SFT: −0\.0020 /,
    );
  });

  it('says what one seed cannot show', () => {
    expect(verdict({ ...pair, seedsA: 1 }, titleOf)).to.match(
      /one training seed, so this holds only for these two trained models\.$/,
    );
  });
});
