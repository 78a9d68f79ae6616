import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { caser } from '../../src/models/caser';
import { gru4rec } from '../../src/models/gru4rec';
import { scorePrefixes } from '../../src/models/item_scorer';
import { nextItemScorer } from '../../src/models/next_item_scorer';
import { sasrec } from '../../src/models/sasrec';
import { sasrecScorer } from '../../src/models/sasrec_scorer';
import { forEachBackend } from '../support/backends';
import { integers } from '../support/random';
import { maxDifference } from '../support/reference';
import { randomizeWeights } from '../support/sequential_reference';

const shared = { numItems: 13, hiddenSize: 3, useRepeatBias: false, seed: 3 };
const MODELS: Readonly<
  Record<string, (config?: { tieItemEmbeddings?: boolean; useRepeatBias?: boolean }) => tfl.LayersModel>
> = {
  gru4rec: (config) => gru4rec({ ...shared, embeddingSize: 7, maxHistory: 5, ...config }),
  caser: (config) => caser({ ...shared, windowSize: 5, ...config }),
};

function expectClose(actual: tf.Tensor, expected: tf.Tensor): void {
  expect(actual.shape).to.deep.equal(expected.shape);
  expect(maxDifference(actual.dataSync(), expected.dataSync())).to.be.below(1e-5);
  tf.dispose([actual, expected]);
}

describe('nextItemScorer', () => {
  forEachBackend(() => {
    for (const [name, make] of Object.entries(MODELS)) {
      const randomized = (config?: Parameters<typeof make>[0]): tfl.LayersModel => {
        const model = make(config);
        randomizeWeights(model, 30);
        return model;
      };

      for (const tieItemEmbeddings of [true, false]) {
        it(`of ${name} is the product of the last state with the ${tieItemEmbeddings ? 'item embeddings' : 'head of its own'}`, () => {
          const model = randomized({ tieItemEmbeddings });
          const weights = model.layers[1].getWeights() as tf.Tensor2D[];
          const table = tieItemEmbeddings ? tf.slice(weights[0], 1) : weights[1]; // [N, D]
          const states = model.predict(tf.tensor2d([0, 5, 2], [1, 3], 'int32')) as tf.Tensor3D;
          const last = tf.reshape(tf.slice(states, [0, 2, 0], [1, 1, -1]), [1, -1]);
          const scorer = nextItemScorer(model);
          expectClose(scorer.score([[4, 1]]), tf.matMul(last, table, false, true));
          expect([scorer.name, scorer.numItems]).to.deep.equal([name, 13]);
        });
      }

      it(`of ${name} scores all prefixes of histories as the histories cut there, long and empty ones too`, () => {
        const scorer = nextItemScorer(randomized({ useRepeatBias: true }));
        const histories = [integers(8, 13, 1), integers(3, 13, 2), new Int32Array(0), integers(11, 13, 3)];
        const pairs = histories
          .flatMap((history, row) => Array.from({ length: history.length + 1 }, (_, length) => [row, length]))
          .reverse();
        const rows = Int32Array.from(pairs, ([row]) => row);
        const lengths = Int32Array.from(pairs, ([, length]) => length);
        const alone = pairs.map(([row, length]) => scorer.score([histories[row].subarray(0, length)]));
        expectClose(scorePrefixes(scorer, histories, rows, lengths), tf.concat(alone));
      });

      it(`of ${name} reads the newest items of a history that is too long, and adds the repeat bias to all of it`, () => {
        const scorer = nextItemScorer(randomized());
        expectClose(scorer.score([[9, 8, 7, 1, 2, 3, 4, 5]]), scorer.score([[1, 2, 3, 4, 5]]));
        const model = randomized({ useRepeatBias: true });
        const plain = nextItemScorer(model).score([[9, 1, 2, 3, 4, 5]]);
        const repeat = model.layers[1].weights[1];
        const before = repeat.read().dataSync()[0];
        repeat.write(tf.tensor1d([before + 0.3])); // 3, as it is stored divided by 10
        const raised = tf.tensor2d([
          Array.from({ length: 13 }, (_, item) => ([1, 2, 3, 4, 5, 9].includes(item) ? 3 : 0)),
        ]);
        expectClose(nextItemScorer(model).score([[9, 1, 2, 3, 4, 5]]), tf.add(plain, raised));
      });

      it(`of ${name} leaves no tensor behind and lets no gradient through`, () => {
        const model = randomized();
        const scorer = nextItemScorer(model);
        tf.dispose(scorer.score([[1, 2]]));
        const before = tf.memory().numTensors;
        const kept = tf.tidy(() => {
          const { grads } = tf.variableGrads(() => {
            const weight = tf.sum(model.weights[0].read());
            return tf.mul(weight, tf.sum(tf.softmax(scorer.score([[1, 2], [3]]))));
          });
          return grads[(model.weights[0].read() as tf.Variable).name].dataSync();
        });
        // only the factor's gradient: the sum of the probabilities of two rows
        expect(maxDifference(kept, new Float32Array(kept.length).fill(2))).to.be.below(1e-5);
        expect(tf.memory().numTensors).to.equal(before);
      });
    }

    it('of SASRec is its own scorer', () => {
      const model = sasrec({ ...shared, hiddenSize: 4 });
      const histories = [[1, 2, 3], [], [7]];
      expectClose(nextItemScorer(model).score(histories), sasrecScorer(model).score(histories));
      expect(nextItemScorer(model).name).to.equal('sasrec');
    });

    it('scores no history at all as no row', () => {
      expect(nextItemScorer(MODELS.caser()).score([]).shape).to.deep.equal([0, 13]);
    });
  });

  it('refuses a model of another kind', () => {
    const layers = [tfl.layers.dense({ units: 1, inputShape: [2], kernelInitializer: 'zeros' })];
    expect(() => nextItemScorer(tfl.sequential({ layers }))).to.throw(
      'nextItemScorer: the model must have an ILRecHistoryEmbedding or ILRecSASRecEmbedding layer, got Dense; make it ' +
        'with sasrec(), gru4rec() or caser()',
    );
  });
});
