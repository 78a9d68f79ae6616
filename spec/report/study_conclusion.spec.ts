import { expect } from 'chai';
import { concludeFromStudy } from '../../src/report/study_conclusion';
import { AHEAD, BEHIND, madeArm, madeDifference, madeStudy, UNDECIDED } from '../support/study';

const ONE_SEED =
  'What another training would give: each arm was trained with one seed, and intervals are over users alone.';

describe('concludeFromStudy', () => {
  const base = madeArm('base', 0.1, null);

  it('says which arms win, lose, and stay undecided', () => {
    expect(concludeFromStudy(madeStudy({ split: 'test' }))).to.deep.equal({
      shown: [
        'Of 3 other arms, 1 is shown to be ahead of base in NDCG@10, and 1 to be behind.',
        'better is ahead of base: +0.0300, 95 % interval [+0.0100, +0.0500], adjusted p = 0.003.',
        'worse is behind base: −0.0200, 95 % interval [−0.0300, −0.0100], adjusted p = 0.004.',
      ],
      notShown: ['A difference in NDCG@10 between base and like <it>.', ONE_SEED],
    });
  });

  it('claims nothing where the correction takes the difference away, or the interval holds 0', () => {
    const withZero = { ...AHEAD, ci95: [-0.001, 0.07] as const };
    for (const difference of [UNDECIDED, withZero]) {
      const { shown, notShown } = concludeFromStudy(madeStudy({ arms: [base, madeArm('other', 0.2, difference)] }));
      expect(shown).to.deep.equal(['In NDCG@10, no difference is shown between base and the other arm.']);
      expect(notShown[0]).to.equal('A difference in NDCG@10 between base and other.');
    }
  });

  it('says that the best of several looks better on the users it was chosen on', () => {
    const { notShown } = concludeFromStudy(madeStudy({ arms: [base, madeArm('better', 0.13, AHEAD)], seeds: [0, 1] }));
    expect(notShown).to.deep.equal([
      'What other trainings would give: 2 seeds are averaged per user, and intervals are over users alone.',
      'How large a difference is on other users: the best of several arms looks better on the users it is chosen on.',
    ]);
    const { notShown: ofLosers } = concludeFromStudy(madeStudy({ arms: [base, madeArm('worse', 0.08, BEHIND)] }));
    expect(ofLosers).to.deep.equal([ONE_SEED]);
  });

  it('tells HR@10 apart', () => {
    const arm = madeArm('other', 0.1, UNDECIDED);
    const differences = { ...arm.differences, 'hr@10': madeDifference({ ...BEHIND, metric: 'hr@10' }) } as const;
    const { shown } = concludeFromStudy(madeStudy({ arms: [base, { ...arm, differences } as typeof arm] }));
    expect(shown[1]).to.equal('In HR@10, tested apart: other is behind (−0.0200).');
  });

  it('names what was left out, and why', () => {
    const { notShown } = concludeFromStudy(madeStudy({ skipped: [{ name: 'titles', reason: 'the data has none' }] }));
    expect(notShown.at(-1)).to.equal('Anything of titles, which was left out: the data has none.');
  });

  it('compares nothing where there is one arm', () => {
    expect(concludeFromStudy(madeStudy({ arms: [base] }))).to.deep.equal({
      shown: ['base is the only arm, so nothing is compared.'],
      notShown: [],
    });
  });
});
