import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { EarlyStopping } from '../../src/callbacks/early_stopping';
import type { TrainingState } from '../../src/training/train_model';
import { forEachBackend } from '../support/backends';
import { messageOf } from '../support/folders';

describe('EarlyStopping', () => {
  forEachBackend(() => {
    it('stops after `patience` evaluations without a new best, and puts the best weights back', async () => {
      const { early, training, seen } = setUp([0.1, 0.3, 0.3, 0.2], { patience: 2 });
      await runEpochs(early, training, 4);
      expect(training.stopped).to.equal(true);
      expect(seen).to.deep.equal([true, true, false, false]); // an equal value is no new best
      expect(early.state).to.deep.include({ best: 0.3, bestStep: 20, waited: 2 });
      early.onTrainEnd(training);
      expect(weightOf(training)).to.equal(2); // as it was in the second epoch
    });

    it('evaluates every few epochs and after the last one', async () => {
      const { early, training } = setUp([1, 2, 3], { every: 2 });
      await runEpochs(early, training, 5);
      expect(early.state.evaluations.map(({ epochs }) => epochs)).to.deep.equal([2, 4, 5]);
    });
  });

  it('has not finished before the first evaluation, whatever the patience', () => {
    expect(new EarlyStopping({ evaluate: async () => ({}), patience: 0 }).finished).to.equal(false);
  });

  it('wants the metric it decides by', async () => {
    const early = new EarlyStopping({ evaluate: async () => ({ hr: 1 }) });
    expect(await messageOf(early.onEpochEnd({ epoch: 0, epochs: 1, step: 1 } as TrainingState))).to.equal(
      'EarlyStopping: evaluate must return "ndcg@10", got hr',
    );
  });
});

interface SetUp {
  early: EarlyStopping;
  training: TrainingState;
  seen: boolean[];
}

function setUp(values: number[], options: { patience?: number; every?: number }): SetUp {
  const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 1, inputShape: [1], useBias: false })] });
  const training: TrainingState = {
    model,
    optimizer: tf.train.sgd(1),
    epochs: 5,
    stepsPerEpoch: 10,
    totalSteps: 50,
    step: 0,
    epoch: 0,
    stopped: false,
    stop: () => (training.stopped = true),
  };
  const seen: boolean[] = [];
  const left = [...values];
  const early = new EarlyStopping({
    ...options,
    evaluate: async () => ({ 'ndcg@10': left.shift() ?? NaN }),
    onEvaluation: (_, isBest) => seen.push(isBest),
  });
  return { early, training, seen };
}

/** Epoch e ends with weight e + 1. */
async function runEpochs(early: EarlyStopping, training: TrainingState, epochs: number): Promise<void> {
  for (let epoch = 0; epoch < epochs; epoch++) {
    training.epoch = epoch;
    training.step = 10 * (epoch + 1);
    tf.tidy(() => training.model.setWeights([tf.tensor2d([[epoch + 1]])]));
    await early.onEpochEnd(training);
  }
}

function weightOf({ model }: TrainingState): number {
  return model.getWeights()[0].dataSync()[0];
}
