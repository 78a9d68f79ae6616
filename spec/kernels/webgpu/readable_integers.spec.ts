import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { causalLM } from '../../../src/models/causal_lm';
import { ilrec } from '../../../src/ilrec/ilrec';
import { onWebGpu } from '../../support/backends';
import { integers } from '../../support/random';

describe('integers on WebGPU', () => {
  onWebGpu(() => {
    it('can be read at once after a shader has read them', async () => {
      const ids = tf.tensor1d([2, 0, 1], 'int32');
      const rows = tf.gather(
        tf.tensor2d([
          [1, 2],
          [3, 4],
          [5, 6],
        ]),
        ids,
      );
      expect([...(await rows.data())]).to.deep.equal([5, 6, 1, 2, 3, 4]);
      expect([...ids.dataSync()]).to.deep.equal([2, 0, 1]);
      tf.dispose([ids, rows]);
    });

    it('are cut, gathered and joined so that the parts can be read too', () => {
      tf.tidy(() => {
        const x = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2], 'int32');
        expect([...tf.slice(x, [1, 0], [2, 2]).dataSync()]).to.deep.equal([3, 4, 5, 6]);
        expect([...tf.gather(x, tf.tensor1d([2, 0], 'int32')).dataSync()]).to.deep.equal([5, 6, 1, 2]);
        expect([...tf.concat([x, x], 1).dataSync()]).to.deep.equal([1, 2, 1, 2, 3, 4, 3, 4, 5, 6, 5, 6]);
        expect([...tf.transpose(x).dataSync()]).to.deep.equal([1, 3, 5, 2, 4, 6]);
      });
    });

    it('are read as they are after a kernel of tfjs has written over its copy of them', async () => {
      const changed = tf.tensorScatterUpdate(
        tf.tensor1d([1, 2, 3, 4], 'int32'),
        tf.tensor2d([[1]], [1, 1], 'int32'),
        tf.tensor1d([9], 'int32'),
      );
      expect([...(await changed.data())]).to.deep.equal([1, 9, 3, 4]);
      changed.dispose();
    });

    it('are their own, whatever a program does with the array that it gave or got', async () => {
      const given = Int32Array.of(2, 0, 1);
      const ids = tf.tensor1d(given, 'int32');
      const table = tf.tensor2d([[1], [3], [5]]);
      tf.gather(table, ids).dispose(); // uploads them
      given.fill(0);
      expect([...ids.dataSync()]).to.deep.equal([2, 0, 1]);
      const product = tf.mul(tf.tensor1d([3, 1, 2]), 1);
      (await product.data()).sort();
      expect([...(await tf.slice(product, 0, 1).data())]).to.deep.equal([3]);
    });

    it('refuse a part that is not there, as tfjs does', () => {
      expect(() => tf.slice(tf.tensor1d([1, 2, 3, 4, 5, 6]), 3, 5)).to.throw(
        'Error in slice1D: begin[0] + size[0] (8) would overflow input.shape[0] (6)',
      );
    });

    it('let fit cut its batches and evaluate read its labels', async () => {
      const [vocabSize, T] = [11, 5];
      const model = causalLM({ vocabSize, numHiddenLayers: 2, hiddenSize: 8, numAttentionHeads: 2 });
      const method = ilrec({ numNegativeLayers: 1 });
      model.compile({ optimizer: tf.train.sgd(0.1), loss: method.loss, metrics: method.metrics });
      method.attach(model);
      const ids = tf.tensor2d(integers(6 * T, vocabSize, 1), [6, T], 'int32');
      const labels = tf.tensor2d(integers(6 * T, vocabSize, 2), [6, T], 'int32');
      const { history } = await model.fit(ids, labels, {
        epochs: 2,
        batchSize: 4,
        verbose: 0,
        callbacks: [method.callback],
      });
      expect(history.loss[1]).to.be.below(history.loss[0] as number);
      const [loss] = model.evaluate(ids, labels, { batchSize: 3 }) as tf.Scalar[];
      expect((await loss.data())[0])
        .to.be.above(0)
        .and.below(history.loss[0] as number);
      method.detach();
      model.dispose();
      tf.dispose([ids, labels, loss]);
    });
  });
});
