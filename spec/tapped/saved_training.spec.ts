import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { causalLM } from '../../src/models/causal_lm';
import { ilrec } from '../../src/ilrec/ilrec';
import { AdamW } from '../../src/optimizers/adamw';
import { accumulateGradients } from '../../src/optimizers/gradient_accumulation';
import { sft } from '../../src/tapped/sft';
import { forEachBackend } from '../support/backends';
import { datasetOf } from '../support/datasets';
import { savedArtifacts } from '../support/saved_artifacts';

const V = 7;
const inputIds = (): tf.Tensor2D => tf.tensor2d([[1, 2, 3]], [1, 3], 'int32');
const targets = (): tf.Tensor2D => tf.tensor2d([[2, 3, -100]], [1, 3], 'int32');
const batches = () => datasetOf(() => [0, 1, 2].map(() => ({ xs: inputIds(), ys: targets() })));
const lm = (): tfl.LayersModel =>
  causalLM({ vocabSize: V, hiddenSize: 4, numHiddenLayers: 2, numAttentionHeads: 1, initializerRange: 0.5 });
type Losses = Record<string, string>;
const OPTIMIZERS: Record<string, () => tf.Optimizer> = {
  adam: () => tf.train.adam(0.01),
  momentum: () => tf.train.momentum(0.01, 0.9),
  'AdamW with a schedule': () => new AdamW({ learningRate: { learningRate: 0.01, warmupSteps: 2, totalSteps: 9 } }),
  'accumulated AdamW': () => accumulateGradients(new AdamW({ learningRate: 0.01 }), { steps: 2 }),
};

/** Loads what `save` gave, without tfjs's remark about outputs without a loss. */
async function loaded(artifacts: tf.io.ModelArtifacts): Promise<tfl.LayersModel> {
  const { warn } = console;
  console.warn = () => undefined;
  try {
    return await tfl.loadLayersModel(tf.io.fromMemory(artifacts));
  } finally {
    console.warn = warn;
  }
}

describe('a model saved with its optimizer', () => {
  forEachBackend(() => {
    for (const [name, make] of Object.entries(OPTIMIZERS)) {
      it(`is loaded and trained on with ${name}, with the same numbers`, async () => {
        const losses: unknown[] = [];
        const [model, method] = [lm(), ilrec()];
        const fit = async (own: tfl.LayersModel, by: typeof method): Promise<unknown> =>
          (await own.fitDataset(batches(), { epochs: 2, verbose: 0, callbacks: [by.callback] })).history;
        model.compile({ optimizer: make(), loss: method.loss, metrics: method.metrics });
        await fit(model, method);
        const again = ilrec();
        const copy = await loaded(await savedArtifacts(model, { includeOptimizer: true }));
        copy.compile({ optimizer: copy.optimizer, loss: again.loss, metrics: again.metrics });
        for (const [own, by] of [[model, method] as const, [copy, again] as const]) losses.push(await fit(own, by));
        expect(losses[1]).to.deep.equal(losses[0]);
        expect(Object.keys(losses[0] as object)).to.include.members(['loss', 'cpo', 'numNegatives']);
      });
    }
  });

  it('keeps the losses and metrics that tfjs knows, in each form of compile', async () => {
    const ids = tfl.input({ shape: [null], dtype: 'int32' });
    const inner = lm();
    const logits = inner.apply(ids) as tfl.SymbolicTensor;
    const rating = tfl.layers.dense({ units: 1, name: 'rating' }).apply(logits) as tfl.SymbolicTensor;
    const model = tfl.model({ inputs: ids, outputs: [logits, rating] });
    const [output] = model.outputNames;
    const method = ilrec();
    const config = async (args: Partial<tfl.ModelCompileArgs>): Promise<[unknown, unknown]> => {
      model.compile({ optimizer: 'adam', ...args } as tfl.ModelCompileArgs);
      const { trainingConfig } = await savedArtifacts(model, { includeOptimizer: true });
      const { loss, metrics } = trainingConfig as tf.io.TrainingConfig;
      expect(Reflect.get(model, 'loss')).to.equal(args.loss);
      expect(Reflect.get(model, 'metrics')).to.equal(args.metrics);
      return [loss, metrics];
    };
    const mse = 'meanSquaredError';
    expect(await config({ loss: method.loss, metrics: method.metrics })).to.deep.equal([{}, []]);
    expect(await config({ loss: method.loss, metrics: method.metrics[0] })).to.deep.equal([{}, {}]);
    expect(
      await config({ loss: [method.loss, mse] as string[], metrics: [...method.metrics, 'acc'] as string[] }),
    ).to.deep.equal([{ rating: 'mean_squared_error' }, ['acc']]);
    const losses = { [output]: method.loss, rating: mse };
    const metrics = { [output]: method.metrics[1], rating: 'acc' };
    expect(await config({ loss: losses as unknown as Losses, metrics: metrics as unknown as string[] })).to.deep.equal([
      { rating: 'mean_squared_error' },
      { rating: 'acc' },
    ]);
    const lists = { [output]: method.metrics } as unknown as string[];
    expect(await config({ loss: losses as unknown as Losses, metrics: lists })).to.deep.equal([
      { rating: 'mean_squared_error' },
      {},
    ]);
    expect(await config({ loss: [mse, mse], metrics: ['acc'] })).to.deep.equal([
      ['mean_squared_error', 'mean_squared_error'],
      ['acc'],
    ]);
    model.dispose();
  });

  it('says nothing of the metrics of other methods either', async () => {
    const [model, method] = [lm(), sft()];
    model.compile({ optimizer: 'adam', loss: method.loss, metrics: method.metrics });
    const copy = await loaded(await savedArtifacts(model, { includeOptimizer: true }));
    expect(copy.optimizer.getClassName()).to.equal('Adam');
    model.dispose();
    copy.dispose();
  });
});
