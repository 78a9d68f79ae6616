import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { parseRunConfig, parseTrainConfig } from '../../src/methods/train_config';

describe('parseTrainConfig', () => {
  it('fills in every default', () => {
    const config = parseTrainConfig({});
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
      batchSize: 64,
      layerContrast: 0,
      seen: 'auto',
    });
    expect(config.methods.sasrec.training).to.deep.equal({});
  });

  it('gives itself back', () => {
    const config = parseTrainConfig({ seed: 3, methods: { sasrec: { training: { epochs: 7 } } } });
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
    expect(old).to.deep.equal(parseTrainConfig(now));
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

  it('refuses a reward that gives no scores', () => {
    for (const reward of ['sft', 'bert'])
      expect(() => parseTrainConfig({ methods: { ilrec: { reward } } })).to.throw(
        new RegExp(`must be one of sasrec, popularity, markov, got ${reward}\n  → at methods\\.ilrec\\.reward$`),
      );
    expect(() => parseTrainConfig({ method: { reward: 'sft' } })).to.throw(/→ at method\.reward$/);
    expect(parseTrainConfig({ methods: { ilrec: { reward: 'popularity' } } }).methods.ilrec.reward).to.equal(
      'popularity',
    );
  });

  it('fills in the default section of a method that has none', () => {
    expect(parseTrainConfig({}).methods).to.deep.include({ sft: {}, popularity: {}, markov: {} });
    expect(() => parseTrainConfig({ methods: { sft: { epochs: 3 } } } as object)).to.throw(
      /Unrecognized key: "epochs"/,
    );
  });

  for (const file of readdirSync('configs', { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.json') && !name.startsWith('prompts'),
  )) {
    it(`accepts configs/${file}`, () => {
      parseTrainConfig(JSON.parse(readFileSync(`configs/${file}`, 'utf8')), file);
    });
  }
});
