import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ilrec, type IlrecMethod, METRIC_NAMES } from '../../src/ilrec/ilrec';
import { forEachBackend } from '../support/backends';
import { datasetOf } from '../support/datasets';
import { attention, chain, dense, functional, norm, recurrent, SIZES, stack } from '../support/foreign_models';
import { integers, normals } from '../support/random';
import { maxDifference } from '../support/reference';

const B = 3;
const { vocabSize: V, length: T } = SIZES;
const ids = integers(B * T, V, 1);
const labels = integers(B * T, V, 2).map((label, at) => (at % T < 2 ? -100 : label));
const inputIds = (): tf.Tensor2D => tf.tensor2d(ids, [B, T], 'int32');
const targets = (): tf.Tensor2D => tf.tensor2d(labels, [B, T], 'int32');
const batches = () =>
  datasetOf(() => [
    { xs: inputIds(), ys: targets() },
    { xs: inputIds(), ys: targets() },
  ]);

const transformer = (): tfl.LayersModel =>
  seeded(functional((x) => chain(x, attention('a'), attention('b'), attention('c'), norm('final'), dense())));
const gruStack = (): tfl.LayersModel =>
  seeded(stack(recurrent('gru', 'a'), recurrent('gru', 'b'), norm('final'), dense()));
const BOTH = [
  ['a functional model', transformer],
  ['a sequential model', gruStack],
] as const;

function seeded(model: tfl.LayersModel, seed = 1): tfl.LayersModel {
  const values = model
    .getWeights()
    .map((weight, i) => tf.tensor(normals(weight.size, 100 * seed + i, 0.5), weight.shape));
  model.setWeights(values);
  tf.dispose(values);
  return model;
}

function compile(model: tfl.LayersModel, method: IlrecMethod): void {
  model.compile({ optimizer: tf.train.sgd(0.1), loss: method.loss, metrics: method.metrics });
}

const fitOnce = async (model: tfl.LayersModel, method: IlrecMethod): Promise<number[]> =>
  (await model.fitDataset(batches(), { epochs: 2, verbose: 0, callbacks: [method.callback] })).history.loss as number[];

const logitsOf = (model: tfl.LayersModel): Float32Array =>
  tf.tidy(() => (model.predict(inputIds()) as tf.Tensor).dataSync<'float32'>());
const message = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: Error) => error.message,
  );

/** The layer whose call throws. */
let broken: tfl.layers.Layer | null = null;

/** Trains while block "b" throws. @returns tensors more than before. */
async function leftByThrow(model: tfl.LayersModel, callbacks: tfl.Callback[]): Promise<number> {
  const block = model.layers.find((layer) => layer.name === 'b') as tfl.layers.Layer;
  const { call } = block;
  if (!Object.hasOwn(block, 'call')) {
    Object.assign(block, {
      call(...args: Parameters<typeof call>) {
        if (block === broken) throw new Error('broken');
        return call.apply(block, args);
      },
    });
  }
  const numTensors = tf.memory().numTensors;
  broken = block;
  expect(await message(model.fitDataset(batches(), { epochs: 1, verbose: 0, callbacks }))).to.equal('broken');
  broken = null;
  return tf.memory().numTensors - numTensors;
}

/** What a wrapper could have been left on. */
const ownMethods = (model: tfl.LayersModel): string[] => {
  const inner = Reflect.get(model, 'model') as tfl.LayersModel | undefined;
  return [model, ...(inner === undefined ? [] : [inner]), ...model.layers].flatMap((each) =>
    Object.getOwnPropertyNames(each).filter(
      (name) => typeof Reflect.get(each, name) === 'function' && !['_callHook', 'loss', 'testFunction'].includes(name),
    ),
  );
};

