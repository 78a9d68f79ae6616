import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { causalLM } from '../../src/models/causal_lm';
import { ilrec, type IlrecMethod } from '../../src/ilrec/ilrec';
import { AdamW } from '../../src/optimizers/adamw';
import { accumulateGradients } from '../../src/optimizers/gradient_accumulation';
import { sft } from '../../src/tapped/sft';
import '../support/backends';
import { datasetOf } from '../support/datasets';

const V = 7;
const inputIds = (): tf.Tensor2D => tf.tensor2d([[1, 2, 3]], [1, 3], 'int32');
const targets = (): tf.Tensor2D => tf.tensor2d([[2, 3, -100]], [1, 3], 'int32');
const batches = () => datasetOf(() => [{ xs: inputIds(), ys: targets() }]);

function compiled(): { method: IlrecMethod; model: tfl.LayersModel } {
  const model = causalLM({ vocabSize: V, hiddenSize: 4, numHiddenLayers: 2, numAttentionHeads: 1 });
  const method = ilrec();
  model.compile({ optimizer: 'sgd', loss: method.loss, metrics: method.metrics });
  return { method, model };
}

/** A plain object and an instance that write down what they are told. */
function watchers() {
  const told: string[] = [];
  const plain = (name: string): tfl.CustomCallbackArgs => ({
    onTrainBegin: () => void told.push(`${name} begins`),
    onBatchEnd: (batch, logs) => void told.push(`${name} batch ${batch} ${typeof logs?.loss} ${typeof logs?.cpo}`),
    onEpochEnd: (epoch) => void told.push(`${name} epoch ${epoch}`),
    onTrainEnd: () => void told.push(`${name} ends`),
  });
  const stopping = tfl.callbacks.earlyStopping({ monitor: 'loss', patience: 5 });
  return { told, plain, stopping };
}

const all = (name: string): string[] => [
  `${name} begins`,
  `${name} batch 0 number number`,
  `${name} epoch 0`,
  `${name} ends`,
];
const message = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'trained',
    (error: Error) => error.message,
  );

describe('a list of callbacks', () => {
  before(async () => void (await tf.setBackend('cpu')));

  it('holds plain objects, instances and the callback of a method in any order, for a model of either kind', async () => {
    for (const kind of ['functional', 'sequential']) {
      for (const order of ['mpq', 'pmq', 'pqm', 'msp', 'psm', 'spm', 'smp']) {
        const { method, model } = compiled();
        const trained = kind === 'functional' ? model : tfl.sequential({ layers: [model] });
        trained.compile({ optimizer: 'sgd', loss: method.loss, metrics: method.metrics });
        const { told, plain, stopping } = watchers();
        const entries: Record<string, object> = { m: method.callback, p: plain('p'), q: plain('q'), s: stopping };
        const callbacks = [...order].map((entry) => entries[entry]) as tfl.Callback[];
        await trained.fitDataset(batches(), { epochs: 1, verbose: 0, callbacks });
        for (const name of ['p', 'q'].filter((each) => order.includes(each)))
          expect(
            told.filter((line) => line.startsWith(name)),
            order,
          ).to.deep.equal(all(name));
        expect(method.step, order).to.equal(1);
        method.attach(trained);
        const { told: again, plain: other } = watchers();
        const list = [method.callback, other('p')] as tfl.Callback[];
        await trained.fit(inputIds(), targets(), { epochs: 1, verbose: 0, callbacks: list });
        expect(again, order).to.deep.equal(all('p'));
        method.detach();
        model.dispose();
      }
    }
  });

  it('may change the learning rate between epochs', async () => {
    for (const optimizer of [new AdamW({ learningRate: 0.1 }), accumulateGradients(tf.train.sgd(0.1), { steps: 1 })]) {
      const { method, model } = compiled();
      model.compile({ optimizer, loss: method.loss, metrics: method.metrics });
      const losses: number[] = [];
      const plain = {
        onEpochEnd: (epoch: number, logs?: { readonly loss?: number }) => {
          losses.push(logs?.loss as number);
          if (epoch === 1) optimizer.learningRate = 0;
        },
      } as tfl.CustomCallbackArgs;
      const callbacks = [plain, method.callback] as tfl.Callback[];
      await model.fitDataset(batches(), { epochs: 4, verbose: 0, callbacks });
      expect(losses[1]).to.not.equal(losses[0]);
      expect(losses[3]).to.equal(losses[2]); // the second epoch's step was the last that changed weights
      model.dispose();
    }
  });

  it('may hold the callbacks of two methods', async () => {
    const { method, model } = compiled();
    const other = sft();
    const head = model.layers[0];
    const { told, plain } = watchers();
    const callbacks = [plain('p'), method.callback] as tfl.Callback[];
    await model.fitDataset(batches(), { epochs: 1, verbose: 0, callbacks });
    model.compile({ optimizer: 'sgd', loss: other.loss, metrics: other.metrics });
    await model.fitDataset(batches(), { epochs: 1, verbose: 0, callbacks: [other.callback] });
    expect([method.step, other.step, told.length]).to.deep.equal([1, 1, 4]);
    expect(Object.hasOwn(head, 'call')).to.equal(false);
    model.dispose();
  });

  it('is left as it is where it holds none of a method', async () => {
    const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 1, inputShape: [1] })] });
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const told: number[] = [];
    const plain = { onEpochEnd: (epoch: number) => void told.push(epoch) };
    for (const callbacks of [plain, [plain], undefined])
      await model.fit(tf.ones([1, 1]), tf.ones([1, 1]), { epochs: 1, verbose: 0, callbacks });
    expect(told).to.deep.equal([0, 0]);
    const stopping = [tfl.callbacks.earlyStopping({ monitor: 'loss' }), plain] as tfl.Callback[];
    expect(await message(model.fit(tf.ones([1, 1]), tf.ones([1, 1]), { verbose: 0, callbacks: stopping }))).to.match(
      /setParams is not a function/, // tfjs's own
    );
  });

  it('says which entry is no callback', async () => {
    const { method, model } = compiled();
    const fit = (callbacks: unknown[]): Promise<string> =>
      message(model.fitDataset(batches(), { epochs: 1, verbose: 0, callbacks: callbacks as tfl.Callback[] }));
    expect(await fit([method.callback, undefined])).to.equal(
      'fitDataset: callbacks must hold objects, got undefined; leave it out of the list',
    );
    expect(await fit([false, method.callback])).to.equal(
      'fitDataset: callbacks must hold objects, got false; leave it out of the list',
    );
    expect(await message(Promise.resolve(method.callback.onTrainBegin()))).to.equal(
      'ilrec: method.callback must get its model from tfjs, got none, as of a model of another copy of tfjs-layers; call method.attach(model) after compile',
    );
    model.dispose();
  });
});
