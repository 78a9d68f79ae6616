import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { sasrec, sasrecEmbedding } from '../../src/models/sasrec';
import { sasrecLoss } from '../../src/models/sasrec_loss';
import { forEachBackend } from '../support/backends';
import { normals } from '../support/random';

const config = {
  numItems: 7,
  maxHistory: 5,
  hiddenSize: 3,
  numHiddenLayers: 1,
  numAttentionHeads: 1,
  initializerRange: 0.5,
};

describe('sasrecLoss', () => {
  forEachBackend(() => {
    it('is the mean over labelled positions of the cross-entropy over all items', () => {
      const model = sasrec(config);
      const hidden = normals(2 * 5 * 3, 1);
      const labels = [3, -100, 0, -100, -100, 6, -100, -100, -100, 2];
      const table = sasrecEmbedding(model, 'sasrecLoss').itemTable().arraySync();
      let [sum, count] = [0, 0];
      labels.forEach((label, position) => {
        if (label < 0) return;
        const scores = table.map((row) =>
          row.reduce((total, weight, d) => total + weight * hidden[3 * position + d], 0),
        );
        sum += Math.log(scores.reduce((total, score) => total + Math.exp(score), 0)) - scores[label];
        count++;
      });
      const loss = sasrecLoss(model)(tf.tensor2d(labels, [2, 5], 'int32'), tf.tensor3d(hidden, [2, 5, 3]));
      expect(loss.shape).to.deep.equal([]);
      expect(loss.dataSync()[0]).to.be.closeTo(sum / count, 1e-5);
    });

    it('puts the repeat bias on the labels that come before in the row', () => {
      const model = sasrec(config);
      sasrecEmbedding(model, 'sasrecLoss').setWeights(
        sasrecEmbedding(model, 'sasrecLoss')
          .getWeights()
          .map((weight) => (weight.size === 1 ? tf.tensor1d([-0.2]) : weight)),
      ); // -2
      // all scores are 0 but for the seen items' -2: log(7), log(6 + e^-2), log(5 + 2 e^-2)
      const expected = (Math.log(7) + Math.log(6 + Math.exp(-2)) + Math.log(5 + 2 * Math.exp(-2)) + Math.log(7)) / 4;
      const loss = sasrecLoss(model)(tf.tensor2d([3, 5, 1, 4, -100, -100], [2, 3], 'int32'), tf.zeros([2, 3, 3]));
      expect(loss.dataSync()[0]).to.be.closeTo(expected, 1e-6);
    });

    it('is 0 when no position has a label', () => {
      const model = sasrec(config);
      expect(sasrecLoss(model)(tf.fill([2, 5], -100, 'int32'), tf.ones([2, 5, 3])).dataSync()[0]).to.equal(0);
    });

    for (const tieItemEmbeddings of [false, true])
      it(`sends gradient into every weight that the labelled positions read, ${tieItemEmbeddings ? 'tied' : 'not tied'}`, () => {
        const model = sasrec({ ...config, tieItemEmbeddings });
        const loss = sasrecLoss(model);
        const ids = tf.tensor2d([0, 3, 1, 0, 2, 0], [2, 3], 'int32');
        const labels = tf.tensor2d([2, 0, 6, 1, 4, -100], [2, 3], 'int32');
        const { value, grads } = tf.variableGrads(() => loss(labels, model.apply(ids) as tf.Tensor) as tf.Scalar);
        expect(Object.keys(grads).length).to.equal(model.trainableWeights.length);
        for (const [name, gradient] of Object.entries(grads)) {
          if (name.includes('qkv_bias')) continue; // the key's bias cancels in the softmax
          expect(Math.max(...gradient.dataSync().map(Math.abs)), name).to.be.above(0);
        }
        tf.dispose([value, grads]);
      });

    it('refuses a label outside the catalogue', () => {
      const model = sasrec(config);
      expect(() => sasrecLoss(model)(tf.tensor2d([[7]], [1, 1], 'int32'), tf.ones([1, 1, 3]))).to.throw(
        'sasrecLoss: a label must be an item number below 7, got 7',
      );
    });
  });
});
