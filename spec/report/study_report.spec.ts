import { parseHTML } from 'linkedom';
import { expect } from 'chai';
import { studyCsv, studyLatex } from '../../src/report/study_files';
import { studyReport } from '../../src/report/study_report';
import { studyTable } from '../../src/report/study_table';
import type { Study } from '../../src/runs/study';
import type { LogLine } from '../../src/runs/run_log';
import { AHEAD, madeArm, madeStudy } from '../support/study';

const LOOK = { numNegatives: 3, validShare: 0.5, futureShare: 0.1, likedShare: 0.2 };

/** A look at the negatives of two tapped layers. */
function negatives(overlap: number): object {
  const layers = [overlap / 2, overlap].map((one) => ({ ...LOOK, overlap: one }));
  return { layers, ensemble: { ...LOOK, overlap }, byDepth: [4, 3, 2] };
}

/** The study with a log of some epochs in each run. */
function withLog(study: Study, steps: number, stepsPerEpoch: number, everyLook: number): Study {
  const arms = study.arms.map((arm) => {
    const [run] = arm.runs;
    const log = Array.from({ length: steps }, (_, i): LogLine => ({
      ...run.log[0],
      step: i + 1,
      crossEntropy: 5 + Math.sin(i),
      ...(i % everyLook === 0 ? { negatives: negatives(i / steps) } : {}),
    }));
    return { ...arm, runs: [{ ...run, log, manifest: { ...run.manifest, steps, stepsPerEpoch } }] };
  });
  return { ...study, arms };
}

describe('studyReport', () => {
  it('is one page with a conclusion, bars, cost, lists, slices, curves and the settings of the arms', () => {
    const page = studyReport(madeStudy(), { command: 'ilrec study' });
    const { document } = parseHTML(page);
    expect(document.querySelector('h1')?.textContent).to.equal('Study on shop');
    expect(document.querySelector('.lead')?.textContent?.trim()).to.match(/^What the terms do\. shop: 9 users/);
    expect([...document.querySelectorAll('h2')].map(({ textContent }) => textContent)).to.deep.equal([
      ...['Result', 'Cost', 'Lists', 'For whom', 'Training', 'Protocol'],
    ]);
    expect([...document.querySelectorAll('figcaption')].map(({ textContent }) => textContent)).to.include.members([
      'Difference in NDCG@10 to base',
      'NDCG@10 against seconds of training',
      'Validation NDCG@10 over seconds',
      'NDCG@10 by items in the history',
      'Penalty mass',
      'Terms of the loss: CPD',
      'better: KL of the final layer to each tapped layer',
    ]);
    expect(document.querySelector('pre')?.textContent).to.include('"penaltyWeight": 0.13');
    expect(page)
      .to.include('trained in 3 s')
      .and.not.match(/NaN|undefined|Infinity|<script|https?:\/\/(?!www\.w3)/);
    expect(document.querySelector('label:nth-of-type(4)')?.textContent).to.equal('like <it>');
  });

  it('has bars with the numbers of the study, each with the shape of what it shows', () => {
    const study = madeStudy();
    const { document } = parseHTML(studyReport(study));
    const figure = [...document.querySelectorAll('figure')].find((one) => /Difference in/.test(one.textContent ?? ''));
    const text = (value: number): string => (Math.abs(value) < 0.01 ? value.toPrecision(4) : value.toFixed(4));
    expect(
      [...(figure?.querySelectorAll('tbody tr') ?? [])].map((row) => row.textContent?.replace('\n', '')),
    ).to.deep.equal(
      study.arms.slice(1).map(({ name, differences }) => {
        const { difference, ci95 } = differences?.['ndcg@10'] ?? { difference: NaN, ci95: [NaN, NaN] };
        return `${name}${text(difference)} [${text(ci95[0])}, ${text(ci95[1])}]`;
      }),
    );
    const marks = [...(figure?.querySelectorAll('.wide [aria-label="dot"]') ?? [])];
    expect(marks.map((mark) => [mark.getAttribute('class'), mark.getAttribute('fill')])).to.deep.equal([
      ['m1 ahead', 'var(--good)'],
      ['m2 behind', 'var(--bad)'],
      ['m3 none', 'var(--card, transparent)'],
    ]);
    expect(new Set(marks.map((mark) => mark.querySelector('path')?.getAttribute('d') ?? 'circle')).size).to.equal(3);
  });

  it('maps the overlap of each layer over epochs, and shows what the negatives are, where runs were probed', () => {
    const study = withLog(madeStudy(), 40, 8, 2);
    const { document } = parseHTML(studyReport(study));
    const title = (name: string): HTMLElement =>
      [...document.querySelectorAll('figure')].find((one) => one.querySelector('h3')?.textContent === name) as never;
    const map = title('better: overlap of each layer with the final one');
    const hovered = [...map.querySelectorAll('.wide title')].map(({ textContent }) => textContent);
    expect(hovered).to.have.length(2 * 5); // layers and epochs
    // epoch 1 has looks after steps 1, 3, 5, 7, with 0, 2, 4 and 6 of 40: a mean of 7.5 %, and half of it below
    expect(hovered).to.include('layer −1, epoch 1: 7.5 %').and.include('layer −2, epoch 1: 3.8 %');
    expect(map.querySelector('.note:last-of-type')?.textContent).to.include('layer −1 rises from');
    for (const [name, share] of [
      ['Negatives that the user takes later', '0.1000'],
      ["Negatives among the collaborative model's best", '0.2000'],
      ['Negatives with which an item goes on', '0.5000'],
    ])
      expect(title(name).querySelector('tbody')?.textContent).to.include(`${share} at 39`);
    const depths = title('Negatives at each token of an item');
    expect([...depths.querySelectorAll('th')].map((head) => head.textContent)).to.deep.equal([
      ...['', 'token 1', 'token 2', 'token 3'],
    ]);
    expect(depths.querySelector('.wide title')?.textContent).to.equal('base, token 1: 4.0000');
  });

  it('has no heat map where nothing was probed', () => {
    expect(studyReport(madeStudy())).to.not.match(/overlap of each layer|Negatives that the user/);
  });

  it('is there for an arm alone', () => {
    const page = studyReport(madeStudy({ arms: [madeArm('base', 0.1, null)], slices: [] }));
    expect(page)
      .to.include('base is the only arm')
      .and.not.match(/NaN|undefined|Infinity|Paired tests/);
  });

  it('stays under 1 MB for 14 probed arms with long logs', () => {
    const arms = Array.from({ length: 14 }, (_, i) =>
      madeArm(`an arm of some length, ${i}`, 0.1, i === 0 ? null : AHEAD),
    );
    const protocols = Object.fromEntries(arms.map(({ name }) => [name, madeStudy().protocols.base]));
    const page = studyReport(withLog(madeStudy({ arms, protocols, slices: [] }), 2000, 100, 20));
    expect(Buffer.byteLength(page)).to.be.below(2 ** 20);
  });
});

