import { expect } from 'chai';
import { autoStyleOf, itemBatchSize, MAX_ITEM_TOKENS, withStyleDefaults } from '../../src/config/style_defaults';
import { parseTrainConfig } from '../../src/methods/train_config';

type Json = Record<string, Record<string, unknown>>;

/** Sections of two methods, of which one changes with the style. */
const methods = { ilrec: { penaltyWeight: 0, futureTargets: { weight: 0.5, decay: 0.25 } }, sft: {} };
const filled = (value: unknown, autoStyle?: 'items' | 'ids'): Json =>
  withStyleDefaults(value, methods, autoStyle) as Json;

describe('withStyleDefaults', () => {
  it('fills in what item tokens change, where the config leaves the style open', () => {
    for (const value of [{}, { items: {} }, { items: { style: 'auto' } }, { items: { style: 'items' } }]) {
      const { model, training, methods: own, items } = filled(value);
      expect(model).to.deep.equal({
        hiddenSize: 64,
        numHiddenLayers: 2,
        numAttentionHeads: 2,
        attentionDropout: 0.4,
        hiddenDropout: 0.4,
        embeddingDropout: 0.4,
      });
      expect(training.batchSize).to.equal(128);
      expect(own).to.deep.equal(methods);
      expect(items.style).to.equal((value.items as { style?: string } | undefined)?.style ?? 'auto');
    }
  });

  it('keeps what is given, at every depth, and fills in the rest', () => {
    const {
      model,
      methods: own,
      training,
      seed,
    } = filled({
      seed: 7,
      model: { hiddenSize: 32, qkNorm: true },
      training: { learningRate: 0 },
      methods: { ilrec: { futureTargets: { weight: 0 } }, own: { rate: 3 } },
    }) as Json & { seed: number };
    expect([seed, model.hiddenSize, model.qkNorm, model.numHiddenLayers]).to.deep.equal([7, 32, true, 2]);
    expect([training.learningRate, training.batchSize]).to.deep.equal([0, 128]);
    expect(own).to.deep.equal({
      ilrec: { penaltyWeight: 0, futureTargets: { weight: 0, decay: 0.25 } },
      sft: {},
      own: { rate: 3 },
    });
  });

  it('keeps null and false, and fills in what is undefined', () => {
    const { model, training } = filled({ model: { hiddenSize: undefined, hiddenDropout: null }, training: null });
    expect([model.hiddenSize, model.hiddenDropout]).to.deep.equal([64, null]);
    expect(training).to.equal(null);
  });

  it('changes no default of another style', () => {
    for (const style of ['ids', 'lc-rec', 'bigrec']) {
      const value = { items: { style, vocabSize: 300 }, training: { epochs: 3 } };
      expect(filled(value)).to.deep.equal(value);
    }
    expect(filled({ training: { epochs: 3 } }, 'ids')).to.deep.equal({
      training: { epochs: 3 },
      items: { style: 'ids' },
    });
    expect(filled({ items: { style: 'auto' } }, 'ids')).to.deep.equal({ items: { style: 'ids' } });
  });

  it('says what auto is, once the catalogue is known', () => {
    expect(filled({}, 'items').items.style).to.equal('items');
    expect(filled({ items: { style: 'ids' } }, 'items').items.style).to.equal('ids');
    expect(filled({ items: { style: 'items' } }, 'ids').items.style).to.equal('items');
  });

  it('reads a file with keys of 0.1 as 0.1 did, unless it names a style', () => {
    for (const old of [{ method: { penaltyWeight: 0.2 } }, { sasrec: { hiddenSize: 8 } }]) {
      expect(filled(old)).to.deep.equal({ ...old, items: { style: 'ids' } });
      expect(filled(old, 'items').items.style).to.equal('ids');
      expect(filled({ ...old, items: { style: 'items' } }).model.hiddenSize).to.equal(64);
      expect(filled({ ...old, items: { style: 'auto' } }, 'items').items.style).to.equal('items');
    }
  });

  it('leaves what is no config to the schema, which refuses it', () => {
    for (const value of [null, 3, 'text', [1], { items: null }, { items: [] }, { items: 'ids' }])
      expect(filled(value)).to.deep.equal(value);
    expect(() => parseTrainConfig({ items: null })).to.throw(
      "parseTrainConfig: config must follow the config's rules:\n✖ Invalid input: expected object, received null\n  → at items",
    );
  });

  it('changes neither the config nor the defaults', () => {
    const value = { model: { hiddenSize: 32 }, methods: { ilrec: {} } };
    const before = JSON.stringify([value, methods]);
    filled(value);
    expect(JSON.stringify([value, methods])).to.equal(before);
  });
});

describe('autoStyleOf', () => {
  it('is items up to the catalogue that one pass can score', () => {
    expect([1, MAX_ITEM_TOKENS, MAX_ITEM_TOKENS + 1].map(autoStyleOf)).to.deep.equal(['items', 'items', 'ids']);
  });
});

describe('itemBatchSize', () => {
  it('is the largest power of two with 16 batches of users, from 16 rows to 128', () => {
    const sizes = [
      [0, 16],
      [511, 16], // 32 rows would be fewer than 16 batches
      [512, 32],
      [1023, 32],
      [1024, 64],
      [2047, 64],
      [2048, 128],
      [Infinity, 128],
    ];
    for (const [users, rows] of sizes) expect(itemBatchSize(users), String(users)).to.equal(rows);
  });

  it('is the default of item tokens, where the number of users is known', () => {
    const rowsOf = (value: unknown): unknown => (withStyleDefaults(value, {}, 'items', 700) as Json).training.batchSize;
    expect([rowsOf({}), rowsOf({ training: { batchSize: 5 } })]).to.deep.equal([32, 5]);
  });
});

describe('parseTrainConfig, by style', () => {
  it('has the defaults of item tokens unless semantic ids are asked for or meant', () => {
    const [open, items, ids, old] = [
      parseTrainConfig({}),
      parseTrainConfig({}, 'config', { autoStyle: 'items' }),
      parseTrainConfig({ items: { style: 'ids' } }),
      parseTrainConfig({ method: { penaltyWeight: 0.2 } }),
    ];
    expect([open, items, ids, old].map((config) => config.items.style)).to.deep.equal(['auto', 'items', 'ids', 'ids']);
    expect([open, items, ids, old].map(({ training }) => training.batchSize)).to.deep.equal([128, 128, 64, 64]);
    expect([open, items, ids, old].map((config) => config.methods.ilrec.rewardTargets)).to.deep.equal([
      'all',
      'all',
      'negatives',
      'negatives',
    ]);
    expect(old.methods.ilrec.penaltyWeight).to.equal(0.2);
    expect(parseTrainConfig({ methods: { ilrec: { penaltyWeight: 0.2 } } }).methods.ilrec.penaltyWeight).to.equal(0.2);
  });
});
