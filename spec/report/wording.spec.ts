import { expect } from 'chai';
import { listed, pairOf, verdict } from '../../src/report/wording';
import { madePair } from '../support/comparison';

describe('verdict', () => {
  const pair = madePair({
    difference: 0.00123,
    ci95: [-0.0004, 0.0029],
    pValue: 0.1234,
    adjustedPValue: 0.3702,
    seedsA: 3,
    seedsB: 3,
  });
  const methods = [
    { method: 'ilrec', title: 'ILRec', kind: 'language-model' },
    { method: 'sft', title: 'SFT', kind: 'language-model' },
    { method: 'markov', title: 'Markov', kind: 'counts' },
    { method: 'popularity', title: 'Popularity', kind: 'counts' },
  ] as const;

  it('shows no difference where the interval contains zero', () => {
    expect(verdict(pair, methods)).to.equal(
      'No difference shown between ILRec and SFT: +0.0012 NDCG@10, 95 % interval [−0.0004, +0.0029], p = 0.123, ' +
        'adjusted = 0.370; 3 training seeds averaged per user.',
    );
    expect(verdict({ ...pair, ci95: [0, 0.003], adjustedPValue: 0.01 }, methods)).to.match(/^No difference shown/);
  });

  it('says who is ahead where the interval is on one side and the adjusted p-value is small', () => {
    const ahead = { ...pair, ci95: [0.0001, 0.0029] as const, pValue: 0.0001, adjustedPValue: 0.0003 };
    expect(verdict(ahead, methods)).to.match(/^ILRec is ahead of SFT: .* p < 0\.001, adjusted < 0\.001;/);
    const behind = { ...ahead, difference: -0.002, ci95: [-0.003, -0.001] as const };
    expect(verdict(behind, methods)).to.match(/^ILRec is behind SFT: −0\.0020 /);
  });

  it('shows no difference that the correction takes away', () => {
    const found = { ...pair, ci95: [0.0001, 0.0029] as const, pValue: 0.04, adjustedPValue: 0.12 };
    expect(verdict(found, methods)).to.match(/^No difference shown .* p = 0\.040, adjusted = 0\.120;/);
  });

  it('says what one seed cannot show, also where the other method only counts', () => {
    const remark = /one training seed, so this holds only for these trained models\.$/;
    expect(verdict({ ...pair, seedsA: 1 }, methods)).to.match(remark);
    expect(verdict({ ...pair, b: 'markov', seedsA: 1, seedsB: 1 }, methods)).to.match(remark);
    expect(verdict({ ...pair, b: 'markov', seedsB: 1 }, methods)).to.match(/; 3 training seeds averaged per user\.$/);
    expect(verdict({ ...pair, a: 'markov', b: 'popularity' }, methods)).to.match(/adjusted = 0\.370\.$/);
  });
});

describe('pairOf', () => {
  it('turns a test around', () => {
    const pair = madePair({ difference: 0.2, ci95: [-0.1, 0.5], meanA: 0.5, meanB: 0.3, seedsA: 3 });
    expect(pairOf([pair], 'ilrec', 'sft')).to.equal(pair);
    expect(pairOf([pair], 'sft', 'ilrec')).to.deep.equal({
      ...pair,
      a: 'sft',
      b: 'ilrec',
      difference: -0.2,
      ci95: [-0.5, 0.1],
      meanA: 0.3,
      meanB: 0.5,
      seedsA: 1,
      seedsB: 3,
    });
    expect(pairOf([pair], 'sft', 'markov')).to.equal(undefined);
  });
});

describe('listed', () => {
  it('joins names', () => {
    expect([[], ['A'], ['A', 'B'], ['A', 'B', 'C']].map(listed)).to.deep.equal(['', 'A', 'A and B', 'A, B and C']);
  });
});
