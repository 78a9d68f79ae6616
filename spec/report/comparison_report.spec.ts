import { parseHTML } from 'linkedom';
import { expect } from 'chai';
import { METHODS } from '../../src/methods/registry';
import { comparisonReport } from '../../src/report/comparison_report';
import { comparisonTable } from '../../src/report/comparison_table';
import { curveSvg } from '../../src/report/curve_svg';
import type { ComparedMethod } from '../../src/runs/comparison';
import type { LogLine } from '../../src/runs/run_log';
import { madeComparison, madeMethod, madePair } from '../support/comparison';

describe('comparisonReport', () => {
  it('is one page that loads nothing, with conclusion, tables, tests, curves, slices, diagnostics and examples', () => {
    const page = comparisonReport(madeComparison(), {
      title: 'A <shop>',
      examples: [
        { user: 'u<1>', history: ['Tent'], target: 'Stove', lists: [{ method: 'ilrec', titles: ['Stove', 'Rope'] }] },
      ],
    });
    const { document } = parseHTML(page);
    expect(document.querySelector('title')?.textContent).to.equal('A <shop>');
    expect(document.querySelectorAll('script, link, img, iframe')).to.have.length(0);
    expect(page).to.not.match(/(src|href)="http/);
    expect(page).to.not.match(/NaN|undefined|Infinity/);
    expect([...document.querySelectorAll('h2')].map((heading) => heading.textContent)).to.deep.equal([
      'Result',
      'Cost',
      'Lists',
      'For whom',
      'Training',
      'Histories and recommendations',
      'Protocol',
    ]);
    const titles = [...document.querySelectorAll('.card > h3')].map((heading) => heading.textContent);
    expect(titles).to.include.members([
      'Validation NDCG@10 over steps',
      'Validation NDCG@10 over seconds',
      'NDCG@10 by items in the history',
      'NDCG@10 by interactions of the target',
      'ILRec: KL of the final layer to each tapped layer',
    ]);
    expect(document.querySelector('.conclusion')?.textContent).to.include('What the numbers do not show');
    expect(document.querySelector('.verdicts')?.textContent).to.match(/^\s*No difference shown between SFT and ILRec/);
    expect(document.querySelector('li.hit')?.textContent).to.equal('Stove');
    expect(page).to.include('Leave-one-out, test split').and.include('&#34;beamWidth&#34;: 20');
    expect(page).to.include('trained and evaluated in 3 s');
  });

  it('shows values under the pointer, without a script', () => {
    const { document } = parseHTML(comparisonReport(madeComparison()));
    const hovered = [...document.querySelectorAll('svg title')].map((title) => title.textContent);
    expect(hovered).to.include.members([
      'SFT: 0.1000 [0.0500, 0.1500]',
      'SFT, training steps 2: 0.0900',
      'ILRec, seconds of training 3: 0.0900', // two of the teachers, one of its own
      'ILRec, 3 to 5 items, 4 users: 0.1000 [0.0500, 0.1500]',
      'layer -2, steps 1 to 2: 0.300 nats',
    ]);
  });

  it('stays under 1 MB for every method, five seeds each and long logs', () => {
    const methods = METHODS.map((name): ComparedMethod => {
      const method = madeMethod(name);
      const [run] = method.runs;
      const steps = Array.from({ length: 3000 }, (_, i): LogLine => ({
        ...run.log[0],
        step: i + 1,
        crossEntropy: 5 + Math.sin(i),
        klPerLayer: [Math.cos(i), 0.1, 0.2, Math.sin(i)],
      }));
      const validation = Array.from({ length: 20 }, (_, i) => ({ step: 150 * i, seconds: i, 'ndcg@10': Math.sin(i) }));
      return { ...method, runs: Array.from({ length: 5 }, () => ({ ...run, log: steps, validation })) };
    });
    const pairs = METHODS.flatMap((a, i) => METHODS.slice(0, i).map((b) => madePair({ a, b })));
    const { protocols, ...rest } = madeComparison();
    const page = comparisonReport({
      ...rest,
      protocols: Object.fromEntries(METHODS.map((name) => [name, protocols.sft])),
      methods,
      pairs,
    });
    expect(Buffer.byteLength(page)).to.be.below(2 ** 20);
  });

  it('leaves out what a single method without validation does not have', () => {
    const popularity = madeMethod('popularity');
    const methods = [{ ...popularity, runs: [{ ...popularity.runs[0], log: [], validation: [] }] }];
    const { protocols, ...rest } = madeComparison({ methods, pairs: [], slices: [], budgets: null });
    const page = comparisonReport({ ...rest, protocols: { popularity: protocols.sft } });
    expect(page).to.not.match(/All \d+ pairs|For whom|to each tapped layer/);
    expect(page).to.not.match(/NaN|undefined|Infinity/);
  });
});

describe('curveSvg', () => {
  it('stands alone, with its own colours for light and dark', () => {
    const svg = curveSvg(madeComparison());
    expect(svg).to.match(
      /^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^>]*><style>[^<]*--method-ilrec: #[^<]*prefers-color-scheme: dark/,
    );
    expect(svg).to.include('>ILRec<').and.include('>SFT<');
  });
});

