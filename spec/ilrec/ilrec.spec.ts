import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ilrec, type IlrecOptions, METRIC_NAMES } from '../../src/ilrec/ilrec';
import { crossEntropy } from '../../src/losses';
import { causalLM, type CausalLMConfig } from '../../src/models/causal_lm';
import '../../src/register';
import { forEachBackend } from '../support/backends';
import { integers } from '../support/random';
import { centralDifferences, maxDifference, referenceObjective } from '../support/reference';
import { referenceDecoder, type Weights, weightsOf } from '../support/reference_decoder';

const V = 19;
const B = 3;
const T = 7;
const config: CausalLMConfig = {
  vocabSize: V,
  hiddenSize: 8,
  intermediateSize: 11,
  numHiddenLayers: 3,
  numAttentionHeads: 2,
  initializerRange: 0.4,
  seed: 3,
};
const sizes = { numHiddenLayers: 3, numAttentionHeads: 2, numKeyValueHeads: 2, ropeTheta: 10000, rmsNormEps: 1e-6 };
const objective = {
  penaltyWeight: 0.8,
  penalty: 'scale',
  thresholdScale: 1,
  thresholdReference: 'final',
  distillationWeight: 0.4,
  rewardWeight: 0,
} as const;

const ids = integers(B * T, V, 1);
const labels = integers(B * T, V, 2).map((label, at) => (at % T < 3 || at === 12 ? -100 : label));
const positions = [...labels.keys()].filter((at) => labels[at] !== -100);
const inputIds = (rows = B): tf.Tensor2D => tf.tensor2d(ids.slice(0, rows * T), [rows, T], 'int32');
const targets = (values: ArrayLike<number> = labels, rows = B): tf.Tensor2D =>
  tf.tensor2d(Int32Array.from(values).slice(0, rows * T), [rows, T], 'int32');

function compiled(options: IlrecOptions = objective, model = causalLM(config)) {
  const method = ilrec(options);
  model.compile({ optimizer: tf.train.sgd(0.05), loss: method.loss, metrics: method.metrics });
  return { method, model };
}

/** A dataset as tfjs sees it, without the package that makes them. */
function dataset(batches: () => { xs: tf.Tensor; ys: tf.Tensor }[]) {
  return {
    size: null,
    iterator: async () => {
      const queue = batches();
      return {
        next: async () => (queue.length > 0 ? { value: queue.shift(), done: false } : { value: null, done: true }),
      };
    },
  } as unknown as Parameters<tfl.LayersModel['fitDataset']>[0];
}

/**
 * The objective of the whole model in float64, with S = `layers`; negatives, threshold and teacher are taken from
 * `frozen` weights.
 */
function wholeModel(weights: Weights, frozen: Weights, layers = [0, 1], numHiddenLayers = 3): number {
  const run = (w: Weights) => {
    const rows = Array.from({ length: B }, (_, b) =>
      referenceDecoder(w, { ...sizes, numHiddenLayers }, [...ids.slice(b * T, (b + 1) * T)]),
    );
    const pick = (of: (row: (typeof rows)[number]) => number[][]) => {
      const all = rows.flatMap(of);
      return positions.map((at) => all[at]);
    };
    return {
      final: pick((row) => row.logits),
      intermediate: layers.map((l) => pick((row) => row.project(row.hiddenStates[l]))),
    };
  };
  const [live, still] = [run(weights), run(frozen)];
  return referenceObjective(
    live.final,
    live.intermediate,
    positions.map((at) => labels[at]),
    null,
    objective,
    still,
  ).total;
}