describe('taps through the life of a model', () => {
  forEachBackend(() => {
    for (const [name, build] of BOTH) {
      it(`train ${name} the same, attached before compile or after, once or twice compiled, by hand or by the callback`, async () => {
        const losses: number[][] = [];
        for (const way of ['callback', 'attach after', 'attach before', 'compile again'] as const) {
          const model = build();
          const clean = ownMethods(model);
          const method = ilrec();
          if (way === 'attach before') method.attach(model);
          if (way === 'compile again') compile(model, ilrec());
          compile(model, method);
          if (way === 'attach after' || way === 'compile again') method.attach(model);
          if (way === 'compile again') compile(model, method);
          if (way === 'callback') losses.push(await fitOnce(model, method));
          else
            losses.push(
              (await model.fit(inputIds(), targets(), { epochs: 4, batchSize: B, shuffle: false, verbose: 0 })).history
                .loss as number[],
            );
          method.detach();
          expect(ownMethods(model)).to.deep.equal(clean);
          const failed = await message(model.fit(inputIds(), targets(), { verbose: 0 }));
          expect(failed).to.match(/Error when checking target: expected .* to have 3 dimension/);
        }
        const [streamed, ...fitted] = losses;
        for (const loss of fitted) expect(maxDifference(loss, fitted[0])).to.be.below(1e-6);
        expect(streamed[0]).to.be.closeTo((fitted[0][0] + fitted[0][1]) / 2, 1e-6);
      });

      it(`train ${name} again after a run, and after one that threw in a layer, with no tensor left behind`, async () => {
        const plain = build();
        plain.compile({ optimizer: tf.train.sgd(0.1), loss: (_, logits) => tf.mean(logits) });
        const leftByTfjs = await leftByThrow(plain, []);

        const model = build();
        const method = ilrec();
        compile(model, method);
        const before = logitsOf(model);
        expect(await leftByThrow(model, [method.callback])).to.equal(leftByTfjs + 1); // what was kept of block "a", until the next batch
        expect([...logitsOf(model)]).to.deep.equal([...before]);
        const numTensors = tf.memory().numTensors;
        compile(model, method); // a Sequential has another model inside from here on
        const first = await fitOnce(model, method);
        const second = await fitOnce(model, method);
        expect(second[1]).to.be.below(first[0]);
        expect(ownMethods(model)).to.deep.equal(['call']); // that of leftByThrow
        expect(tf.memory().numTensors).to.equal(numTensors); // the new optimizer's learning rate came, what was kept of the block went
      });

      it(`never make logits of all positions in training and evaluation of ${name}, and make them in predict`, async () => {
        const model = build();
        const head = model.layers[model.layers.length - 1];
        const { call } = head;
        const read: string[] = [];
        Object.assign(head, {
          call(...args: Parameters<typeof call>) {
            read.push([args[0]].flat()[0].shape.join());
            return call.apply(head, args);
          },
        });
        const method = ilrec({ numNegativeLayers: 1 });
        compile(model, method);
        const during = async (run: () => unknown): Promise<string[]> => {
          read.length = 0;
          await run();
          return [...new Set(read)];
        };
        const rows = [1, B * (T - 2), SIZES.hiddenSize].join(); // of the response positions, as one sequence
        expect(await during(() => fitOnce(model, method))).to.deep.equal([rows]);
        method.attach(model);
        expect(await during(() => model.trainOnBatch(inputIds(), targets()))).to.deep.equal([rows]);
        expect(await during(() => model.evaluate(inputIds(), targets()))).to.deep.equal([rows]);
        expect(await during(() => logitsOf(model))).to.deep.equal([[B, T, SIZES.hiddenSize].join()]);
        method.detach();
      });

      it(`leave predict, evaluate, save and summary of ${name} as they are while attached, and after`, async () => {
        const model = build();
        const method = ilrec();
        compile(model, method);
        const artifacts = async (): Promise<tf.io.ModelArtifacts> => {
          let saved: tf.io.ModelArtifacts = {};
          await model.save(
            tf.io.withSaveHandler(async (each) => {
              saved = each;
              return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
            }),
          );
          return saved;
        };
        const lines = (): string => {
          const printed: string[] = [];
          model.summary(80, undefined, (line: string) => printed.push(line));
          return printed.join('\n');
        };
        const [saved, printed, logits] = [await artifacts(), lines(), logitsOf(model)];
        method.attach(model);
        expect(await artifacts()).to.deep.equal(saved);
        expect(lines()).to.equal(printed);
        expect([...logitsOf(model)]).to.deep.equal([...logits]);
        const evaluated = (model.evaluate(inputIds(), targets()) as tf.Scalar[]).map((value) => value.dataSync()[0]);
        expect(evaluated.length).to.equal(1 + METRIC_NAMES.length);
        expect(((await model.trainOnBatch(inputIds(), targets())) as number[])[0]).to.be.closeTo(evaluated[0], 1e-5);
        const [trained, trainedLogits] = [await artifacts(), logitsOf(model)];
        method.detach();
        expect(await artifacts()).to.deep.equal(trained);
        expect(lines()).to.equal(printed);
        expect([...logitsOf(model)]).to.deep.equal([...trainedLogits]);
        expect(() => model.evaluate(inputIds(), targets())).to.throw(/Error when checking target/);

        const loaded = await tf.io.fromMemory(saved).load!().then(() => tfl.loadLayersModel(tf.io.fromMemory(saved)));
        const again = ilrec();
        compile(loaded, again);
        again.attach(loaded);
        expect((loaded.evaluate(inputIds(), targets()) as tf.Scalar[])[0].dataSync()[0]).to.be.closeTo(
          evaluated[0],
          1e-5,
        );
        expect(((await loaded.trainOnBatch(inputIds(), targets())) as number[])[0]).to.be.closeTo(evaluated[0], 1e-5);
      });
    }

    it('train two models at once by two methods as they train one after the other', async () => {
      const alone: number[][] = [];
      for (const build of [transformer, gruStack]) {
        const [model, method] = [build(), ilrec()];
        compile(model, method);
        alone.push(await fitOnce(model, method));
      }
      const pairs = [transformer(), gruStack()].map((model) => ({ model, method: ilrec() }));
      for (const { model, method } of pairs) compile(model, method);
      const together = await Promise.all(pairs.map(({ model, method }) => fitOnce(model, method)));
      together.forEach((losses, i) => expect(maxDifference(losses, alone[i])).to.be.below(1e-6));
    });

    it('go from one model to the next with one method, also after a run that threw', async () => {
      const method = ilrec();
      const models = [transformer(), gruStack(), transformer()];
      for (const model of models) compile(model, method);
      const alone = await fitOnce(models[0], method);
      const stop = new tfl.CustomCallback({
        onBatchEnd: async () => {
          throw new Error('stop');
        },
      });
      expect(
        await message(models[1].fitDataset(batches(), { epochs: 1, verbose: 0, callbacks: [method.callback, stop] })),
      ).to.equal('stop');
      expect(maxDifference(await fitOnce(models[2], method), alone)).to.be.below(1e-6);
      expect(ownMethods(models[1])).to.deep.equal([]);
      method.attach(models[0]);
      expect(await message(fitOnce(models[1], method))).to.match(
        /^ilrec: this method is attached to model ".*"; detach\(\) it first/,
      );
      method.detach();
    });

    it('give their place to a second method on the same model', async () => {
      const model = transformer();
      const [first, second] = [ilrec(), ilrec({ distillationWeight: 1 })];
      compile(model, first);
      first.attach(model);
      compile(model, second);
      const losses = await fitOnce(model, second);
      expect(losses[1]).to.be.below(losses[0]);
      expect(ownMethods(model)).to.deep.equal([]);
      compile(model, first);
      expect(await message(model.trainOnBatch(inputIds(), tf.zeros([B, T, V])))).to.match(
        /^ilrec: the loss found no tapped forward pass/,
      );
    });

    it('let metrics and losses of the user see logits', async () => {
      const model = transformer();
      const method = ilrec();
      const shapes: string[] = [];
      const correct = (y: tf.Tensor, logits: tf.Tensor): tf.Tensor => {
        shapes.push(logits.shape.join());
        return tf.mean(tf.cast(tf.equal(tf.argMax(logits, -1), y), 'float32'));
      };
      model.compile({ optimizer: tf.train.sgd(0), loss: method.loss, metrics: [...method.metrics, correct] });
      method.attach(model);
      const values = (await model.trainOnBatch(inputIds(), targets())) as number[];
      const best = tf.tidy(() => tf.argMax(model.predict(inputIds()) as tf.Tensor, -1).dataSync());
      expect(values[7]).to.be.closeTo([...labels].filter((label, at) => label === best[at]).length / (B * T), 1e-6);
      expect(shapes).to.deep.equal([`${B},${T},${V}`]);

      model.compile({
        optimizer: tf.train.sgd(0),
        loss: (y, logits) => {
          shapes.push(logits.shape.join());
          return tf.mul(2, method.loss(y, logits));
        },
      });
      expect(await model.trainOnBatch(inputIds(), targets())).to.be.closeTo(2 * values[0], 1e-5);
      expect(shapes.length).to.be.above(1);
      expect([...new Set(shapes)]).to.deep.equal([`${B},${T},${V}`]);
      method.detach();
    });

    it('give no gradient to frozen layers, and to the others the one they have anyway', () => {
      const gradients = (frozen: readonly string[]): Record<string, Float32Array> => {
        const model = transformer();
        for (const layer of model.layers) if (frozen.includes(layer.name)) layer.trainable = false;
        const method = ilrec({ distillationWeight: 0.5 });
        method.attach(model);
        const named = tf.tidy(() => {
          const variables = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
          const { grads } = tf.variableGrads(
            () => method.loss(targets(), model.apply(inputIds(), { training: true }) as tf.Tensor),
            variables,
          );
          return Object.fromEntries(
            model.trainableWeights.map((weight, i) => [
              weight.originalName,
              grads[variables[i].name].dataSync<'float32'>(),
            ]),
          );
        });
        method.detach();
        return named;
      };
      const all = gradients([]);
      const some = gradients(['tokens', 'a', 'final']);
      expect(Object.keys(some)).to.deep.equal(Object.keys(all).filter((name) => !/^(tokens|a|final)\//.test(name)));
      for (const [name, gradient] of Object.entries(some))
        expect(maxDifference(gradient, all[name]), name).to.be.below(1e-6);
    });

    it('know the response positions of the last batch', async () => {
      const model = transformer();
      const method = ilrec();
      compile(model, method);
      expect(method.numResponsePositions).to.equal(0);
      method.attach(model);
      await model.trainOnBatch(inputIds(), targets());
      expect(method.numResponsePositions).to.equal(B * (T - 2));
      await model.trainOnBatch(inputIds(), tf.fill([B, T], -100, 'int32'));
      expect(method.numResponsePositions).to.equal(0);
      method.detach();
    });

    it('take ids and labels of either dtype', async () => {
      for (const build of [transformer, gruStack]) {
        const losses: number[] = [];
        for (const [idType, labelType] of [
          ['int32', 'int32'],
          ['float32', 'int32'],
          ['int32', 'float32'],
          ['float32', 'float32'],
        ] as const) {
          const model = build();
          const method = ilrec({
            reward: ({ inputIds: read, positions, vocabSize }) => {
              // a reward that depends on what it reads
              expect([...read]).to.deep.equal([...ids]);
              return tf.fill([positions.length, vocabSize], 1 / vocabSize);
            },
          });
          compile(model, method);
          method.attach(model);
          losses.push(
            ((await model.trainOnBatch(tf.cast(inputIds(), idType), tf.cast(targets(), labelType))) as number[])[0],
          );
          method.detach();
        }
        for (const loss of losses) expect(loss).to.equal(losses[0]);
      }
    });

    it('take labels [B, T, 1], as the sparse losses of tfjs do', async () => {
      const model = transformer();
      const method = ilrec();
      compile(model, method);
      method.attach(model);
      const [flat] = (model.evaluate(inputIds(), targets()) as tf.Scalar[]).map((value) => value.dataSync()[0]);
      const [column] = (model.evaluate(inputIds(), tf.reshape(targets(), [B, T, 1])) as tf.Scalar[]).map(
        (value) => value.dataSync()[0],
      );
      expect(column).to.equal(flat);
      method.detach();
    });

    it('say what is missing where a hand-written loop runs the model without { training: true }', () => {
      const model = transformer();
      const method = ilrec();
      method.attach(model);
      const labelsGiven = targets();
      expect(() => method.loss(labelsGiven, model.apply(inputIds()) as tf.Tensor)).to.throw(
        'ilrec: the loss needs a training pass, got a forward pass without { training: true }; call method.lossOf(inputs, labels) or model.apply(inputs, { training: true })',
      );
      method.detach();
      expect(() => method.lossOf(inputIds(), labelsGiven)).to.throw(
        'ilrec: lossOf needs an attached model, got none; call method.attach(model) first',
      );
    });

    for (const [name, build] of BOTH) {
      it(`give logits of ${name} to a loop by hand, and none to lossOf, with the same loss and gradients`, () => {
        const model = build();
        const expected = [...logitsOf(model)];
        const head = model.layers[model.layers.length - 1];
        const { call } = head;
        const read: string[] = [];
        Object.assign(head, {
          call(...args: Parameters<typeof call>) {
            read.push([args[0]].flat()[0].shape.join());
            return call.apply(head, args);
          },
        });
        for (const isCompiled of [false, true]) {
          const method = ilrec();
          if (isCompiled) compile(model, method);
          method.attach(model);
          tf.tidy(() => {
            const alone = model.apply(inputIds(), { training: true }) as tf.Tensor; // nobody takes this pass
            expect(alone.shape).to.deep.equal([B, T, V]);
            expect(maxDifference(alone.dataSync(), expected)).to.be.below(1e-5);
            const byHand = tf.variableGrads(() => {
              const logits = model.apply(inputIds(), { training: true }) as tf.Tensor;
              expect(logits.shape).to.deep.equal([B, T, V]);
              return method.loss(targets(), logits);
            });
            read.length = 0;
            const quick = tf.variableGrads(() => method.lossOf(inputIds(), targets()));
            expect(read).to.not.include(`${B},${T},${model.layers.at(-2)?.outputShape.at(-1)}`);
            expect(read.length).to.be.above(0); // the response rows
            expect(quick.value.dataSync()[0]).to.be.closeTo(byHand.value.dataSync()[0], 1e-6);
            for (const [weight, gradient] of Object.entries(byHand.grads))
              expect(maxDifference(gradient.dataSync(), quick.grads[weight].dataSync()), weight).to.be.below(1e-6);
          });
          expect(method.step).to.equal(2);
          method.detach();
        }
        const method = ilrec();
        method.attach(model);
        const [xs, ys] = [inputIds(), targets()];
        method.lossOf(xs, ys).dispose();
        const numTensors = tf.memory().numTensors;
        method.lossOf(xs, ys).dispose();
        expect(tf.memory().numTensors).to.equal(numTensors);
        method.detach();
      });
    }
  });
});
