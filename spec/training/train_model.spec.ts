import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { ilrec } from '../../src/ilrec/ilrec';
import { causalLM } from '../../src/models/causal_lm';
import { AdamW } from '../../src/optimizers/adamw';
import { createBatches } from '../../src/training/batches';
import { trainModel, type TrainModelOptions } from '../../src/training/train_model';
import type { StepRecord, TrainingCallback, TrainingMethod } from '../../src/training/training_callback';
import { integers } from '../support/random';
import { forEachBackend } from '../support/backends';

const sequences = Array.from({ length: 22 }, (_, user) => Array.from(integers(3 + (user % 4), 7, user)));
const itemTokens = Array.from({ length: 7 }, (_, item) => [3 + (item % 3), 6 + item]);
const batches = createBatches({ sequences, itemTokens, batchSize: 5, seed: 3 });

describe('trainModel', () => {
  forEachBackend(() => {
    it("reports every step with the method's metrics and every epoch", async () => {
      const { records, events } = await train({ epochs: 2 });
      expect(records.map(({ step }) => step)).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      expect(records.map(({ epoch }) => epoch)).to.deep.equal([0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
      const [first] = records;
      expect(first.metrics).to.have.all.keys('crossEntropy', 'cpo', 'cpd', 'crr', 'numNegatives', 'penaltyMass');
      expect(first.klPerLayer).to.have.length(1);
      expect(first.learningRate).to.equal(0.01);
      expect(first.tokensPerSecond).to.equal(first.numTokens / first.seconds);
      const [batch] = batches.batchesOf(0);
      expect(first.numTokens).to.equal(batch.numTokens);
      expect(first.numResponseTokens).to.equal(batch.labels.filter((label) => label !== -100).length);
      expect(records[9].loss).to.be.below(first.loss);
      expect(events).to.deep.equal(['begin', 'epoch 0 at 5', 'epoch 1 at 10', 'end']);
    });

    it('goes on in the middle of an epoch with the same losses', async () => {
      const whole = await train({ epochs: 2 });
      const first = await train({ epochs: 2 }, { stopAt: 3 });
      expect(first.events).to.deep.equal(['begin', 'end']); // a cut epoch is no epoch
      const optimizer = newOptimizer();
      await optimizer.setWeights(await first.optimizer.getWeights());
      const rest = await train({ epochs: 2, startStep: 3, model: first.model, optimizer });
      expect([...first.records, ...rest.records].map(({ loss }) => loss)).to.deep.equal(
        whole.records.map(({ loss }) => loss),
      );
      expect(rest.events).to.deep.equal(['begin', 'epoch 0 at 5', 'epoch 1 at 10', 'end']);
    });

    it('does so with a new model that only has the weights: schedules and dropout masks continue, too', async () => {
      const coefficient = (step: number): number => step / 10;
      const method = (): TrainingMethod => ilrec({ penaltyWeight: coefficient, distillationWeight: coefficient });
      const whole = await train({ epochs: 2, method: method() });
      const first = await train({ epochs: 2, method: method() }, { stopAt: 3 });
      const [model, optimizer] = [newModel(), newOptimizer()];
      model.setWeights(first.model.getWeights());
      await optimizer.setWeights(await first.optimizer.getWeights());
      const rest = await train({ epochs: 2, startStep: 3, model, optimizer, method: method() });
      expect([...first.records, ...rest.records].map(({ loss }) => loss)).to.deep.equal(
        whole.records.map(({ loss }) => loss),
      );
    });

    it('trains nothing where all steps are done, and says so to the callbacks', async () => {
      const { records, events } = await train({ epochs: 2, startStep: 10 });
      expect(records).to.deep.equal([]);
      expect(events).to.deep.equal(['begin', 'end']);
    });

    it('stops with a sentence, and takes the taps away, where the loss is not finite', async () => {
      const model = newModel();
      model.setWeights(model.getWeights().map((weight) => tf.mul(weight, NaN)));
      const failure = await train({ model, epochs: 1 }).catch((error: Error) => error);
      expect((failure as Error).message).to.equal(
        'trainModel: the loss must be finite, got NaN at step 1; lower the learning rate or set clipNorm',
      );
      expect((model.predict(tf.ones([1, 4], 'int32')) as tf.Tensor).shape).to.deep.equal([1, 4, 13]);
    });

    it('refuses a number of epochs that is no positive integer', async () => {
      const failure = await train({ epochs: 0 }).catch((error: Error) => error);
      expect((failure as Error).message).to.equal('trainModel: epochs must be a positive integer, got 0');
    });

    it("leaves no tensor behind but the optimizer's", async () => {
      const model = newModel();
      await train({ model, epochs: 1 });
      const before = tf.memory().numTensors;
      const optimizer = newOptimizer();
      await train({ model, optimizer, epochs: 2 });
      optimizer.dispose();
      expect(tf.memory().numTensors).to.equal(before);
    });
  });
});

function newModel(): tfl.LayersModel {
  return causalLM({
    vocabSize: 13,
    hiddenSize: 8,
    numHiddenLayers: 2,
    numAttentionHeads: 2,
    hiddenDropout: 0.2,
    seed: 1,
  });
}

function newOptimizer(): AdamW {
  return new AdamW({ learningRate: 0.01, clipNorm: 1 });
}

interface Trained {
  records: StepRecord[];
  events: string[];
  model: tfl.LayersModel;
  optimizer: AdamW;
}

async function train(options: Partial<TrainModelOptions>, { stopAt }: { stopAt?: number } = {}): Promise<Trained> {
  const { model = newModel(), optimizer = newOptimizer() } = options;
  const records: StepRecord[] = [];
  const events: string[] = [];
  const recorder: TrainingCallback = {
    onTrainBegin: () => void events.push('begin'),
    onStep: (record, state) => {
      records.push(record);
      if (record.step === stopAt) state.stop();
    },
    onEpochEnd: ({ epoch, step }) => void events.push(`epoch ${epoch} at ${step}`),
    onTrainEnd: () => void events.push('end'),
  };
  await trainModel({ batches, method: ilrec(), epochs: 1, ...options, model, optimizer, callbacks: [recorder] });
  return { records, events, model, optimizer: optimizer as AdamW };
}