describe('comparisonTable', () => {
  it('lines its columns up and ends with tests, conclusion and protocol', () => {
    const lines = comparisonTable(madeComparison()).split('\n');
    expect(lines[0]).to.equal('shop: 9 users, 5 items, 70 interactions; backend wasm; seed 0');
    expect(lines.slice(2, 13)).to.deep.equal([
      '         HR@1    HR@5  NDCG@5   HR@10  NDCG@10  MRR@10   95 % of NDCG@10  adj. p to best',
      'SFT    0.1000  0.1000  0.1000  0.1000   0.1000  0.1000  [0.0500, 0.1500]               –',
      'ILRec  0.1000  0.1000  0.1000  0.1000   0.1000  0.1000  [0.0500, 0.1500]           1.000',
      '',
      '       steps  seconds  teachers s  s/epoch  × SFT  with teachers  tokens/s  response/s  peak MB',
      'SFT        2      1.0         0.0     0.50   1.25           3.50         8           4        3',
      'ILRec      2      1.0         2.0     0.50   1.25           3.50         8           4        3',
      '',
      '       coverage@10  Gini@10  top 3 share  popular 10 share  valid., 2 steps  valid., 3 s',
      'SFT         80.0 %    0.450       75.0 %            25.0 %           0.1000       0.1000',
      'ILRec       80.0 %    0.450       75.0 %            25.0 %           0.1200            –',
    ]);
    expect(lines[14]).to.match(/^No difference shown between SFT and ILRec/);
    expect(lines[16]).to.equal('SFT has the highest NDCG@10 of the test split: 0.1000 [0.0500, 0.1500].');
    expect(lines.at(-1)).to.match(/^SFT, ILRec: Leave-one-out/);
  });

  it('leaves out how widely lists spread, and what is shown, where it is asked to', () => {
    const short = comparisonTable(madeComparison({ budgets: null }), { diversity: false, conclusions: false });
    expect(short).to.not.match(/coverage|Gini|share|difference shown|highest NDCG@10|Not shown/);
    expect(short).to.include('HR@10').and.include('peak MB').and.include('Leave-one-out');
  });

  it('fits its tables into 120 columns, with the longest names and numbers', () => {
    const wide = METHODS.map((name) => ({ ...madeMethod(name), cost: { ...madeMethod(name).cost, seconds: 12345.6 } }));
    const { protocols, ...rest } = madeComparison({ methods: wide });
    const table = comparisonTable({
      ...rest,
      protocols: Object.fromEntries(METHODS.map((name) => [name, protocols.sft])),
      budgets: { steps: 100000, seconds: 100000, methods: [] },
    });
    const rows = table.split('\n').filter((line) => / {2}/.test(line));
    expect(rows).to.have.length(3 * (METHODS.length + 1));
    for (const row of rows) expect([...row].length, row).to.be.at.most(120);
  });

  it('says where seconds of older logs include validation', () => {
    expect(comparisonTable(madeComparison())).to.include('those of an epoch are of its steps');
    expect(comparisonTable(madeComparison({ secondsOf: 'training' }))).to.include(
      'those of an epoch include validation, since a log of an older release does not tell the steps apart',
    );
  });
});
