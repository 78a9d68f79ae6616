import { expect } from 'chai';
import { bestPairs, concludeFrom } from '../../src/report/conclusion';
import { madeComparison, madeMethod, madePair } from '../support/comparison';

describe('concludeFrom', () => {
  const ahead = { ci95: [0.01, 0.05] as const, pValue: 0.001, adjustedPValue: 0.003, difference: 0.03, meanA: 0.13 };
  const { protocols } = madeComparison();
  const three = madeComparison({
    methods: [madeMethod('markov', 0.08), madeMethod('sft', 0.1), madeMethod('ilrec', 0.13)],
    protocols: { ...protocols, markov: protocols.sft },
    pairs: [
      madePair({ ...ahead, meanB: 0.1 }),
      madePair({ ...ahead, b: 'markov', meanB: 0.08 }),
      madePair({ a: 'sft', b: 'markov', meanB: 0.08 }),
    ],
  });

  it('says who is best, by how much over the next best, and at what cost', () => {
    expect(concludeFrom(three).shown).to.deep.equal([
      'ILRec has the highest NDCG@10 of the test split: 0.1300 [0.0800, 0.1800].',
      'It is ahead of SFT, the next best: +0.0300 NDCG@10, 95 % interval [+0.0100, +0.0500], p = 0.001, adjusted = 0.003.',
      'It is ahead of Markov, too.',
      "2 of 3 pairs of methods differ. Adjusted p-values are corrected over all 3 pairs by Holm's method.",
      "An epoch of ILRec takes 1.25 times the seconds of SFT's, 3.50 with its teachers.",
      'Highest on validation users, without a test: after 2 steps each ILRec (0.1200), after 3 s each with the seconds of teachers SFT (0.1000).',
    ]);
  });

  it('says what the numbers do not show', () => {
    const [first, second, third] = three.pairs;
    const none = { ci95: [-0.01, 0.07] as const, pValue: 0.2, adjustedPValue: 0.4 };
    const { shown, notShown } = concludeFrom({
      ...three,
      pairs: [{ ...first, ...none }, { ...second, ...none }, third],
    });
    expect(notShown).to.deep.equal([
      'That ILRec is ahead of SFT, the next best: +0.0300 NDCG@10, 95 % interval [−0.0100, +0.0700], p = 0.200, adjusted = 0.400.',
      'That ILRec is ahead of Markov.',
      'What another training would give: a method was trained with one seed, and intervals are over users alone.',
    ]);
    expect(shown.join(' ')).to.not.include('ahead');
  });

  it('says "too" only of methods beside a next best that it is ahead of', () => {
    const [first, second, third] = three.pairs;
    const none = { ci95: [-0.01, 0.07] as const, pValue: 0.2, adjustedPValue: 0.4 };
    const { shown } = concludeFrom({ ...three, pairs: [{ ...first, ...none }, second, third] });
    expect(shown[1]).to.equal('It is ahead of Markov.');
  });

  it('says where ILRec stands beside SFT when another method is best', () => {
    const methods = [madeMethod('sft', 0.1), madeMethod('ilrec', 0.11), madeMethod('sasrec', 0.2)];
    const concluded = (changes: Parameters<typeof madePair>[0]): ReturnType<typeof concludeFrom> =>
      concludeFrom(
        madeComparison({
          methods,
          protocols: { ...protocols, sasrec: protocols.sft },
          pairs: [
            madePair(changes),
            madePair({ a: 'sasrec', b: 'ilrec', meanB: 0.11 }),
            madePair({ a: 'sasrec', b: 'sft' }),
          ],
        }),
      );
    const numbers = (sign: string): string => `${sign}0.0300 NDCG@10, 95 % interval`;
    expect(concluded(ahead).shown.join(' ')).to.include(`ILRec is ahead of SFT: ${numbers('+')}`);
    const behind = { ...ahead, difference: -0.03, ci95: [-0.05, -0.01] as const };
    expect(concluded(behind).shown.join(' ')).to.include(`ILRec is behind SFT: ${numbers('−')}`);
    const undecided = concluded({ ...ahead, adjustedPValue: 0.06 });
    expect(undecided.shown.join(' ')).to.not.include('ILRec is');
    expect(undecided.notShown.join(' ')).to.include(`A difference between ILRec and SFT: ${numbers('+')}`);
  });

  it('has one sentence for a method alone', () => {
    const { shown, notShown } = concludeFrom(
      madeComparison({
        methods: [madeMethod('popularity')],
        protocols: { popularity: protocols.sft },
        pairs: [],
        budgets: null,
      }),
    );
    expect(shown.slice(0, 1)).to.deep.equal([
      'Popularity has the highest NDCG@10 of the test split: 0.1000 [0.0500, 0.1500].',
    ]);
    expect(notShown).to.deep.equal([]);
  });

  it('tests the best method against each other, wherever it stands', () => {
    const worse = {
      ...three,
      methods: [madeMethod('markov', 0.08), madeMethod('sft', 0.2), madeMethod('ilrec', 0.13)],
    };
    expect(bestPairs(worse).map(({ a, b, difference }) => [a, b, difference])).to.deep.equal([
      ['sft', 'ilrec', -0.03],
      ['sft', 'markov', 0],
    ]);
  });
});
