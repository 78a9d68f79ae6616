import { expect } from 'chai';
import { parseTrainConfig, resolveConfig } from '../../src/methods/train_config';
import { demoCatalogue } from '../../src/data/demo_catalogue';
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

  it('puts the seed into paths', () => {
    const config = parseTrainConfig({
      methods: { ilrec: { rewardRun: 'cf-{seed}' } },
      training: { initialWeights: 'runs/sft-{seed}/x{seed}' },
    });
    const { methods, training, seed } = resolveConfig(config, prepareInteractions(shop), { seed: 12 });
    expect([methods.ilrec.rewardRun, training.initialWeights, seed]).to.deep.equal(['cf-12', 'runs/sft-12/x12', 12]);
  });
});

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
