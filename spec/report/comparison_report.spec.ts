import { parseHTML } from 'linkedom';
import { expect } from 'chai';
import type { LogLine } from '../../src/runs/run_log';
import { findMethod, type MethodName } from '../../src/methods/registry';
import type { RunManifest } from '../../src/runs/manifest';
import { parseTrainConfig } from '../../src/methods/train_config';
import type { EvaluationProtocol } from '../../src/evaluation/protocol';
import { comparisonReport } from '../../src/report/comparison_report';
import { comparisonTable } from '../../src/report/comparison_table';
import { curveSvg } from '../../src/report/curve_svg';
import { type ComparedMethod, type Comparison, TABLE_METRICS } from '../../src/runs/comparison';

describe('comparisonReport', () => {
  it('is one page that loads nothing, with table, tests, curves, diagnostics, examples and protocol', () => {
    const page = comparisonReport(comparison(), {
      title: 'A <shop>',
      examples: [
        { user: 'u<1>', history: ['Tent'], target: 'Stove', lists: [{ method: 'ilrec', titles: ['Stove', 'Rope'] }] },
      ],
    });
    const { document } = parseHTML(page);
    expect(document.querySelector('title')?.textContent).to.equal('A <shop>');
    expect(document.querySelectorAll('script, link, img, iframe')).to.have.length(0);
    expect(page).to.not.match(/(src|href)="http/);
    expect([...document.querySelectorAll('h2')].map((heading) => heading.textContent)).to.deep.equal([
      'Result',
      'Training',
      'What the methods did',
      'Histories and recommendations',
      'Protocol',
    ]);
    expect(document.querySelectorAll('svg')).to.have.length(8);
    expect(document.querySelector('.verdicts')?.textContent).to.match(/^\s*No difference shown between ILRec and SFT/);
    expect(document.querySelector('li.hit')?.textContent).to.equal('Stove');
    expect(page).to.include('Leave-one-out, test split').and.include('&#34;beamWidth&#34;: 20');
  });

  it('has no diagnostics and no pairs where there is one method without them', () => {
    const { methods, ...rest } = comparison();
    const page = comparisonReport({ ...rest, pairs: [], methods: methods.slice(0, 1) });
    expect(page).to.not.include('What the methods did');
    expect(parseHTML(page).document.querySelectorAll('svg')).to.have.length(3);
  });
});

describe('curveSvg', () => {
  it('stands alone, with its own colours for light and dark', () => {
    const svg = curveSvg(comparison());
    expect(svg).to.match(
      /^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^>]*><style>[^<]*--method-ilrec: #[^<]*prefers-color-scheme: dark/,
    );
    expect(svg).to.include('>ILRec<').and.include('>SFT<');
  });
});

describe('comparisonTable', () => {
  it('lines its columns up and ends with tests and protocol', () => {
    const lines = comparisonTable(comparison()).split('\n');
    expect(lines[0]).to.equal('shop: 9 users, 5 items, 70 interactions; backend wasm; seed 0');
    expect(lines[2]).to.equal(
      '         HR@1    HR@5  NDCG@5   HR@10  NDCG@10  MRR@10  NDCG@10, 95 % interval  steps  seconds',
    );
    expect(lines[3]).to.equal(
      'SFT    0.1000  0.1000  0.1000  0.1000   0.1000  0.1000        [0.0500, 0.1500]      2      1.0',
    );
    expect(lines[6]).to.match(/^\s*No difference shown/);
    expect(lines[8]).to.match(/^SFT, ILRec: Leave-one-out/);
  });
});

function comparison(): Comparison {
  const protocol: EvaluationProtocol = {
    split: 'test',
    holdOut: 'leave-one-out',
    ranking: 'beam search',
    numItems: 5,
    beamWidth: 20,
    renormalize: false,
    listLength: 20,
    maxHistory: 6,
    excludeSeen: false,
    tieRule: 'none',
    users: 9,
    usersTotal: 9,
    userSeed: null,
    bootstrap: { resamples: 10, seed: 0, level: 0.95 },
  };
  return {
    data: { folder: '/x', name: 'shop', checksum: 'c', users: 9, items: 5, interactions: 70 },
    backend: 'wasm',
    seeds: [0],
    config: parseTrainConfig({}),
    protocols: { sft: protocol, ilrec: protocol },
    methods: [compared('sft'), compared('ilrec')],
    pairs: [
      {
        a: 'ilrec',
        b: 'sft',
        metric: 'ndcg@10',
        difference: 0,
        ci95: [-0.1, 0.1],
        pValue: 1,
        meanA: 0.1,
        meanB: 0.1,
        users: 9,
        seedsA: 1,
        seedsB: 1,
        protocol: '',
      },
    ],
    seconds: 3,
  };
}

function compared(method: MethodName): ComparedMethod {
  const metrics = Object.fromEntries(TABLE_METRICS.map((name) => [name, 0.1])) as ComparedMethod['mean'];
  const ci95 = Object.fromEntries(
    TABLE_METRICS.map((name) => [name, [0.05, 0.15]]),
  ) as unknown as ComparedMethod['ci95'];
  const manifest: RunManifest = {
    kind: 'tfjs-ilrec run',
    version: 1,
    method,
    status: 'done',
    seed: 0,
    backend: 'wasm',
    versions: {},
    data: { folder: '', name: '', checksum: '', users: 9, items: 5, interactions: 70 },
    parameters: 10,
    steps: 2,
    stepsPerEpoch: 1,
    seconds: 1,
    startedAt: '',
    validation: { users: 4, bestStep: 1, best: { step: 1, epochs: 1, metrics: { 'ndcg@10': 0.1 } } },
  };
  const step = (number: number): LogLine => ({
    kind: 'step',
    step: number,
    epoch: 0,
    loss: 2,
    learningRate: 1,
    tokensPerSecond: 1,
    crossEntropy: 2,
    cpo: 2,
    cpd: 0.1,
    crr: 0,
    numNegatives: 3,
    penaltyMass: 0.2,
    klPerLayer: [0.3, 0.1],
  });
  const log: LogLine[] = [
    step(1),
    { kind: 'evaluation', step: 1, epoch: 0, 'ndcg@10': 0.1 },
    step(2),
    { kind: 'evaluation', step: 2, epoch: 1, 'ndcg@10': 0.09 },
  ];
  const { title, color, kind, diagnostics } = findMethod(method);
  const runs = [{ seed: 0, run: 'r', manifest, metrics, log }];
  return { method, title, color, kind, diagnostics, runs, mean: metrics, ci95, invalidItems: 0 };
}
