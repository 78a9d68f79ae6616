import { expect } from 'chai';
import * as evaluation from '../src/evaluation';
import * as index from '../src';
import { bundleEntry } from './support/bundled_entry';

const NAMES = [
  'IlrecError',
  'NOT_RANKED',
  'beamSearchRecommender',
  'bootstrapInterval',
  'bootstrapIntervals',
  'buildPrefixTrie',
  'createModelDecoder',
  'evaluateRecommender',
  'evaluationSummary',
  'formatInterval',
  'gain',
  'gains',
  'hitRatio',
  'holmAdjusted',
  'listQuality',
  'meanReciprocalRank',
  'metricKeys',
  'ndcg',
  'pairedDifference',
  'protocolText',
  'rankOf',
  'scorerRecommender',
  'signFlipTest',
  'splitCases',
];

describe('the entry evaluation', () => {
  it('exports what evaluates lists, each as the main entry does', () => {
    expect(Object.keys(evaluation).sort()).to.deep.equal(NAMES);
    expect(index).to.include(evaluation);
  });

  it('evaluates lists that no model of this package made', async () => {
    const ranking = {
      ranking: 'fixed lists',
      numItems: 5,
      beamWidth: null,
      renormalize: null,
      listLength: 3,
      maxHistory: null,
      excludeSeen: false,
      tieRule: 'none',
    };
    const result = await evaluation.evaluateRecommender({
      recommend: (users) => Promise.resolve(users.map(() => [4, 1, 0])),
      numItems: 5,
      ranking,
      targets: [1, 4, 2],
      split: 'test',
      ks: [1, 3],
    });
    expect([...result.ranks]).to.deep.equal([2, 1, 0]);
  });

  it('bundles for browsers without kernels and layers, in less than 37 kB beside tfjs-core', async () => {
    const { kilobytes, files, imports } = await bundleEntry('evaluation.ts');
    expect(files).to.include('generation/token_scores.ts');
    expect(imports).to.deep.equal(['@tensorflow/tfjs-core']);
    expect(files.filter((file) => /^(register|kernels|layers|optimizers|backends)/.test(file))).to.deep.equal([]);
    expect(kilobytes).to.be.below(37);
  });
});
