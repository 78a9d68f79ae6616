import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { setDropoutStep } from '../../src/layers';
import { caser, type CaserConfig } from '../../src/models/caser';
import { gru4rec, type GRU4RecConfig } from '../../src/models/gru4rec';
import { nextItemLoss } from '../../src/models/next_item_loss';
import { nextItemScorer } from '../../src/models/next_item_scorer';
import { sasrec } from '../../src/models/sasrec';
import { sasrecBatch, sasrecRows } from '../../src/models/sasrec_batch';
import { sasrecLoss } from '../../src/models/sasrec_loss';
import { forEachBackend, forEachDevice } from '../support/backends';
import { datasetOf } from '../support/datasets';
import { centralDifferences, maxDifference } from '../support/reference';
import { savedArtifacts } from '../support/saved_artifacts';
import {
  caserStates,
  flatWeights,
  gru4recStates,
  randomizeWeights,
  type ReferenceStates,
  referenceLoss,
} from '../support/sequential_reference';

const numItems = 11;
const gruSizes = { embeddingSize: 3, hiddenSize: 5 };
const caserSizes = { hiddenSize: 3, windowSize: 5, numHorizontalFilters: 2, numVerticalFilters: 2 };

interface Case {
  /** With the settings of the case, and those given. */
  readonly make: (config?: Partial<GRU4RecConfig & CaserConfig>) => tfl.LayersModel;
  readonly states: ReferenceStates;
  /** Items that the state reads. */
  readonly reach: number;
}

const CASES: Readonly<Record<'gru4rec' | 'caser', Case>> = {
  gru4rec: {
    make: (config) => gru4rec({ numItems, ...gruSizes, ...config }),
    states: gru4recStates(gruSizes),
    reach: Infinity,
  },
  caser: {
    make: (config) => caser({ numItems, ...caserSizes, ...config }),
    states: caserStates(caserSizes),
    reach: 5,
  },
};

const inputIds = [
  [0, 4, 9, 2, 7, 1, 4],
  [0, 3, 6, 0, 0, 0, 0],
];
const labels = [
  [3, 8, 1, 6, 0, 3, 10],
  [2, 5, -100, -100, -100, -100, -100],
];
const ids = (): tf.Tensor2D => tf.tensor2d(inputIds, [2, 7], 'int32');

