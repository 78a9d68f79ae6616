import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { AdamW } from '../../../src/optimizers/adamw';
import { onWebGpu } from '../../support/backends';

describe('copies on the CPU', () => {
  onWebGpu(() => {
    it('are out of date when a step writes a moment that is being read: the read gets the old numbers, the next one the new', async () => {
      const weight = tf.variable(tf.tensor1d([1]));
      const optimizer = new AdamW({ learningRate: 0.1, clipNorm: 0 });
      const step = (): void => tf.tidy(() => optimizer.applyGradients({ [weight.name]: tf.tensor1d([1]) }));
      step();
      const moment = (await optimizer.getWeights())[1].tensor; // m = (1 - beta1) g
      const before = moment.data();
      step();
      expect((await before)[0]).to.be.closeTo(0.1, 1e-6);
      expect((await moment.data())[0]).to.be.closeTo(0.19, 1e-6);
      optimizer.dispose();
      weight.dispose();
    });
  });
});
