import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { parseRunConfig, parseTrainConfig } from '../../src/methods/train_config';

describe('parseTrainConfig', () => {
  it('fills in every default of a style', () => {
    const config = parseTrainConfig({ items: { style: 'ids' } });
    expect(config.methods.ilrec).to.deep.include({
      numNegativeLayers: 4,
      penaltyWeight: 0.1,
      penalty: 'scale',
      thresholdScale: 1,
      thresholdReference: 'final',
    });
    expect(config.training).to.deep.include({ batching: 'packed', schedule: 'cosine' });
    expect(config.training).to.not.have.any.keys('epochs', 'evaluateEvery'); // by the data
    expect(config.evaluation).to.deep.equal({
      beamWidth: 20,
      renormalize: false,
      fusion: null,
      batchSize: 64,
      layerContrast: 0,
      seen: 'auto',
    });
    expect(config.methods.sasrec.training).to.deep.equal({});
  });

  it('takes other defaults where the tokens are items: in the shared sections and in those of the methods', () => {
    const config = parseTrainConfig({ methods: { ilrec: { rewardTopK: 7 } }, training: { batchSize: 5 } });
    expect(config.items).to.deep.include({ style: 'auto', codes: 'semantic-ids', sampledItems: 1500 });
    expect(config.model).to.deep.include({ numHiddenLayers: 2, hiddenDropout: 0.4 });
    expect(config.training).to.deep.include({ batchSize: 5, learningRate: 0.002 });
    expect(config.methods.ilrec).to.deep.include({ penaltyWeight: 0, reward: 'sft-future', rewardTopK: 7 });
    expect(config.methods.ilrec.futureTargets).to.deep.equal({ weight: 0.48, numItems: 5, decay: 0.5 });
    const { items, ...others } = parseTrainConfig({ items: { style: 'items' } });
    const open = parseTrainConfig({});
    expect({ ...others, items: { ...items, style: 'auto' } }).to.deep.equal(open);
    expect(parseTrainConfig({}, 'config', { autoStyle: 'ids' })).to.deep.equal(
      parseTrainConfig({ items: { style: 'ids' } }),
    );
  });

  it('makes batches of item tokens smaller where there are few users', () => {
    const rowsOf = (users?: number, config: object = {}): number =>
      parseTrainConfig(config, 'config', { users }).training.batchSize;
    expect([30, 300, 600, 2400, 1e6, undefined].map((users) => rowsOf(users))).to.deep.equal([
      16, 16, 32, 128, 128, 128,
    ]);
    expect(rowsOf(300, { training: { batchSize: 50 } })).to.equal(50);
    expect(rowsOf(300, { items: { style: 'ids' } })).to.equal(64);
  });

  it('gives itself back, in every style', () => {
    const config = parseTrainConfig({ seed: 3, methods: { sasrec: { training: { epochs: 7 } } } });
    for (const style of ['auto', 'items', 'ids', 'lc-rec', 'bigrec'] as const) {
      const styled = parseTrainConfig({ items: { style } });
      expect(parseTrainConfig(JSON.parse(JSON.stringify(styled)))).to.deep.equal(styled);
    }
    expect(parseTrainConfig(JSON.parse(JSON.stringify(config)))).to.deep.equal(config);
    expect(config.methods.sasrec.training).to.deep.equal({ epochs: 7 });
  });

  it('lists everything that is wrong, unknown keys included', () => {
    expect(() =>
      parseTrainConfig({ training: { epoch: 3, batchSize: 0 }, methods: { ilrec: { penalty: 'hard' } } }, 'my.json'),
    ).to.throw(
      /^parseTrainConfig: my\.json must follow the config's rules:\n(?=[^]*Unrecognized key: "epoch")(?=[^]*training\.batchSize)(?=[^]*methods\.ilrec\.penalty)/,
    );
  });

  it('takes the sections method and sasrec of older files as methods.ilrec and methods.sasrec', () => {
    const old = parseTrainConfig({ method: { penaltyWeight: 2, reward: null }, sasrec: { hiddenSize: 16 } });
    const now = { methods: { ilrec: { penaltyWeight: 2, reward: null }, sasrec: { hiddenSize: 16 } } };
    expect(old).to.deep.equal(parseTrainConfig({ ...now, items: { style: 'ids' } })); // the only style of that time
    for (const style of ['items', 'auto'] as const) {
      const items = { style };
      const given = { items, method: { penaltyWeight: 2, reward: null }, sasrec: { hiddenSize: 16 } };
      expect(parseTrainConfig(given)).to.deep.equal(parseTrainConfig({ ...now, items }));
    }
    expect(old).to.not.have.any.keys('method', 'sasrec');
    expect(() => parseTrainConfig({ method: { penalty: 'hard' } })).to.throw(/→ at method\.penalty/); // as the file says it
    expect(() => parseTrainConfig({ method: {}, methods: { ilrec: {} } }, 'my.json')).to.throw(
      'parseTrainConfig: my.json must hold the settings of ilrec once, got both methods.ilrec and method; keep methods.ilrec',
    );
  });

  it('takes evaluation.excludeSeen of older files as evaluation.seen', () => {
    const seenOf = (evaluation: object): string => parseTrainConfig({ evaluation }).evaluation.seen;
    expect(seenOf({ excludeSeen: true })).to.equal('exclude');
    expect(seenOf({ excludeSeen: false })).to.equal('allow');
    expect(seenOf({ excludeSeen: true, seen: 'exclude' })).to.equal('exclude');
    expect(parseTrainConfig({ evaluation: { excludeSeen: true } }).evaluation).to.not.have.property('excludeSeen');
    expect(() => parseTrainConfig({ evaluation: { excludeSeen: true, seen: 'allow' } }, 'my.json')).to.throw(
      "parseTrainConfig: my.json must follow the config's rules:\n" +
        '✖ must agree with seen, got true beside seen allow; give seen alone\n  → at evaluation.excludeSeen',
    );
    expect(() => seenOf({ excludeSeen: false, seen: 'auto' })).to.throw(
      /must agree with seen, got false beside seen auto/,
    );
    expect(() => seenOf({ seen: 'sometimes' })).to.throw(/"allow"\|"exclude"\|"auto"\n {2}→ at evaluation\.seen/);
  });

  it('reads a run that has no rule for items seen as one that allows them', () => {
    const seenOf = (evaluation: object): string => parseRunConfig({ evaluation }, 'config.json', []).evaluation.seen;
    expect(seenOf({})).to.equal('allow');
    expect(seenOf({ excludeSeen: false })).to.equal('allow');
    expect(seenOf({ excludeSeen: true })).to.equal('exclude');
    expect(seenOf({ seen: 'exclude' })).to.equal('exclude');
  });

  it('reads a run that has no style as one of semantic ids', () => {
    expect(parseRunConfig({}, 'config.json', []).items.style).to.equal('ids');
    expect(parseRunConfig({ items: { style: 'items' } }, 'config.json', []).items.style).to.equal('items');
  });

  it('refuses a reward that gives no scores', () => {
    const items = { style: 'ids' };
    for (const reward of ['sft', 'bert'])
      expect(() => parseTrainConfig({ items, methods: { ilrec: { reward } } })).to.throw(
        new RegExp(
          `must be one of sasrec, gru4rec, caser, popularity, markov, got ${reward}\n  → at methods\\.ilrec\\.reward$`,
        ),
      );
    expect(() => parseTrainConfig({ methods: { ilrec: { reward: 'bert' } } })).to.throw(
      /must be one of sft, sft-future, .*sasrec, gru4rec, caser, popularity, markov, got bert\n/,
    ); // a model of item tokens scores all items
    expect(parseTrainConfig({ methods: { ilrec: { reward: 'sft' } } }).methods.ilrec.reward).to.equal('sft');
    expect(() => parseTrainConfig({ method: { reward: 'sft' } })).to.throw(/→ at method\.reward$/);
    expect(parseTrainConfig({ methods: { ilrec: { reward: 'popularity' } } }).methods.ilrec.reward).to.equal(
      'popularity',
    );
  });

  it('fills in the default section of a method that has none', () => {
    const futureTargets = { weight: 0, numItems: 5, decay: 0.5 };
    const sft = { futureTargets, restrictTo: 'vocabulary' };
    expect(parseTrainConfig({}).methods).to.deep.include({ sft, popularity: {}, markov: {} });
    expect(() => parseTrainConfig({ methods: { sft: { epochs: 3 } } } as object)).to.throw(
      /Unrecognized key: "epochs"/,
    );
  });

  for (const file of readdirSync('configs', { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.json') && !/^(prompts|studies)/.test(name), // studies: spec/runs/study.spec.ts
  )) {
    it(`accepts configs/${file}`, () => {
      parseTrainConfig(JSON.parse(readFileSync(`configs/${file}`, 'utf8')), file);
    });
  }
});
