import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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

    it('say why a folder cannot be written', async () => {
      await writeFile(join(folder.path, 'file'), '');
      const model = causalLM({ vocabSize: 7, hiddenSize: 8, numHiddenLayers: 1 });
      expect(await messageOf(saveModel(model, join(folder.path, 'file/model')))).to.equal(
        `saveModel: ${folder.path}/file/model/weights.bin must be writable, got ENOTDIR: not a directory; check permissions and free space, or choose another folder`,
      );
    });

    it('refuse files that are damaged', async () => {
      await saveModel(causalLM({ vocabSize: 7, hiddenSize: 8, numHiddenLayers: 1 }), folder.path);
      await truncate(join(folder.path, 'weights.bin'), 10);
      expect(await messageOf(loadModel(folder.path))).to.match(
        /^loadModel: .*weights\.bin must have \d+ bytes, got 10; use another copy of it$/,
      );
      for (const text of ['{"format":', '{}']) {
        await writeFile(join(folder.path, 'model.json'), text);
        expect(await messageOf(loadModel(folder.path))).to.equal(
          `loadModel: ${folder.path}/model.json must be a tfjs model with weights, got "${text}"; use another copy of it`,
        );
      }
    });
  });

  it('say what to do where there is no model', async () => {
    expect(await messageOf(loadModel(folder.path))).to.equal(
      `loadModel: ${folder.path}/model.json must exist, got no such file; finish the training, with --resume if it was interrupted`,
    );
  });
});