for (const [name, { make, states, reach }] of Object.entries(CASES)) {
  describe(name, () => {
    /** Trains on sequences in which item i is followed by i + 1. */
    async function trainedOnChains(epochs: number): Promise<{ model: tfl.LayersModel; losses: number[] }> {
      const model = make({ embeddingSize: 10, hiddenSize: 10, hiddenDropout: 0.1, initializerRange: 0.1, seed: 3 });
      model.compile({ optimizer: tf.train.adam(0.02), loss: nextItemLoss(model) });
      const rows = Array.from({ length: numItems }, (_, start) =>
        Array.from({ length: 5 }, (__, i) => (start + i) % numItems),
      ).flatMap((items) => sasrecRows(items, 7));
      const { history } = await model.fitDataset(
        datasetOf(() => [sasrecBatch(rows)]),
        { epochs, verbose: 0 },
      );
      return { model, losses: history.loss as number[] };
    }

    forEachBackend(() => {
      it('gives the states of the same model in float64', () => {
        tf.tidy(() => {
          const model = make();
          randomizeWeights(model, 20);
          const found = model.predict(ids()) as tf.Tensor;
          expect(found.shape).to.deep.equal([2, 7, 3]);
          const expected = inputIds.flatMap((row) => states(flatWeights(model), row)).flat();
          expect(maxDifference(found.dataSync(), expected)).to.be.below(1e-5);
        });
      });

      it('reads what came before a position, as far as it reaches, and nothing after it', () => {
        tf.tidy(() => {
          const model = make();
          randomizeWeights(model, 20);
          const stateAt5 = (row: readonly number[]): ArrayLike<number> =>
            tf
              .slice(model.predict(tf.tensor2d([...row], [1, 7], 'int32')) as tf.Tensor3D, [0, 5, 0], [1, 1, -1])
              .dataSync();
          const changedAt = (position: number): number =>
            maxDifference(stateAt5(inputIds[0]), stateAt5(inputIds[0].map((id, t) => (t === position ? 5 : id))));
          const changes = inputIds[0].map((_, position) => changedAt(position));
          expect(changes.map((change) => change > 1e-4)).to.deep.equal(
            inputIds[0].map((_, position) => position <= 5 && 5 - position < reach),
          );
        });
      });

      it('is the same model after saving and loading', async () => {
        const model = make({ tieItemEmbeddings: false });
        randomizeWeights(model, 20);
        const copy = await tfl.loadLayersModel(tf.io.fromMemory(await savedArtifacts(model)));
        tf.tidy(() => {
          const [found, expected] = [copy, model].map((one) => (one.predict(ids()) as tf.Tensor).dataSync());
          expect([...found]).to.deep.equal([...expected]);
          const [loss, ofModel] = [copy, model].map((one) =>
            nextItemLoss(one)(tf.tensor2d(labels), one.predict(ids()) as tf.Tensor).dataSync(),
          );
          expect(loss).to.deep.equal(ofModel);
        });
        expect(copy.name).to.equal(name);
        expect(copy.toJSON(null, false)).to.deep.equal(model.toJSON(null, false));
      });

      it('starts from the same weights for the same seed, 0 too, and others for another', () => {
        const start = (seed?: number): number[][] => flatWeights(make({ seed })).map((flat) => [...flat]);
        expect(start(0)).to.deep.equal(start());
        for (const [at, flat] of start(0).entries())
          if (flat.some((value) => value !== 0)) expect(start(1)[at]).to.not.deep.equal(flat);
      });

      it('drops in training only, with the masks of the step', () => {
        tf.tidy(() => {
          const model = make({ hiddenDropout: 0.5 });
          randomizeWeights(model, 20);
          const run = (training: boolean): number[] => [...(model.apply(ids(), { training }) as tf.Tensor).dataSync()];
          const plain = run(false);
          expect(run(false)).to.deep.equal(plain);
          const first = run(true);
          expect(first).to.not.deep.equal(plain);
          expect(run(true)).to.not.deep.equal(first);
          setDropoutStep(model, 0);
          expect(run(true)).to.deep.equal(first);
        });
      });

      it('learns what follows what through compile and fitDataset, the same twice @slow', async () => {
        const { model, losses } = await trainedOnChains(60);
        expect(losses[59]).to.be.below(0.5 * losses[0]);
        tf.tidy(() => {
          const scores = nextItemScorer(model).score([
            [1, 2, 3],
            [6, 7, 8],
          ]);
          expect(tf.argMax(scores, 1).arraySync()).to.deep.equal([4, 9]);
        });
        expect((await trainedOnChains(3)).losses).to.deep.equal(losses.slice(0, 3));
      });

      it('leaves no tensor behind in training', async () => {
        const model = make();
        model.compile({ optimizer: tf.train.adam(0.01), loss: nextItemLoss(model) });
        const step = async (): Promise<void> => {
          const batch = datasetOf(() => [sasrecBatch(sasrecRows([1, 2, 3, 4], 7))]);
          await model.fitDataset(batch, { epochs: 1, verbose: 0 });
        };
        await step();
        const before = tf.memory().numTensors;
        await step();
        await step();
        expect(tf.memory().numTensors).to.equal(before);
      });
    });

    forEachDevice(() => {
      it('has the loss of float64, and its gradient by central differences in every weight', async () => {
        const model = make();
        randomizeWeights(model, 20);
        const weights = await Promise.all(model.weights.map((weight) => weight.read().data<'float32'>()));
        const loss = nextItemLoss(model);
        const ys = tf.tensor2d(labels, [2, 7], 'int32');
        const xs = ids();
        const { value, grads } = tf.variableGrads(() => loss(ys, model.apply(xs) as tf.Tensor) as tf.Scalar);
        const reference = (changed: readonly ArrayLike<number>[]): number =>
          referenceLoss(states, changed, inputIds, labels, 3);
        expect((await value.data())[0]).to.be.closeTo(reference(weights), 1e-5);
        for (const [at, weight] of model.weights.entries()) {
          const along = (flat: ArrayLike<number>): number =>
            reference(weights.map((own, i) => (i === at ? flat : own)));
          const gradient = await grads[(weight.read() as tf.Variable).name].data();
          expect(maxDifference(gradient, centralDifferences(along, weights[at])), weight.name).to.be.below(2e-6);
        }
        tf.dispose([value, grads, xs, ys]);
        model.dispose();
      });
    });

    it('refuses a size that is not a positive integer, and a dropout of 1', () => {
      expect(() => make({ numItems: 0 })).to.throw(`${name}: numItems must be a positive integer, got 0`);
      expect(() => make({ hiddenSize: 2.5 })).to.throw(`${name}: hiddenSize must be a positive integer, got 2.5`);
      expect(() => make({ hiddenDropout: 1 })).to.throw(`${name}: hiddenDropout must be in [0, 1), got 1`);
      const create = { gru4rec, caser }[name as keyof typeof CASES] as (config: unknown) => tfl.LayersModel;
      expect(() => create(null)).to.throw(`${name}: config must be an object with numItems, got null`);
    });
  });
}

describe('gru4rec of two recurrent layers', () => {
  forEachBackend(() => {
    it('has a second layer that changes the states', () => {
      tf.tidy(() => {
        const [one, two] = [1, 2].map((numHiddenLayers) => gru4rec({ numItems, ...gruSizes, numHiddenLayers }));
        expect(two.weights.length - one.weights.length).to.equal(4);
        const [a, b] = [one, two].map((model) => (model.predict(ids()) as tf.Tensor).dataSync());
        expect(maxDifference(a, b)).to.be.above(1e-4);
      });
    });
  });
});

describe('nextItemLoss', () => {
  forEachBackend(() => {
    it("is SASRec's own loss for SASRec, and 0 without a label", () => {
      tf.tidy(() => {
        const model = sasrec({ numItems, hiddenSize: 4 });
        randomizeWeights(model, 20);
        const hidden = model.predict(ids()) as tf.Tensor;
        const [found, expected] = [nextItemLoss(model), sasrecLoss(model)].map(
          (loss) => loss(tf.tensor2d(labels, [2, 7], 'int32'), hidden).dataSync()[0],
        );
        expect(found).to.equal(expected).and.above(0);
        expect(nextItemLoss(model)(tf.fill([2, 7], -100, 'int32'), hidden).dataSync()[0]).to.equal(0);
      });
    });

    it('refuses a label outside the catalogue', () => {
      expect(() => nextItemLoss(CASES.caser.make())(tf.tensor2d([[11]], [1, 1], 'int32'), tf.ones([1, 1, 3]))).to.throw(
        'nextItemLoss: a label must be an item number below 11, got 11',
      );
    });
  });

  it('refuses a model of another kind', () => {
    const layers = [tfl.layers.dense({ units: 1, inputShape: [2], kernelInitializer: 'zeros' })];
    expect(() => nextItemLoss(tfl.sequential({ layers }))).to.throw(
      'nextItemLoss: the model must have an ILRecHistoryEmbedding or ILRecSASRecEmbedding layer, got Dense; make it ' +
        'with sasrec(), gru4rec() or caser()',
    );
  });
});
