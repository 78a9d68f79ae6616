import { expect } from 'chai';
import * as data from '../src/data';
import * as index from '../src';
import { bundleEntry } from './support/bundled_entry';

const NAMES = [
  'IlrecError',
  'SemanticIdTokenizer',
  'TextTokenizer',
  'codesOfSemanticIds',
  'demoCatalogue',
  'encodeTitles',
  'formatPrepareReport',
  'leaveOneOut',
  'makeItemVectors',
  'makeSemanticIds',
  'prepareInteractions',
  'readLcRec',
  'readMiniOneRec',
  'readPlain',
  'readRecBole',
  'readWindows',
  'splitCases',
  'trainByteLevelBpe',
];

describe('the entry data', () => {
  it('exports what reads, splits and names data, each as the main entry does', () => {
    expect(Object.keys(data).sort()).to.deep.equal(NAMES);
    expect(index).to.include(data);
  });

  it('prepares a catalogue and names its items', () => {
    const { semanticIds, sequences } = data.prepareInteractions(data.demoCatalogue({ numItems: 40, numUsers: 60 }));
    const { numItems, maxItemTokens } = data.SemanticIdTokenizer.fromSemanticIds(semanticIds);
    expect([numItems, maxItemTokens, sequences.length]).to.deep.equal([40, 3, 60]);
  });

  it('bundles for browsers without TensorFlow, in less than 150 kB', async () => {
    const { kilobytes, files, imports } = await bundleEntry('data.ts');
    expect(files).to.include('data/k_core.ts');
    expect(imports).to.deep.equal([]);
    expect(files.filter((file) => /^(register|kernels|layers|ops|models|backends)/.test(file))).to.deep.equal([]);
    expect(kilobytes).to.be.below(150);
  });
});
