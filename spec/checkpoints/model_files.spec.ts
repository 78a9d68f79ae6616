import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { loadModel, saveModel } from '../../src/checkpoints/model_files_node';
import { causalLM } from '../../src/models/causal_lm';
import { forEachBackend } from '../support/backends';
import { messageOf, temporaryFolder } from '../support/folders';

describe('saveModel and loadModel', () => {
  const folder = temporaryFolder();

  forEachBackend(() => {
    it('give back a model with the same logits', async () => {
      const model = causalLM({ vocabSize: 7, hiddenSize: 8, numHiddenLayers: 1, numAttentionHeads: 2 });
      await saveModel(model, folder.path);
      const again = await loadModel(folder.path);
      const ids = tf.tensor2d([[1, 3, 5]], [1, 3], 'int32');
      const [expected, actual] = [model, again].map((one) => Array.from((one.predict(ids) as tf.Tensor).dataSync()));
      expect(actual).to.deep.equal(expected);
    });
  });

  it('say what to do where there is no model', async () => {
    expect(await messageOf(loadModel(folder.path))).to.equal(
      `loadModel: ${folder.path}/model.json must be there, got none; train the run to its end, with --resume if it was interrupted`,
    );
  });
});
