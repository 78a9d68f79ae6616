import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { parseTrainConfig } from '../../src/methods/train_config';

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
    expect(config.evaluation).to.deep.equal({ beamWidth: 20, renormalize: false, batchSize: 64, excludeSeen: false });
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

  for (const file of readdirSync('configs', { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.json') && !name.startsWith('prompts'),
  )) {
    it(`accepts configs/${file}`, () => {
      parseTrainConfig(JSON.parse(readFileSync(`configs/${file}`, 'utf8')), file);
    });
  }
});