describe('studyCsv', () => {
  it('has a row per arm with its difference to the first, unrounded', () => {
    const [header, base, better] = studyCsv(madeStudy())
      .split('\n')
      .map((line) => line.split(','));
    const cell = (row: string[], name: string): string => row[header.indexOf(name)];
    expect(base.slice(0, 3)).to.deep.equal(['base', 'ilrec', '1']);
    expect(cell(base, 'ndcg@10_difference')).to.equal('');
    expect(cell(better, 'ndcg@10_difference')).to.equal('0.03');
    expect(cell(better, 'ndcg@10_difference_low')).to.equal('0.01');
    expect(cell(better, 'ndcg@10_difference_high')).to.equal('0.05');
    expect(cell(better, 'adjusted_p_to_first')).to.equal('0.003');
    expect(cell(better, 'epoch_over_first')).to.equal('1');
    expect(header).to.not.include('epoch_over_sft');
    expect(new Set([header.length, base.length, better.length]).size).to.equal(1);
  });
});

describe('studyLatex', () => {
  it('marks the arms that differ from the first', () => {
    const lines = studyLatex(madeStudy()).split('\n');
    expect(lines[1]).to.match(/^% Dagger: ahead of base; double dagger: behind it; .* over 3 comparisons\.$/);
    expect(lines[4]).to.match(/^Arm & HR@1 &.*& epoch\/first \\\\$/);
    expect(lines.slice(6, 10).map((line) => line.split(' & ')[0])).to.deep.equal([
      ...['base', 'better$^\\dagger$', 'worse$^\\ddagger$', 'like <it>'],
    ]);
  });
});

describe('studyTable', () => {
  it('ends with the conclusion', () => {
    const lines = studyTable(madeStudy({ skipped: [{ name: 'titles', reason: 'the data has none' }] })).split('\n');
    expect(lines).to.include('better is ahead of base: +0.0300, 95 % interval [+0.0100, +0.0500], adjusted p = 0.003.');
    expect(lines.at(-1)).to.equal('Not shown: Anything of titles, which was left out: the data has none.');
  });
});
