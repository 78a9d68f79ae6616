import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { causalLM } from '../../../src/models/causal_lm';
import { ilrec } from '../../../src/ilrec';
import { onWebGpu } from '../../support/backends';
import { integers } from '../../support/random';

describe('integers on WebGPU', () => {
  onWebGpu(() => {
    it('can be read at once after a shader has read them', async () => {
      const ids = tf.tensor1d([2, 0, 1], 'int32');
      const rows = tf.gather(tf.tensor2d([[1, 2], [3, 4], [5, 6]]), ids);
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

    it('let fit cut its batches and evaluate read its labels', async () => {
      const [vocabSize, T] = [11, 5];
      const model = causalLM({ vocabSize, numHiddenLayers: 2, hiddenSize: 8, numAttentionHeads: 2 });
      const method = ilrec({ numNegativeLayers: 1 });
      model.compile({ optimizer: tf.train.sgd(0.1), loss: method.loss, metrics: method.metrics });
      method.attach(model);
      const ids = tf.tensor2d(integers(6 * T, vocabSize, 1), [6, T], 'int32');
      const labels = tf.tensor2d(integers(6 * T, vocabSize, 2), [6, T], 'int32');
      const { history } = await model.fit(ids, labels, { epochs: 2, batchSize: 4, verbose: 0, callbacks: [method.callback] });
      expect(history.loss[1]).to.be.below(history.loss[0] as number);
      const [loss] = model.evaluate(ids, labels, { batchSize: 3 }) as tf.Scalar[];
      expect((await loss.data())[0]).to.be.above(0).and.below(history.loss[0] as number);
      method.detach();
      model.dispose();
      tf.dispose([ids, labels, loss]);
    }).timeout(120_000);
  });

});
