import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ilrec } from '../../src/ilrec/ilrec';
import { sft } from '../../src/tapped/sft';
import type { TappedMethod } from '../../src/tapped/tapped_method';
import { forEachBackend } from '../support/backends';
import { datasetOf } from '../support/datasets';
import { attention, chain, dense, functional, norm, SIZES } from '../support/foreign_models';

const { vocabSize: V } = SIZES;
const xs = (): tf.Tensor2D => tf.tensor2d([[1, 2, 3]], [1, 3], 'int32');
const ys = (): tf.Tensor2D => tf.tensor2d([[2, 3, -100]], [1, 3], 'int32');
const batches = () => datasetOf(() => [{ xs: xs(), ys: ys() }]);
type Args = ConstructorParameters<typeof tfl.LayersModel>[0];
const parts = (): Args => {
  const { inputs, outputs } = functional((x) => chain(x, attention('a'), attention('b'), norm('final'), dense()));
  return { inputs, outputs };
};
const stockLoss = (_: tf.Tensor, predictions: tf.Tensor): tf.Scalar => tf.mean(predictions);

/** Drops the loss that it is given. */
class OwnCompile extends tfl.LayersModel {
  override compile(args: tfl.ModelCompileArgs): void {
    tfl.LayersModel.prototype.compile.call(this, { ...args, loss: stockLoss, metrics: [] });
  }
}

/** Hands everything on. */
class Wrapping extends tfl.LayersModel {
  override compile(args: tfl.ModelCompileArgs): void {
    super.compile(args);
  }
  override async fitDataset(...args: Parameters<tfl.LayersModel['fitDataset']>): Promise<tfl.History> {
    return super.fitDataset(...args);
  }
}

/** A loop of its own with a loss of its own. */
class OwnLoop extends tfl.LayersModel {
  override async fitDataset(): Promise<tfl.History> {
    const optimizer = tf.train.sgd(0.01);
    optimizer.minimize(() => tf.mean(this.apply(xs(), { training: true }) as tf.Tensor));
    return null as unknown as tfl.History;
  }
}

const message = async (run: () => unknown): Promise<string> => {
  try {
    await run();
    return 'trained';
  } catch (error) {
    return (error as Error).message;
  }
};

/** What a run writes as warnings. */
async function warningsOf(run: () => unknown): Promise<string[]> {
  const { warn } = console;
  const seen: string[] = [];
  console.warn = (text: string) => void seen.push(String(text));
  try {
    await run();
  } finally {
    console.warn = warn;
  }
  return seen.filter((text) => /^(ilrec|sft):/.test(text));
}

const unused = (name: string): string =>
  `${name}: the training ended without a call of method.loss, so it trained something else; compile with loss: method.loss, and see that a class of your own hands it on in compile, fit and fitDataset`;
const warnings: string[] = [];

describe('a training that never calls the loss', () => {
  forEachBackend(() => {
    it('is told where the model was compiled with another loss', async () => {
      const model = new tfl.LayersModel(parts());
      const method = ilrec();
      model.compile({ optimizer: 'sgd', loss: stockLoss });
      const callbacks = [method.callback];
      expect(await message(() => model.fitDataset(batches(), { epochs: 1, verbose: 0, callbacks }))).to.equal(
        unused('ilrec'),
      );
      expect(Object.hasOwn(model.getLayer('a'), 'call')).to.equal(false); // detached all the same
      method.attach(model);
      const targets = tf.zeros([1, 3, V]);
      expect(await message(() => model.fit(xs(), targets, { verbose: 0 }))).to.equal(unused('ilrec'));
      method.detach();
      model.compile({ optimizer: 'sgd', loss: (labels, predictions) => tf.mul(2, method.loss(labels, predictions)) });
      expect(await message(() => model.fitDataset(batches(), { epochs: 1, verbose: 0, callbacks }))).to.equal(
        'trained',
      );
    });

    it('is told at compile, at attach and at the end, of a class that drops the loss in compile', async () => {
      const method = sft();
      const fit = (model: tfl.LayersModel): Promise<unknown> =>
        model.fitDataset(batches(), { epochs: 1, verbose: 0, callbacks: [method.callback] });
      const compile = (model: tfl.LayersModel, by: TappedMethod): void =>
        model.compile({ optimizer: 'sgd', loss: by.loss });
      const model = new OwnCompile(parts());
      compile(model, method);
      let told = '';
      warnings.push(...(await warningsOf(async () => (told = await message(() => fit(model))))));
      expect(told).to.equal(unused('sft'));
      method.attach(model);
      expect(await message(() => compile(model, method))).to.equal(
        'sft: compile got method.loss and does not train with it; let OwnCompile.compile call super.compile(args)',
      );
      method.detach();
    });

    it('is told of a class that has a loop of its own', async () => {
      const method = sft();
      const model = new OwnLoop(parts());
      model.compile({ optimizer: 'sgd', loss: method.loss });
      let told = '';
      warnings.push(
        ...(await warningsOf(async () => {
          method.attach(model);
          told = await message(() => model.fitDataset());
          method.detach();
        })),
      );
      expect(told).to.equal(unused('sft'));
    });

    it('is not told of a class that hands all on, and of a training without steps', async () => {
      const method = sft();
      const model = new Wrapping(parts());
      model.compile({ optimizer: 'sgd', loss: method.loss });
      const fit = (epochs: number, initialEpoch: number): Promise<unknown> =>
        model.fitDataset(batches(), { epochs, initialEpoch, verbose: 0, callbacks: [method.callback] });
      const told: string[] = [];
      const seen = await warningsOf(async () => {
        told.push(await message(() => fit(1, 0)), await message(() => fit(1, 1)));
        method.attach(model);
        told.push(await message(() => fit(1, 0)));
        method.detach();
      });
      expect([told, seen]).to.deep.equal([['trained', 'trained', 'trained'], []]);
    });
  });

  after(() => {
    expect(warnings).to.deep.equal([
      'sft: OwnCompile has its own compile; nothing is trained by sft unless it calls the loss that compile is given',
      'sft: OwnLoop has its own fitDataset; nothing is trained by sft unless it calls the loss that compile is given',
    ]); // once each, on the first backend
  });
});
