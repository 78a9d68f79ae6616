import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { disposeModel } from '../../src/models/dispose_model';
import { sft, type SftOptions } from '../../src/tapped/sft';
import type { TappedMethod } from '../../src/tapped/tapped_method';
import { forEachBackend, forEachDevice } from '../support/backends';
import { itemInputs, itemLossReference, itemStep, numPositions, weightsNow, withEntry } from '../support/item_batches';
import { itemModel, NUM_ITEMS as N } from '../support/item_models';
import { integers } from '../support/random';
import { centralDifferences, maxDifference } from '../support/reference';
import { weightsOf } from '../support/reference_decoder';

type PlainOptions = Omit<SftOptions, 'temperature'>;
const CASES: readonly PlainOptions[] = [
  { itemSoftmax: {} },
  { futureTargets: { weight: 0.4 } },
  { itemSoftmax: { seen: 'exclude' }, futureTargets: { weight: 0.7, numItems: 3, decay: 0.9 } },
  { itemSoftmax: { sampledItems: 5 } },
  { itemSoftmax: { sampledItems: 4, seen: 'exclude', seed: 7 }, futureTargets: { weight: 1 } },
];

function attached(options: SftOptions, model: tfl.LayersModel): TappedMethod {
  const method = sft(options);
  model.compile({ optimizer: tf.train.sgd(0.1), loss: method.loss, metrics: method.metrics });
  method.attach(model);
  return method;
}

/** Loss and metric of an evaluation. */
function evaluated(model: tfl.LayersModel): number[] {
  return tf.tidy(() => {
    const { xs, ys } = itemInputs();
    return (model.evaluate(xs, ys) as tf.Scalar[]).map((value) => value.dataSync()[0]);
  });
}

async function trained(model: tfl.LayersModel): Promise<number[]> {
  const { xs, ys } = itemInputs();
  const values = (await model.trainOnBatch(xs, ys)) as number[];
  tf.dispose([xs, ys]);
  return values;
}

