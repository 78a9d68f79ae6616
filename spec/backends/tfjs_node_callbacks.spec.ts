import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { ilrec, METRIC_NAMES } from '../../src/ilrec/ilrec';
import { causalLM } from '../../src/models/causal_lm';
import { AdamW } from '../../src/optimizers/adamw';
import { onTensorFlow } from '../support/backends';
import { temporaryFolder } from '../support/folders';
import { integers } from '../support/random';
import { maxDifference } from '../support/reference';

const [B, T, V] = [3, 7, 31];
const EPOCHS = 4;

/** What tfjs-node adds to tfjs. */
interface TfjsNode {
  readonly node: { tensorBoard(folder: string, options: { updateFreq: 'batch' | 'epoch' }): tfl.CustomCallback };
  readonly data: { generator(make: () => Iterator<object>): Parameters<tfl.LayersModel['fitDataset']>[0] };
}

const inputIds = (): tf.Tensor2D => tf.tensor2d(integers(B * T, V, 1), [B, T], 'int32');
const targets = (): tf.Tensor2D =>
  tf.tensor2d(
    integers(B * T, V, 2).map((token, i) => (i % T < 4 ? -100 : token)),
    [B, T],
    'int32',
  );

describe('tfjs-node beside this package', () => {
  const folder = temporaryFolder();

  onTensorFlow(() => {
    it('writes TensorBoard’s events, stops early and saves to file:// in one fitDataset under ILRec', async () => {
      const { node, data } = createRequire(import.meta.url)('@tensorflow/tfjs-node') as TfjsNode;
      const model = causalLM({ vocabSize: V, hiddenSize: 12, numHiddenLayers: 3, numAttentionHeads: 2 });
      const method = ilrec({ numNegativeLayers: 2 });
      model.compile({ optimizer: new AdamW({ learningRate: 0.01 }), loss: method.loss, metrics: method.metrics });
      const dataset = data.generator(function* () {
        for (let i = 0; i < 3; i++) yield { xs: inputIds(), ys: targets() };
      });
      const [logs, saved] = [join(folder.path, 'logs'), join(folder.path, 'model')];
      const numTensors: number[] = [];
      const saving = new tfl.CustomCallback({
        onEpochEnd: async () => {
          await model.save(`file://${saved}`);
          numTensors.push(tf.memory().numTensors);
        },
      });
      const stopping = tfl.callbacks.earlyStopping({
        monitor: 'crossEntropy',
        minDelta: 10,
        patience: EPOCHS - 3,
        mode: 'min',
      }); // never that much better
      const { history } = await model.fitDataset(dataset, {
        epochs: EPOCHS,
        verbose: 0,
        validationData: dataset,
        callbacks: [method.callback, node.tensorBoard(logs, { updateFreq: 'batch' }), saving, stopping],
      });

      const losses = history.loss as number[];
      expect(losses).to.have.length(EPOCHS - 2); // stopped
      expect(losses[losses.length - 1]).to.be.below(losses[0]);
      expect(numTensors[1]).to.equal(numTensors[0]);
      const events = await Promise.all(
        ['train', 'val'].map(
          async (part) => await readFile(join(logs, part, (await readdir(join(logs, part)))[0]), 'latin1'),
        ),
      );
      for (const name of ['loss', ...METRIC_NAMES])
        for (const text of events) expect(text, name).to.include(`epoch_${name}`);
      const loaded = await tf.io.getLoadHandlers(`file://${saved}/model.json`);
      const copy = await tfl.loadLayersModel((Array.isArray(loaded) ? loaded[0] : loaded) as tf.io.IOHandler);
      const [ours, theirs] = [model, copy].map((each) => (each.predict(inputIds()) as tf.Tensor).dataSync());
      expect(maxDifference(ours, theirs)).to.equal(0);
    });
  });
});
