import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { checkpointing } from '../../src/callbacks/checkpointing';
import { CheckpointStore } from '../../src/checkpoints/checkpoint_store_node';
import { ilrec } from '../../src/ilrec/ilrec';
import { causalLM } from '../../src/models/causal_lm';
import { createBatches } from '../../src/training/batches';
import { accumulateGradients } from '../../src/optimizers/gradient_accumulation';
import { trainModel } from '../../src/training/train_model';
import { forEachBackend } from '../support/backends';
import { messageOf, temporaryFolder } from '../support/folders';

const batches = createBatches({
  sequences: [
    [0, 1, 2],
    [2, 1, 0],
  ],
  itemTokens: [
    [3, 5],
    [3, 6],
    [4, 5],
  ],
  batchSize: 2,
});

describe('checkpointing', () => {
  forEachBackend(() => {
    const folder = temporaryFolder();

    it('refuses an optimizer whose state cannot be saved, before the first step', async () => {
      for (const optimizer of [tf.train.adamax(0.1), accumulateGradients(tf.train.adamax(0.1), { steps: 2 })]) {
        const model = causalLM({ vocabSize: 7, hiddenSize: 4, numHiddenLayers: 2, numAttentionHeads: 1 });
        const store = new CheckpointStore(folder.path);
        let steps = 0;
        const training = trainModel({
          model,
          method: ilrec(),
          optimizer,
          batches,
          epochs: 1,
          callbacks: [{ onStep: () => void steps++ }, checkpointing({ store })],
        });
        expect(await messageOf(training)).to.equal(
          'checkpointing: the optimizer must have a state that can be saved, got Adamax; use AdamW, or sgd, momentum, adagrad, adadelta, adam or rmsprop of tf.train',
        );
        expect(steps).to.equal(0);
      }
    });

    it('leaves no tensor behind at the begin of a training', async () => {
      const optimizer = accumulateGradients(tf.train.sgd(0.1), { steps: 2 });
      const before = tf.memory().numTensors;
      const state = { optimizer } as unknown as Parameters<
        NonNullable<ReturnType<typeof checkpointing>['onTrainBegin']>
      >[0];
      await checkpointing({ store: new CheckpointStore(folder.path) }).onTrainBegin?.(state);
      expect(tf.memory().numTensors).to.equal(before);
      optimizer.dispose();
    });
  });
});