describe('sft of a model whose tokens are items', () => {
  forEachDevice(() => {
    for (const useRepeatBias of [false, true]) {
      it(`has the loss of the model in float64, ${useRepeatBias ? 'with' : 'without'} a repeat bias`, async () => {
        const model = itemModel({ items: { useRepeatBias } });
        const weights = await weightsNow(model);
        for (const options of CASES) {
          const method = attached(options, model);
          const { loss } = await itemStep(method, model);
          method.detach();
          expect(loss, JSON.stringify(options)).to.be.closeTo(itemLossReference(weights, options).total, 2e-5);
          expect(method.numResponsePositions).to.equal(numPositions);
        }
        disposeModel(model);
      });
    }

    it('has the gradients of central differences, in every weight', async () => {
      const model = itemModel({ items: { useRepeatBias: true } });
      const weights = await weightsNow(model);
      for (const options of [CASES[2], CASES[4], { ...CASES[3], futureTargets: { weight: 0.5 } }]) {
        const method = attached(options, model);
        const { gradients } = await itemStep(method, model);
        method.detach();
        for (const [at, [name, gradient]] of [...gradients].entries()) {
          const sampled = [...integers(3, gradient.length, at)];
          const numeric = sampled.map((flat) => {
            const value = (x: Float64Array): number =>
              itemLossReference(withEntry(weights, name, flat, x[0]), options).total;
            return centralDifferences(value, [weights.get(name)?.flat()[flat] as number])[0];
          });
          expect(
            maxDifference(
              sampled.map((flat) => gradient[flat]),
              numeric,
            ),
            `${JSON.stringify(options)} ${name}`,
          ).to.be.below(2e-5);
        }
      }
      disposeModel(model);
    });
  });

  forEachBackend(() => {
    it('is sft without these options where all items count and there is no repeat bias', async () => {
      const model = itemModel();
      const [plain, overItems] = [sft(), sft({ itemSoftmax: {} })];
      const steps: Awaited<ReturnType<typeof itemStep>>[] = [];
      for (const method of [plain, overItems]) {
        method.attach(model);
        steps.push(await itemStep(method, model));
        method.detach();
      }
      expect(steps[1].loss).to.be.closeTo(steps[0].loss, 1e-6);
      for (const [name, gradient] of steps[1].gradients)
        expect(maxDifference(gradient, steps[0].gradients.get(name) as Float32Array), name).to.be.below(1e-6);
      disposeModel(model);
    });

    it('tells the cross-entropy of the labels beside the loss, which has other targets', async () => {
      const model = itemModel();
      const weights = weightsOf(model);
      const options = { futureTargets: { weight: 0.4 } };
      const method = attached(options, model);
      const { total, crossEntropy } = itemLossReference(weights, options);
      expect(total - crossEntropy).to.be.above(1e-2);
      const [loss, metric] = evaluated(model);
      expect(loss).to.be.closeTo(total, 2e-5);
      expect(metric).to.be.closeTo(crossEntropy, 2e-5);
      method.detach();
      disposeModel(model);
    });

    it('draws other items at each step, the same for the same seed, and none in an evaluation', async () => {
      const model = itemModel({ items: { useRepeatBias: true } });
      const weights = weightsOf(model);
      const itemSoftmax = { sampledItems: 5, seed: 3 };
      const method = attached({ itemSoftmax }, model);
      const losses: number[] = [];
      for (const step of [0, 1, 7]) {
        method.step = step;
        losses.push((await itemStep(method, model)).loss);
        expect(losses[losses.length - 1]).to.be.closeTo(itemLossReference(weights, { itemSoftmax, step }).total, 2e-5);
        const [loss] = evaluated(model);
        expect(loss).to.be.closeTo(itemLossReference(weights, { itemSoftmax, training: false }).total, 2e-5);
      }
      expect(new Set(losses).size).to.equal(3);
      method.detach();
      disposeModel(model);
    });

    it('scores all items of a catalogue of up to twice as many as a sample has', async () => {
      const model = itemModel();
      const losses: number[] = [];
      for (const sampledItems of [null, 7, 100, 6]) {
        const method = attached({ itemSoftmax: { sampledItems } }, model);
        losses.push((await itemStep(method, model)).loss);
        method.detach();
      }
      expect(losses.slice(1, 3)).to.deep.equal([losses[0], losses[0]]);
      expect(losses[3]).to.not.equal(losses[0]);
      disposeModel(model);
    });

    it('trains: the loss falls, with a sample and without', async () => {
      for (const sampledItems of [null, 5]) {
        const model = itemModel();
        const method = attached(
          { itemSoftmax: { sampledItems, seen: 'exclude' }, futureTargets: { weight: 0.3 } },
          model,
        );
        const [first] = evaluated(model);
        for (let step = 0; step < 10; step++) await trained(model);
        expect(evaluated(model)[0]).to.be.below(first - 0.1);
        method.detach();
        disposeModel(model);
      }
    });

    it('reads any head that is one matrix', async () => {
      const model = tfl.sequential({
        layers: [
          tfl.layers.embedding({ inputDim: N + 1, outputDim: 6, inputShape: [5] }),
          tfl.layers.lstm({ units: 6, returnSequences: true, recurrentInitializer: 'glorotUniform' }),
          tfl.layers.dense({ units: N, biasInitializer: 'randomNormal' }),
        ],
      });
      const losses: number[] = [];
      for (const options of [{}, { itemSoftmax: {} }, { itemSoftmax: { sampledItems: 6 } }]) {
        const method = attached(options, model);
        losses.push((await itemStep(method, model)).loss);
        method.detach();
      }
      expect(losses[1]).to.be.closeTo(losses[0], 1e-6);
      expect(losses[2]).to.be.closeTo(losses[0], 1);
      expect(losses[2]).to.not.equal(losses[0]);
      disposeModel(model);
    });

    it('has loss 0 and trains nothing where every position is ignored', async () => {
      const model = itemModel({ items: { useRepeatBias: true } });
      const method = attached({ itemSoftmax: { sampledItems: 5 }, futureTargets: { weight: 0.3 } }, model);
      const before = model.getWeights().map((weight) => [...weight.dataSync()]);
      const { xs, ys } = itemInputs();
      const none = tf.fill([3, 5], -100, 'int32');
      expect(((await model.trainOnBatch(xs, none)) as number[]).map(Math.abs)).to.deep.equal([0, 0]);
      expect(model.getWeights().map((weight) => [...weight.dataSync()])).to.deep.equal(before);
      tf.dispose([xs, ys, none]);
      method.detach();
      disposeModel(model);
    });

    it('refuses labels that are no items, the start token among them', async () => {
      const model = itemModel();
      const { xs, ys } = itemInputs();
      for (const options of CASES) {
        const method = attached(options, model);
        for (const wrong of [N, -1]) {
          const labels = tf.fill([3, 5], wrong, 'int32');
          const message = await model.trainOnBatch(xs, labels).then(String, (error: Error) => error.message);
          expect(message).to.equal(
            `sft: labels must be tokens below the 13 of the model's vocabulary, or -100, got ${wrong}`,
          );
          labels.dispose();
        }
        method.detach();
      }
      tf.dispose([xs, ys]);
      disposeModel(model);
    });

    it('refuses a head that is more than one matrix', async () => {
      const model = tfl.sequential({
        layers: [
          tfl.layers.embedding({ inputDim: N + 1, outputDim: 6, inputShape: [5] }),
          tfl.layers.dense({ units: N, activation: 'tanh' }),
        ],
      });
      const method = attached({ itemSoftmax: {} }, model);
      const message = await trained(model).then(String, (error: Error) => error.message);
      expect(message).to.equal('sft: itemSoftmax needs a head that is one matrix; leave it out for this model');
      method.detach();
      disposeModel(model);
    });

    it('leaves no tensor behind', async () => {
      const model = itemModel({ items: { useRepeatBias: true } });
      const before = tf.memory().numTensors;
      for (const options of CASES) {
        const method = attached(options, model);
        await trained(model);
        evaluated(model);
        method.detach();
        model.optimizer.dispose();
        expect(tf.memory().numTensors, JSON.stringify(options)).to.equal(before);
      }
      disposeModel(model);
    });
  });

  it('refuses options out of range, and ones that do not exist', () => {
    const refused: [SftOptions, string][] = [
      [
        { itemSoftmax: { seen: 'leave' as 'allow' } },
        "sft: itemSoftmax.seen must be 'allow' or 'exclude', got 'leave'",
      ],
      ...[0, 2.5, NaN].map((sampledItems): [SftOptions, string] => [
        { itemSoftmax: { sampledItems } },
        `sft: itemSoftmax.sampledItems must be a positive integer or null, got ${sampledItems}`,
      ]),
      [
        { itemSoftmax: { sample: 3 } as object },
        'sft: fields of itemSoftmax must be among seen, sampledItems, seed, got sample',
      ],
      ...[-0.1, 1.1, NaN].map((weight): [SftOptions, string] => [
        { futureTargets: { weight } },
        `sft: futureTargets.weight must be from 0 to 1, got ${weight}`,
      ]),
      [{ futureTargets: { weight: 1, numItems: 0 } }, 'sft: futureTargets.numItems must be a positive integer, got 0'],
      [{ futureTargets: { weight: 1, decay: 0 } }, 'sft: futureTargets.decay must be above 0 and at most 1, got 0'],
      [
        { futureTargets: { weight: 1, items: 3 } as SftOptions['futureTargets'] },
        'sft: fields of futureTargets must be among weight, numItems, decay, trie, separators, historyOf, sequences, ' +
          'maxHistory, got items',
      ],
    ];
    for (const [options, message] of refused) expect(() => sft(options)).to.throw(message);
  });
});