describe('ilrec', () => {
  forEachBackend(() => {
    it('has the loss and the gradient of the float64 model, to every weight of every layer', () => {
      const { method, model } = compiled();
      method.attach(model);
      const weights = weightsOf(model);
      const names = [...weights.keys()];
      tf.tidy(() => {
        const { value, grads } = tf.variableGrads(() =>
          method.loss(targets(), model.apply(inputIds(), { training: true }) as tf.Tensor),
        );
        expect(value.dataSync()[0]).to.be.closeTo(wholeModel(weights, weights), 1e-5);
        const ofVariable = Object.values(grads);
        expect(ofVariable.length).to.equal(names.length);
        names.forEach((name, i) => {
          const rows = weights.get(name) as number[][];
          const sampled = [...integers(4, rows.length * rows[0].length, i)];
          const numeric = sampled.map((flat) => {
            const [r, c] = [Math.floor(flat / rows[0].length), flat % rows[0].length];
            const moved = new Map(weights);
            return centralDifferences(
              (x) => {
                moved.set(
                  name,
                  rows.map((row, at) => (at === r ? row.map((v, column) => (column === c ? x[0] : v)) : row)),
                );
                return wholeModel(moved, weights);
              },
              [rows[r][c]],
            )[0];
          });
          const gradient = (grads[model.trainableWeights[i].name] ?? ofVariable[i]).dataSync();
          expect(
            maxDifference(
              sampled.map((flat) => gradient[flat]),
              numeric,
            ),
            name,
          ).to.be.below(2e-5);
        });
      });
      method.detach();
      model.dispose();
    });

    it('takes its negatives from the k layers before the last, of a model that has more', async () => {
      const { method, model } = compiled(
        { ...objective, numNegativeLayers: 2 },
        causalLM({ ...config, numHiddenLayers: 5 }),
      );
      method.attach(model);
      const weights = weightsOf(model);
      const [loss] = (model.evaluate(inputIds(), targets()) as tf.Scalar[]).map((value) => value.dataSync()[0]);
      expect(loss).to.be.closeTo(wholeModel(weights, weights, [2, 3], 5), 2e-5);
      for (const others of [[3], [1, 2, 3], [1, 2], [3, 4]])
        expect(Math.abs(loss - wholeModel(weights, weights, others, 5)), others.join()).to.be.above(1e-3);
      expect((await method.diagnostics())?.klPerLayer.length).to.equal(2);
      method.detach();
      model.dispose();
    });

    it('equals response-only cross-entropy for alpha = lambda = mu = 0, through training', async () => {
      const zero = compiled({ penaltyWeight: 0, distillationWeight: 0 });
      zero.method.attach(zero.model);
      const plain = causalLM(config);
      plain.compile({
        optimizer: tf.train.sgd(0.05),
        loss: (y, logits) =>
          crossEntropy(
            tf.gather(tf.reshape(logits, [B * T, V]), tf.tensor1d(positions, 'int32')),
            tf.gather(tf.reshape(y, [B * T]), tf.tensor1d(positions, 'int32')),
          ),
      });
      Reflect.set(plain, 'feedOutputShapes', [null]);
      for (let step = 0; step < 3; step++) {
        const [a] = (await zero.model.trainOnBatch(inputIds(), targets())) as number[];
        expect(a).to.be.closeTo((await plain.trainOnBatch(inputIds(), targets())) as number, 1e-6);
      }
      const difference = plain
        .getWeights()
        .map((weight, i) => maxDifference(weight.dataSync(), zero.model.getWeights()[i].dataSync()));
      expect(Math.max(...difference)).to.be.below(1e-6);
      zero.method.detach();
    });

    it('works in fit with validation data, in fitDataset, trainOnBatch and evaluate, with the same numbers', async () => {
      const names = ['loss', ...METRIC_NAMES];
      const a = compiled();
      a.method.attach(a.model);
      const fitted = await a.model.fit(inputIds(), targets(), {
        epochs: 2,
        batchSize: B,
        shuffle: false,
        verbose: 0,
        validationData: [inputIds(), targets()],
        callbacks: [a.method.callback],
      });
      const b = compiled();
      const streamed = await b.model.fitDataset(
        dataset(() => [{ xs: inputIds(), ys: targets() }]),
        {
          epochs: 2,
          verbose: 0,
          callbacks: [b.method.callback],
          validationData: dataset(() => [{ xs: inputIds(), ys: targets() }]),
        },
      );
      const c = compiled();
      c.method.attach(c.model);
      const steps = [
        (await c.model.trainOnBatch(inputIds(), targets())) as number[],
        (await c.model.trainOnBatch(inputIds(), targets())) as number[],
      ];
      names.forEach((name, i) => {
        const expected = steps.map((step) => step[i]);
        for (const { history } of [fitted, streamed]) {
          expect(maxDifference(history[name] as number[], expected), name).to.be.below(1e-5);
          // evaluated with the weights of step 2
          expect((history[`val_${name}`] as number[])[0], `val_${name}`).to.be.closeTo(expected[1], 1e-4);
        }
      });
      const evaluated = (c.model.evaluate(inputIds(), targets()) as tf.Scalar[]).map((value) => value.dataSync()[0]);
      expect(evaluated[0]).to.be.closeTo((fitted.history.val_loss as number[])[1], 1e-5);
      expect(steps[1][0]).to.be.below(steps[0][0]);
    });

    it('leaves the model as it was: own properties, predictions, artifacts', async () => {
      const { method, model } = compiled();
      const shape = (): unknown =>
        [model, ...model.layers].map((layer) =>
          Object.getOwnPropertyNames(layer).filter((name) =>
            ['call', 'makeTestFunction', 'fit', 'fitDataset'].includes(name),
          ),
        );
      const before = {
        shape: shape(),
        shapes: JSON.stringify(Reflect.get(model, 'feedOutputShapes')),
        topology: JSON.stringify(model.toJSON()),
      };
      await model.fitDataset(
        dataset(() => [{ xs: inputIds(), ys: targets() }]),
        { epochs: 1, verbose: 0, callbacks: [method.callback] },
      );
      expect({
        shape: shape(),
        shapes: JSON.stringify(Reflect.get(model, 'feedOutputShapes')),
        topology: JSON.stringify(model.toJSON()),
      }).to.deep.equal(before);
      const weights = weightsOf(model);
      const expected = referenceDecoder(weights, sizes, [...ids.slice(0, T)]).logits.flat();
      expect(maxDifference((model.predict(inputIds(1)) as tf.Tensor).dataSync(), expected)).to.be.below(1e-4);
    });

    it('predicts logits while attached, and during and after a fit that threw', async () => {
      const { method, model } = compiled();
      const expected = (model.predict(inputIds()) as tf.Tensor).dataSync();
      const thrown = await model
        .fitDataset(
          dataset(() => [{ xs: inputIds(), ys: targets() }]),
          {
            epochs: 1,
            verbose: 0,
            callbacks: [
              method.callback,
              new tfl.CustomCallback({
                onBatchBegin: async () => {
                  expect((model.predict(inputIds()) as tf.Tensor).shape).to.deep.equal([B, T, V]);
                  throw new Error('stop');
                },
              }),
            ],
          },
        )
        .catch((error: Error) => error.message);
      expect(thrown).to.equal('stop');
      expect([...(model.predict(inputIds()) as tf.Tensor).dataSync()]).to.deep.equal([...expected]);
      expect((model.evaluate(inputIds(), targets()) as tf.Scalar[]).length).to.equal(1 + METRIC_NAMES.length);
      const history = await model.fitDataset(
        dataset(() => [{ xs: inputIds(), ys: targets() }]),
        { epochs: 1, verbose: 0, callbacks: [method.callback] },
      );
      expect(history.history.loss[0]).to.be.above(0);
      method.detach();
    });

    it('has loss 0 and trains nothing where every position is ignored', async () => {
      const { method, model } = compiled();
      method.attach(model);
      const before = model.getWeights().map((weight) => [...weight.dataSync()]);
      const values = (await model.trainOnBatch(inputIds(), targets(new Int32Array(B * T).fill(-100)))) as number[];
      expect(values.map(Math.abs)).to.deep.equal([0, 0, 0, 0, 0, 0, 0]);
      expect(model.getWeights().map((weight) => [...weight.dataSync()])).to.deep.equal(before);
      method.detach();
    });

    it('tells the terms of the step that it was asked after, whatever comes next', async () => {
      const { method, model } = compiled();
      method.attach(model);
      const losses: number[] = [];
      const told: ReturnType<typeof method.diagnostics>[] = [];
      for (let step = 0; step < 2; step++) {
        losses.push(
          ((await model.trainOnBatch(inputIds(), targets())) as number[])[1 + METRIC_NAMES.indexOf('crossEntropy')],
        );
        told.push(method.diagnostics());
      }
      expect((await Promise.all(told)).map((each) => each?.crossEntropy)).to.deep.equal(losses);
      method.detach();
    });

    it('refuses tokens to compare on that are not tokens of the model', async () => {
      const { method, model } = compiled({ ...objective, distillationTokens: [2, V] });
      method.attach(model);
      const message = await model.trainOnBatch(inputIds(), targets()).then(String, (error: Error) => error.message);
      expect(message).to.equal(
        `ilrec: distillationTokens must be tokens below the ${V} of the model's vocabulary, got ${V}`,
      );
      method.detach();
    });

    it('compares layers on some tokens alone, also under the old name of the option, which warns once', async () => {
      const losses: number[] = [];
      const warnings: unknown[] = [];
      const { warn } = console;
      console.warn = (message: unknown) => void warnings.push(message);
      try {
        for (const option of [{}, { distillationTokens: [2, 3, 5] }, { itemTokens: [2, 3, 5] }, { itemTokens: [2] }]) {
          const { method, model } = compiled({ ...objective, ...option });
          method.attach(model);
          losses.push(((await model.trainOnBatch(inputIds(), targets())) as number[])[0]);
          method.detach();
        }
      } finally {
        console.warn = warn;
      }
      const [all, current, old, one] = losses;
      expect(old).to.equal(current);
      for (const other of [all, one]) expect(Math.abs(current - other)).to.be.above(1e-3);
      const ours = warnings.filter((message) => String(message).startsWith('ilrec: '));
      expect(ours.length).to.be.at.most(1); // none on the second backend
      for (const message of ours)
        expect(message).to.equal(
          'ilrec: the option itemTokens is now called distillationTokens; the old name still works',
        );
      expect(() => ilrec({ itemTokens: [1], distillationTokens: [1] })).to.throw(
        'ilrec: itemTokens is the old name of distillationTokens, got both; remove itemTokens',
      );
    });

    it('takes a batch of one, one response position, and a k larger than L - 1', async () => {
      const { method, model } = compiled({ ...objective, numNegativeLayers: 50 });
      method.attach(model);
      const one = new Int32Array(T).fill(-100).fill(4, 5, 6);
      const [loss] = (await model.trainOnBatch(inputIds(1), targets(one, 1))) as number[];
      expect(loss).to.be.above(0);
      expect((await method.diagnostics())?.klPerLayer.length).to.equal(2);
      method.detach();
    });

    it('trains a sequential model of stock layers, attached before fit and with the callback', async () => {
      const model = tfl.sequential({
        layers: [
          tfl.layers.embedding({ inputDim: V, outputDim: 6, inputShape: [T] }),
          ...[1, 2, 3].map(() =>
            tfl.layers.lstm({ units: 6, returnSequences: true, recurrentInitializer: 'glorotUniform' }),
          ),
          tfl.layers.dense({ units: V }),
        ],
      });
      const { method } = compiled(objective, model);
      method.attach(model);
      const { history } = await model.fit(inputIds(), targets(), {
        epochs: 3,
        batchSize: B,
        verbose: 0,
        callbacks: [method.callback],
      });
      expect(history.cpd.every((value) => (value as number) > 0)).to.equal(true);
      expect(history.loss[2]).to.be.below(history.loss[0] as number);
      method.detach();
      expect((model.predict(inputIds()) as tf.Tensor).shape).to.deep.equal([B, T, V]);
    });

    it('uses the reward at the response positions', async () => {
      const seen: Int32Array[] = [];
      const { method, model } = compiled({
        ...objective,
        rewardWeight: 1,
        reward: (context) => {
          seen.push(context.inputIds, context.positions);
          return tf.fill([context.positions.length, context.vocabSize], 1 / context.vocabSize) as tf.Tensor2D;
        },
      });
      method.attach(model);
      const values = (await model.trainOnBatch(inputIds(), targets())) as number[];
      expect([...seen[0]]).to.deep.equal([...ids]);
      expect([...seen[1]]).to.deep.equal(positions);
      expect(values[4]).to.be.above(0); // crr
      expect(values[0]).to.be.closeTo(values[2] + 0.4 * values[3] + values[4], 1e-5);
      method.detach();
    });

    it('follows coefficients that are functions of the step', async () => {
      const { method, model } = compiled({ penaltyWeight: 0, distillationWeight: (step) => step });
      method.attach(model);
      const first = (await model.trainOnBatch(inputIds(), targets())) as number[];
      const second = (await model.trainOnBatch(inputIds(), targets())) as number[];
      expect(first[0]).to.be.closeTo(first[2], 1e-6);
      expect(second[0]).to.be.closeTo(second[2] + second[3], 1e-6);
      expect(method.step).to.equal(2);
      method.detach();
    });

    it('does not count an evaluation as a step of the schedule', async () => {
      const steps: number[] = [];
      const { method, model } = compiled({ penaltyWeight: 0, distillationWeight: (step) => (steps.push(step), step) });
      await model.fitDataset(
        dataset(() => [{ xs: inputIds(), ys: targets() }]),
        {
          epochs: 2,
          verbose: 0,
          callbacks: [method.callback],
          validationData: dataset(() => [{ xs: inputIds(), ys: targets() }]),
        },
      );
      expect(steps).to.deep.equal([0, 1, 1, 2]); // train, evaluate, train, evaluate
      expect(method.step).to.equal(2);
      method.attach(model);
      model.evaluate(inputIds(), targets());
      expect(method.step).to.equal(2);
      method.step = 7; // as a resumed run does
      await model.trainOnBatch(inputIds(), targets());
      expect([steps.at(-1), method.step]).to.deep.equal([7, 8]);
      method.detach();
    });

    it('refuses labels that are not whole numbers, which a cast would turn into other tokens', async () => {
      const { method, model } = compiled();
      method.attach(model);
      for (const label of [NaN, 4.5, Infinity]) {
        const values = Float32Array.from(labels);
        values[positions[0]] = label;
        const failed = await model
          .trainOnBatch(inputIds(), tf.tensor2d(values, [B, T]))
          .then(String, (error: Error) => error.message);
        expect(failed).to.equal(`ilrec: labels must be whole numbers, got ${label}`);
      }
      expect(await model.trainOnBatch(inputIds(), tf.cast(targets(), 'float32'))).to.have.length(7);
      method.detach();
    });

    it('leaves no tensor behind in 1,000 steps @slow', async () => {
      const tiny = causalLM({
        vocabSize: 5,
        hiddenSize: 4,
        numHiddenLayers: 2,
        numAttentionHeads: 1,
        intermediateSize: 4,
      });
      const { method, model } = compiled(objective, tiny);
      const xs = tf.tensor2d([[1, 2, 3]], [1, 3], 'int32');
      const ys = tf.tensor2d([[2, 3, -100]], [1, 3], 'int32');
      method.attach(model);
      await model.trainOnBatch(xs, ys);
      const before = tf.memory().numTensors;
      for (let step = 0; step < 1000; step++) await model.trainOnBatch(xs, ys);
      expect(tf.memory().numTensors).to.equal(before);
      method.detach();
      model.dispose();
    });

    it('says what to add when the loss or a metric runs without taps', async () => {
      const { model, method } = compiled();
      const message =
        'ilrec: the loss found no tapped forward pass; add `callbacks: [method.callback]` to fit or fitDataset, or call method.attach(model) after compile';
      const failed = await model
        .fitDataset(
          dataset(() => [{ xs: inputIds(), ys: targets() }]),
          { epochs: 1, verbose: 0 },
        )
        .catch((error: Error) => error.message);
      expect(failed).to.equal(message);
      expect(() => method.metrics[0](targets(), targets())).to.throw(
        "ilrec: metric crossEntropy needs the method's own loss; compile with `loss: method.loss`",
      );
    });

    it('refuses sample and class weights, which tfjs would drop or misuse', async () => {
      const { method, model } = compiled();
      method.attach(model);
      const reason =
        'the loss is a mean over response positions; set the labels of positions that should not count to -100';
      const message = (failed: Promise<unknown>): Promise<unknown> => failed.catch((error: Error) => error.message);
      expect(await message(model.fit(inputIds(), targets(), { sampleWeight: tf.ones([B]), verbose: 0 }))).to.equal(
        `ilrec: fit must not get sampleWeight, ${reason}`,
      );
      const one = dataset(() => [{ xs: inputIds(), ys: targets() }]);
      expect(await message(model.fitDataset(one, { epochs: 1, classWeight: { 0: 1 }, verbose: 0 }))).to.equal(
        `ilrec: fitDataset must not get classWeight, ${reason}`,
      );
      const weighted = dataset(() => [{ xs: inputIds(), ys: targets(), sampleWeight: tf.ones([B]) }]);
      expect(await message(model.fitDataset(weighted, { epochs: 1, verbose: 0 }))).to.equal(
        `ilrec: fitDataset must not get sampleWeight, ${reason}`,
      );
      method.detach();
    });

    it('refuses labels of another shape and options out of range', async () => {
      const { method, model } = compiled();
      method.attach(model);
      const failed = await model
        .trainOnBatch(inputIds(), tf.slice(targets(), [0, 0], [B, 5]))
        .catch((error: Error) => error.message);
      expect(failed).to.equal(
        'ilrec: labels must be int32 [B, T] beside predictions [B, T, D], got [3, 5] and [3, 7, 8]',
      );
      expect(() => method.attach(causalLM(config))).to.throw(
        /this method is attached to model "causal_lm"; detach\(\) it first/,
      );
      method.detach();
      expect(() => ilrec({ numNegatveLayers: 2 } as IlrecOptions)).to.throw(
        /^ilrec: options must be among numNegativeLayers, penaltyWeight, .*, taps, got numNegatveLayers$/,
      );
      expect(() => ilrec({ taps: { block: 'x' } } as IlrecOptions)).to.throw(
        'ilrec: taps must be among blocks, norm, head, embedding, causal, got block',
      );
      expect(() => ilrec({ numNegativeLayers: 0 })).to.throw(
        'ilrec: numNegativeLayers must be a positive integer, got 0',
      );
      expect(() => ilrec({ penaltyWeight: -0.1 })).to.throw('ilrec: penaltyWeight must be at least 0, got -0.1');
      expect(() => ilrec({ rewardWeight: 1 })).to.throw(
        'ilrec: rewardWeight is set and no reward is given; pass `reward: trieReward({ scorer, trie })`',
      );
    });
  });
});
