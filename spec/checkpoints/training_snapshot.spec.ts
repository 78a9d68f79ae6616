import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { decodeSafetensors, encodeSafetensors } from '../../src/safetensors/safetensors';
import {
  readWeights,
  restoreSnapshot,
  snapshotOf,
  takeSnapshot,
  writeWeights,
} from '../../src/checkpoints/training_snapshot';
import { AdamW } from '../../src/optimizers/adamw';
import { forEachBackend } from '../support/backends';
import { messageOf } from '../support/folders';

describe('a training snapshot', () => {
  forEachBackend(() => {
    it('takes weights, optimizer and callbacks through a file and back', async () => {
      const [model, other] = [dense(3), dense(3)];
      const [optimizer, restored] = [new AdamW({ learningRate: 0.1 }), new AdamW({ learningRate: 0.1 })];
      oneStep(model, optimizer);
      const bytes = encodeSafetensors((await takeSnapshot(model, optimizer, 17, { early: { best: 0.5 } })).file);
      const snapshot = snapshotOf(decodeSafetensors(bytes, 'x'), 'x');
      expect([snapshot.step, snapshot.callbacks]).to.deep.equal([17, { early: { best: 0.5 } }]);
      await restoreSnapshot(other, restored, snapshot);
      expect(restored.iterations).to.equal(1);
      oneStep(model, optimizer);
      oneStep(other, restored);
      expect(await readWeights(other)).to.deep.equal(await readWeights(model));
    });

    it("goes on with the same numbers with each of tfjs's optimizers that have a state, and says so where one has none", async () => {
      const makers = [tf.train.sgd, tf.train.adagrad, tf.train.adadelta, tf.train.adam, tf.train.rmsprop].map(
        (make) => () => make(0.1),
      );
      for (const make of [...makers, () => tf.train.momentum(0.1, 0.9)]) {
        const [model, other, optimizer, restored] = [dense(3), dense(3), make(), make()];
        oneStep(model, optimizer);
        await restoreSnapshot(other, restored, await takeSnapshot(model, optimizer, 1));
        oneStep(model, optimizer);
        oneStep(other, restored);
        expect(await readWeights(other), optimizer.getClassName()).to.deep.equal(await readWeights(model));
      }
      const [model, adamax] = [dense(3), tf.train.adamax(0.1)];
      const unsavable =
        'checkpointing: the optimizer must have a state that can be saved, got Adamax; use AdamW, or sgd, momentum, adagrad, adadelta, adam or rmsprop of tf.train';
      expect(await messageOf(takeSnapshot(model, adamax, 1))).to.equal(unsavable);
      expect(await messageOf(restoreSnapshot(model, adamax, await takeSnapshot(model, tf.train.sgd(0.1), 1)))).to.equal(
        unsavable,
      );
    });

    it('refuses the weights of another model, and leaves nothing behind', async () => {
      const [three, five] = [dense(3), dense(5)];
      const before = tf.memory().numTensors;
      const weights = await readWeights(five);
      expect(() => writeWeights(three, weights)).to.throw(
        'writeWeights: weight 0 must be [2, 3], got [2, 5]; use the config that the weights were trained with',
      );
      expect(() => writeWeights(three, weights.slice(1))).to.throw(
        'writeWeights: the model has 2 weights, got 1; use the config that the weights were trained with',
      );
      expect(tf.memory().numTensors).to.equal(before);
    });
  });

  it('is told apart from other files', () => {
    expect(() => snapshotOf({ tensors: new Map(), metadata: {} }, 'w.safetensors')).to.throw(
      'snapshotOf: w.safetensors must hold a training state, got none; use a checkpoint of a run',
    );
  });
});

function dense(units: number): tfl.LayersModel {
  return tfl.sequential({ layers: [tfl.layers.dense({ units, inputShape: [2] })] });
}

function oneStep(model: tfl.LayersModel, optimizer: tf.Optimizer): void {
  const variables = model.getWeights() as tf.Variable[];
  optimizer.minimize(
    () => tf.addN(variables.map((variable) => tf.sum(tf.square(tf.sub(variable, 1))))) as tf.Scalar,
    false,
    variables,
  );
}
