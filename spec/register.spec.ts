import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { AdamW } from '../src/optimizers/adamw';
import { causalLM } from '../src/models/causal_lm';
import { forEachBackend } from './support/backends';

describe('importing the package', () => {
  forEachBackend((backend) => {
    it('gives the backend the gradient of an embedding', () => {
      expect(tf.getKernel('UnsortedSegmentSum', backend)).to.not.equal(undefined);
    });

    it('lets a model saved with AdamW be loaded with it', async () => {
      const model = causalLM({ vocabSize: 5, hiddenSize: 4, numHiddenLayers: 2, numAttentionHeads: 1 });
      model.compile({ optimizer: new AdamW({ learningRate: 0.01, weightDecay: 0.1 }), loss: 'meanSquaredError' });
      const xs = tf.tensor2d([[1, 2, 3]], [1, 3], 'int32');
      const ys = tf.zeros([1, 3, 5]);
      await model.fit(xs, ys, { epochs: 2, verbose: 0 });
      let artifacts: tf.io.ModelArtifacts | undefined;
      const handler = tf.io.withSaveHandler(async (saved) => {
        artifacts = saved;
        return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
      });
      await model.save(handler, { includeOptimizer: true });
      const loaded = await tfl.loadLayersModel(tf.io.fromMemory(artifacts as tf.io.ModelArtifacts));
      const next = async (of: tfl.LayersModel): Promise<unknown> =>
        (await of.fit(xs, ys, { epochs: 2, verbose: 0 })).history.loss;
      expect(await next(loaded)).to.deep.equal(await next(model));
    });
  });
});
