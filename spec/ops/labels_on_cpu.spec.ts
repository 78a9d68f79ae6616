import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { causalLM } from '../../src/models/causal_lm';
import { nextItemLoss } from '../../src/models/next_item_loss';
import { sasrec } from '../../src/models/sasrec';
import { labelsOnCpu } from '../../src/ops/labels_on_cpu';
import { sft } from '../../src/tapped/sft';
import { forEachDevice } from '../support/backends';
import { datasetOf } from '../support/datasets';

const inputIds = (): tf.Tensor2D => tf.tensor2d([[1, 2, 3, 4]], [1, 4], 'int32');
const failure = (training: Promise<unknown>): Promise<string> =>
  training.then(
    () => 'trained',
    (error: Error) => error.message,
  );

describe('labels', () => {
  forEachDevice(() => {
    it('are whole numbers of either type', () => {
      expect([...labelsOnCpu(tf.tensor2d([[3, -100]], [1, 2], 'int32'))]).to.deep.equal([3, -100]);
      expect([...labelsOnCpu(tf.tensor2d([[3, -100]], [1, 2], 'float32'))]).to.deep.equal([3, -100]);
      for (const wrong of [NaN, 2.5, Infinity, -0.25, 2 ** 32])
        expect(() => labelsOnCpu(tf.tensor1d([1, wrong, -100]))).to.throw(`labels must be whole numbers, got ${wrong}`);
    });

    it('that are not whole numbers are refused by fitDataset and trainOnBatch', async () => {
      const model = causalLM({ vocabSize: 7, hiddenSize: 4, numHiddenLayers: 2, numAttentionHeads: 1 });
      const method = sft();
      model.compile({ optimizer: 'sgd', loss: method.loss });
      const labels = (label: number): tf.Tensor2D => tf.tensor2d([[label, -100, 2, -100]], [1, 4]);
      const fit = (label: number): Promise<unknown> =>
        model.fitDataset(
          datasetOf(() => [{ xs: inputIds(), ys: labels(label) }]),
          { epochs: 1, verbose: 0, callbacks: [method.callback] },
        );
      expect(await failure(fit(3))).to.equal('trained');
      for (const label of [NaN, 4.75]) {
        expect(await failure(fit(label))).to.equal(`sft: labels must be whole numbers, got ${label}`);
        method.detach();
        method.attach(model);
        expect(await failure(model.trainOnBatch(inputIds(), labels(label)))).to.equal(
          `sft: labels must be whole numbers, got ${label}`,
        );
        method.detach();
      }
      model.dispose();
    });

    it('that are not whole numbers are refused by the loss of sequential models', () => {
      const model: tfl.LayersModel = sasrec({ numItems: 5, hiddenSize: 4, maxHistory: 4 });
      const loss = nextItemLoss(model);
      const states = tf.zeros([1, 4, 4]);
      expect(() => loss(tf.tensor2d([[NaN, 1, 2, -100]]), states)).to.throw(
        'nextItemLoss: labels must be whole numbers, got NaN',
      );
      model.dispose();
    });
  });
});
