import { expect } from 'chai';
import { comparisonCsv, comparisonLatex } from '../../src/report/comparison_files';
import { madeComparison, madeMethod, madePair } from '../support/comparison';

describe('comparisonCsv', () => {
  it('has a row per method and every number, unrounded', () => {
    const third = 1 / 3;
    const comparison = madeComparison({ methods: [madeMethod('sft', third), madeMethod('ilrec')] });
    const [header, sft, ilrec, end] = comparisonCsv(comparison)
      .split('\n')
      .map((line) => line.split(','));
    expect(end).to.deep.equal(['']);
    const cell = (row: string[], name: string): string => row[header.indexOf(name)];
    expect(sft.slice(0, 3)).to.deep.equal(['sft', 'SFT', '1']);
    expect(Number(cell(sft, 'ndcg@10'))).to.equal(third);
    expect(Number(cell(sft, 'ndcg@10_low'))).to.equal(third - 0.05);
    expect(cell(sft, 'adjusted_p_to_best')).to.equal('');
    expect(cell(ilrec, 'adjusted_p_to_best')).to.equal('1');
    expect(cell(ilrec, 'teacher_seconds')).to.equal('2');
    expect(cell(ilrec, 'peak_memory_bytes')).to.equal(String(3 * 2 ** 20));
    expect(cell(ilrec, 'valid_ndcg@10_equal_seconds')).to.equal('');
    expect(cell(ilrec, 'coverage@10')).to.equal('0.8');
    expect(new Set([header.length, sft.length, ilrec.length]).size).to.equal(1);
  });

  it('quotes titles with commas and quotes', () => {
    const comparison = madeComparison({ methods: [{ ...madeMethod('sft'), title: 'A, "b"' }, madeMethod('ilrec')] });
    expect(comparisonCsv(comparison).split('\n')[1]).to.match(/^sft,"A, ""b""",1,/);
  });
});

describe('comparisonLatex', () => {
  it('is a booktabs table with the highest means bold and a dagger where the best is ahead', () => {
    const comparison = madeComparison({
      methods: [{ ...madeMethod('sft'), title: 'S_F&T {50 %}\\' }, madeMethod('ilrec', 0.2)],
      pairs: [madePair({ ci95: [0.05, 0.15], adjustedPValue: 0.01, difference: 0.1 })],
    });
    const lines = comparisonLatex(comparison).split('\n');
    expect(lines.slice(2, 6)).to.deep.equal([
      '\\begin{tabular}{lrrrrrrrrr}',
      '\\toprule',
      'Method & HR@1 & HR@5 & NDCG@5 & HR@10 & NDCG@10 & MRR@10 & 95\\,\\% of NDCG@10 & epoch/SFT & with teachers \\\\',
      '\\midrule',
    ]);
    const values = (value: string): string => new Array(6).fill(value).join(' & ');
    expect(lines[6]).to.equal(
      `S\\_F\\&T \\{50 \\%\\}\\textbackslash{}$^\\dagger$ & ${values('0.1000')} & [0.0500, 0.1500] & 1.25 & 3.50 \\\\`,
    );
    expect(lines[7]).to.equal(`ILRec & ${values('\\textbf{0.2000}')} & [0.1500, 0.2500] & 1.25 & 3.50 \\\\`);
    expect(lines.slice(8)).to.deep.equal(['\\bottomrule', '\\end{tabular}', '']);
  });

  it('has dashes where nothing is known, and no dagger where no difference is shown', () => {
    const popularity = madeMethod('popularity');
    const cost = { ...popularity.cost, epochOverSft: null, epochWithNeedsOverSft: null };
    const tex = comparisonLatex(madeComparison({ methods: [madeMethod('sft'), { ...popularity, cost }] }));
    expect(tex).to.include('& -- & -- \\\\').and.not.include('$^\\dagger$');
  });
});
