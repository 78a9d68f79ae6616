import { parseHTML } from 'linkedom';
import { expect } from 'chai';
import { METHODS } from '../../src/methods/registry';
import { comparisonReport } from '../../src/report/comparison_report';
import { comparisonTable } from '../../src/report/comparison_table';
import { curveSvg } from '../../src/report/curve_svg';
import type { ComparedMethod } from '../../src/runs/comparison';
import type { LogLine } from '../../src/runs/run_log';
import { madeComparison, madeMethod, madePair } from '../support/comparison';

const LOOK = { numNegatives: 3, validShare: 0.5, futureShare: 0.1, likedShare: 0.2 };

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
    const titles = [...document.querySelectorAll('figcaption h3')].map((heading) => heading.textContent);
    expect(titles).to.include.members([
      'Validation NDCG@10 over steps',
      'Validation NDCG@10 over seconds',
      'NDCG@10 by items in the history',
      'NDCG@10 by interactions of the target',
      'NDCG@10 against seconds of training',
      'ILRec: KL of the final layer to each tapped layer',
    ]);
    expect(document.querySelector('.conclusion')?.textContent).to.include('What the numbers do not show');
    expect(document.querySelector('[aria-label="Tests with SFT"] tbody')?.textContent).to.match(
      /^\s*ILRec: no difference shown\s+\+0\.0000/,
    );
    expect(document.querySelector('li.hit')?.textContent).to.equal('Stove ✓');
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
      'layer −2, epoch 1: 0.300 nats',
    ]);
  });

  it('has the numbers of the comparison in its bars, also as a table beside them', () => {
    const pairs = [madePair({ difference: 0.0123, ci95: [-0.0045, 0.0291], adjustedPValue: 0.2 })];
    const comparison = madeComparison({ methods: [madeMethod('sft', 0.08), madeMethod('ilrec', 0.13)], pairs });
    const { document } = parseHTML(comparisonReport(comparison));
    const figure = (title: string): HTMLElement =>
      [...document.querySelectorAll('figure')].find((one) => one.querySelector('h3')?.textContent === title) as never;
    const means = figure('NDCG@10 with 95 % intervals');
    const hovered = [...means.querySelectorAll('.wide title')].map(({ textContent }) => textContent);
    expect(hovered).to.deep.equal(['SFT: 0.0800 [0.0300, 0.1300]', 'ILRec: 0.1300 [0.0800, 0.1800]']);
    const cells = (one: HTMLElement): string[] => [...one.querySelectorAll('td')].map((cell) => cell.textContent ?? '');
    expect(cells(means)).to.deep.equal(['SFT', '0.0800 [0.0300, 0.1300]', 'ILRec', '0.1300 [0.0800, 0.1800]']);
    const differences = figure('NDCG@10 of ILRec, difference to each');
    expect(cells(differences)).to.deep.equal(['to SFT', '0.0123 [-0.004500, 0.0291]']);
    for (const one of document.querySelectorAll('figure')) {
      expect(one.querySelectorAll('svg[role="img"]')).to.have.length(2); // wide and narrow
      expect(one.querySelectorAll('td').length, one.querySelector('h3')?.textContent ?? '').to.be.above(1);
    }
  });

  it('asks for nothing, and forbids it', () => {
    const page = comparisonReport(madeComparison());
    expect(page).to.include(`content="default-src &#39;none&#39;; style-src`);
    expect(page.replaceAll('http://www.w3.org/2000/svg', '')).to.not.match(/https?:|url\(|@import|src=|<script/);
  });

  it('escapes titles everywhere', () => {
    const hostile = '</style><img src=x onerror=alert(1)>"&';
    const method = { ...madeMethod('ilrec'), title: hostile };
    const comparison = madeComparison({ methods: [madeMethod('sft'), method] });
    const { data } = comparison;
    const page = comparisonReport(
      { ...comparison, data: { ...data, name: hostile } },
      { title: hostile, command: hostile },
    );
    const { document } = parseHTML(page);
    expect(document.querySelectorAll('img')).to.have.length(0);
    expect(document.querySelector('h1')?.textContent).to.equal(hostile);
    expect(document.querySelector('label:nth-of-type(2)')?.textContent).to.equal(hostile);
  });

  it('lets the reader hide a method, without a script', () => {
    const page = comparisonReport(madeComparison());
    const { document } = parseHTML(page);
    expect(document.querySelectorAll('.filter input[type=checkbox][checked]')).to.have.length(2);
    expect(page).to.include('body:has(#show-m1:not(:checked)) .m1 { display: none; }');
    expect([...document.querySelectorAll('tr.m1')].map((row) => row.children[0].textContent?.trim())).to.include(
      'ILRec',
    );
    expect(document.querySelectorAll('svg g.m1, svg path.m1').length).to.be.above(5);
  });

  it('says of cold targets that they are', () => {
    const [{ methods }] = madeComparison().slices;
    const slices = [
      { by: 'popularity', low: 0, high: 0, users: 1, rows: 1, methods },
      { by: 'popularity', low: 1, high: 1, users: 3, rows: 3, methods },
    ] as const;
    const page = comparisonReport(madeComparison({ slices }));
    expect(page).to.include('cold, no interaction, 1 user<').and.include('1 interaction, 3 users<');
    const [mixed] = slices;
    expect(comparisonReport(madeComparison({ slices: [{ ...mixed, high: 2 }] }))).to.include(
      '0 to 2 interactions, some cold, 1 user<',
    );
  });

  it('says of the KL what its numbers do', () => {
    const method = madeMethod('ilrec');
    const [run] = method.runs;
    const steps = (klOf: (i: number) => number[]): LogLine[] =>
      Array.from({ length: 20 }, (_, i) => ({ ...run.log[0], step: i + 1, klPerLayer: klOf(i) }));
    const pageOf = (log: LogLine[]): string =>
      comparisonReport(madeComparison({ methods: [madeMethod('sft'), { ...method, runs: [{ ...run, log }] }] }));
    const page = pageOf(steps((i) => [i + 1, 20 - i]));
    expect(page).to.include('layer −2 rises from 1.5000 to 19.5000 nats; layer −1 falls from 19.5000 to 1.5000 nats.');
    expect(pageOf(steps(() => [3, 2]))).to.include('layer −2 stays near 3.0000 nats; layer −1 stays near 2.0000 nats.');
  });

  it('stays under 1 MB for every method, three seeds each, a probed run and long logs', () => {
    const methods = METHODS.map((name): ComparedMethod => {
      const method = madeMethod(name);
      const [run] = method.runs;
      const negatives = {
        layers: [0.1, 0.2, 0.3, 0.4].map((overlap) => ({ ...LOOK, overlap })),
        ensemble: { ...LOOK, overlap: 0.5 },
        byDepth: [4, 3, 2, 1],
      };
      const steps = Array.from({ length: 3000 }, (_, i): LogLine => ({
        ...run.log[0],
        ...(name === 'ilrec' && i % 20 === 0 ? { negatives } : {}),
        step: i + 1,
        crossEntropy: 5 + Math.sin(i),
        klPerLayer: [Math.cos(i), 0.1, 0.2, Math.sin(i)],
      }));
      const validation = Array.from({ length: 20 }, (_, i) => ({ step: 150 * i, seconds: i, 'ndcg@10': Math.sin(i) }));
      return { ...method, runs: Array.from({ length: 3 }, () => ({ ...run, log: steps, validation })) };
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
    expect(page).to.not.match(/All \d+ pairs|For whom|to each tapped layer|difference to each|id="show-/);
    expect(page).to.not.match(/NaN|undefined|Infinity/);
  });
});

describe('curveSvg', () => {
  it('stands alone, with its own colours for light and dark', () => {
    const svg = curveSvg(madeComparison());
    expect(svg).to.match(
      /^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^>]*><style>[^<]*--m1: #[^<]*prefers-color-scheme: dark/,
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
