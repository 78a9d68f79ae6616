import { expect } from 'chai';
import { parseTrainConfig, resolveConfig } from '../../src/methods/train_config';
import { demoCatalogue } from '../../src/data/demo_catalogue';
import type { PreparedData } from '../../src/data/types';
import { prepareInteractions } from '../../src/preparation/prepare';
import { trainingData } from '../../src/methods/training_data';

describe('resolveConfig', () => {
  const shop = demoCatalogue({ numItems: 40, numUsers: 5 });

  it('takes the longest history from the config, else from the dataset, else 20', () => {
    const limited = prepareInteractions(shop, { maxHistory: 7 });
    expect(resolveConfig(parseTrainConfig({ training: { maxHistory: 3 } }), limited).training.maxHistory).to.equal(3);
    expect(resolveConfig(parseTrainConfig({}), limited).training.maxHistory).to.equal(7);
    expect(resolveConfig(parseTrainConfig({}), prepareInteractions(shop)).training.maxHistory).to.equal(20);
  });

  it('chooses the rule for items seen from the training part alone', () => {
    // Without the last two of each user: 0 1 2 | 3 4 5, no repeat. With them, 2 of 10 are repeats.
    const prepared = preparedOf([0, 1, 2, 0, 3], [3, 4, 5, 0, 4]);
    expect(resolveConfig(parseTrainConfig({}), prepared).evaluation.seen).to.equal('exclude');
    // Without the last two: 0 1 0 | 3 4 5, one of 6 is a repeat.
    const repeating = preparedOf([0, 1, 0, 2, 3], [3, 4, 5, 0, 1]);
    expect(resolveConfig(parseTrainConfig({}), repeating).evaluation.seen).to.equal('allow');
  });

  it('leaves a rule for items seen that is given, and lets a call replace it', () => {
    const prepared = prepareInteractions(shop);
    const allowing = parseTrainConfig({ evaluation: { seen: 'allow' } });
    expect(resolveConfig(allowing, prepared).evaluation.seen).to.equal('allow');
    expect(resolveConfig(allowing, prepared, { seen: 'exclude' }).evaluation.seen).to.equal('exclude');
    expect(resolveConfig(allowing, prepared, { seen: 'auto' }).evaluation.seen).to.equal('exclude'); // no repeats
    expect(() => resolveConfig(allowing, prepared, { seen: 'never' as 'auto' })).to.throw(
      'trainRun: seen must be one of allow, exclude, auto, got never',
    );
  });

  it('puts the seed into paths', () => {
    const config = parseTrainConfig({
      methods: { ilrec: { rewardRun: 'cf-{seed}' } },
      training: { initialWeights: 'runs/sft-{seed}/x{seed}' },
    });
    const { methods, training, seed } = resolveConfig(config, prepareInteractions(shop), { seed: 12 });
    expect([methods.ilrec.rewardRun, training.initialWeights, seed]).to.deep.equal(['cf-12', 'runs/sft-12/x12', 12]);
  });
});

/** Users with these items, in time order. */
function preparedOf(...sequences: number[][]): PreparedData {
  const numItems = Math.max(...sequences.flat()) + 1;
  return prepareInteractions({
    name: 'toy',
    itemIds: Array.from({ length: numItems }, (_, item) => `i${item}`),
    userIds: sequences.map((_, user) => `u${user}`),
    sequences: sequences.map((items) => Int32Array.from(items)),
  });
}

describe('trainingData', () => {
  it('counts training interactions only', () => {
    const prepared = prepareInteractions(demoCatalogue({ numItems: 40, numUsers: 5 }));
    const { itemCounts, split, trie, numItems } = trainingData(prepared);
    expect(itemCounts.reduce((sum, count) => sum + count, 0)).to.equal(
      split.train.reduce((sum, { length }) => sum + length, 0),
    );
    expect([trie.numItems, numItems]).to.deep.equal([40, 40]);
  });
});
