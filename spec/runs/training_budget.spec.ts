import { expect } from 'chai';
import * as fc from 'fast-check';
import { parseTrainConfig } from '../../src/methods/train_config';
import {
  type ChosenBudget,
  chooseBudget,
  defaultEpochs,
  defaultEvaluateEvery,
  withBudget,
  withoutBudget,
} from '../../src/recommender/training_budget';

describe('defaultEpochs', () => {
  it('gives small data 1,000 steps, or 100 epochs', () => {
    expect(defaultEpochs(20, 1)).to.equal(50); // 1000 / 20
    expect(defaultEpochs(60, 1)).to.equal(17); // 16.7, rounded up
    expect(defaultEpochs(5, 1)).to.equal(100); // 300 users in batches of 64; 1000 / 5 is too many
    expect(defaultEpochs(1, 1)).to.equal(100);
  });

  it('gives 12 epochs where these are more than 1,000 steps', () => {
    expect([83, 84, 90, 5000].map((batches) => defaultEpochs(batches, 1))).to.deep.equal([13, 12, 12, 12]);
  });

  it('gives large data 60,000 steps, or one epoch', () => {
    expect(defaultEpochs(5001, 1)).to.equal(11); // 60,000 / 5,001 = 11.998
    expect(defaultEpochs(25_000, 1)).to.equal(2);
    expect(defaultEpochs(60_001, 1)).to.equal(1);
    expect(defaultEpochs(1e7, 1)).to.equal(1);
  });

  it('counts steps of the optimizer, not batches', () => {
    expect(defaultEpochs(40, 4)).to.equal(100); // 10 steps
    expect(defaultEpochs(100, 4)).to.equal(40); // 25 steps
    expect(defaultEpochs(50_000, 4)).to.equal(4); // 12,500 steps
  });

  it('never gives more data more epochs', () => {
    const batches = fc.integer({ min: 1, max: 200_000 });
    fc.assert(
      fc.property(batches, batches, (a, b) => {
        const [few, many] = [Math.min(a, b), Math.max(a, b)];
        expect(defaultEpochs(few, 1)).to.be.at.least(defaultEpochs(many, 1));
      }),
    );
  });
});

describe('defaultEvaluateEvery', () => {
  it('makes about 20 evaluations', () => {
    expect([1, 8, 20, 29, 30, 50, 100].map(defaultEvaluateEvery)).to.deep.equal([1, 1, 1, 1, 2, 3, 5]);
  });
});

describe('chooseBudget', () => {
  const choose = (training: object, finetunes = false): ChosenBudget =>
    chooseBudget(parseTrainConfig({ training }).training, 20, finetunes);

  it('chooses what is open and nothing else', () => {
    expect(choose({})).to.deep.equal({ epochs: 50, evaluateEvery: 3 });
    expect(choose({ gradientAccumulation: 2 })).to.deep.equal({ epochs: 100, evaluateEvery: 5 });
    expect(choose({ evaluateEvery: 7 })).to.deep.equal({ epochs: 50 });
    expect(choose({ epochs: 40 })).to.deep.equal({ evaluateEvery: 1 });
    expect(choose({ epochs: 40, evaluateEvery: 2 })).to.deep.equal({});
  });

  it('trains a pretrained checkpoint for 3 epochs', () => {
    expect(choose({}, true)).to.deep.equal({ epochs: 3, evaluateEvery: 1 });
    expect(choose({ epochs: 9 }, true)).to.deep.equal({ evaluateEvery: 1 });
  });
});

describe('withoutBudget', () => {
  it('takes back what the run chose, and keeps what was given', () => {
    const chosen = { epochs: 50, evaluateEvery: 3 };
    const open = parseTrainConfig({});
    const filled = { ...open, training: withBudget(open.training, chosen) };
    expect(filled.training).to.deep.include(chosen);
    expect(JSON.stringify(withoutBudget(filled, chosen))).to.equal(JSON.stringify(open));
    expect(withoutBudget(parseTrainConfig({ training: { epochs: 49 } }), chosen).training.epochs).to.equal(49);
    expect(withoutBudget(filled).training).to.deep.include(chosen); // a run whose config said all
  });
});
