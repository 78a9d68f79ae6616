import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { scorePrefixes } from '../../src/models/item_scorer';
import { sasrec } from '../../src/models/sasrec';
import { sasrecScorer } from '../../src/models/sasrec_scorer';
import { forEachBackend } from '../support/backends';
import { integers } from '../support/random';

const config = {
  numItems: 13,
  maxHistory: 5,
  hiddenSize: 6,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  initializerRange: 0.5,
  seed: 3,
};

function expectClose(actual: tf.Tensor2D, expected: tf.Tensor2D): void {
  expect(actual.shape).to.deep.equal(expected.shape);
  const [a, b] = [actual.dataSync(), expected.dataSync()];
  a.forEach((value, i) => expect(value).to.be.closeTo(b[i], 1e-5));
  tf.dispose([actual, expected]);
}

describe('sasrecScorer', () => {
  forEachBackend(() => {
    for (const tieItemEmbeddings of [true, false]) {
      it(`is the product of the last state with the ${tieItemEmbeddings ? 'item embeddings' : 'head of its own'}`, () => {
        const model = sasrec({ ...config, tieItemEmbeddings, useRepeatBias: false });
        const weights = model.layers[1].getWeights() as tf.Tensor2D[];
        const table = tieItemEmbeddings ? tf.slice(weights[0], 1) : weights[4]; // [N, D]
        const state = tf.slice(
          model.predict(tf.tensor2d([0, 5, 2], [1, 3], 'int32')) as tf.Tensor3D,
          [0, 2, 0],
          [1, 1, 6],
        );
        expectClose(sasrecScorer(model).score([[4, 1]]), tf.matMul(tf.reshape(state, [1, 6]), table, false, true));
      });
    }

    it('adds the repeat bias to the items of the history, too old ones and repeated ones included', () => {
      const model = sasrec(config);
      const history = [9, 1, 2, 3, 4, 4, 5];
      const plain = sasrecScorer(model).score([history, []]);
      model.layers[1].setWeights(
        model.layers[1].getWeights().map((weight) => (weight.size === 1 ? tf.tensor1d([0.3]) : weight)),
      ); // 3
      const expected = tf.tensor2d(
        [0, 1, 2, 3, 4, 5, 9].map((item) => [0, item]),
        [7, 2],
        'int32',
      );
      const raised = tf.scatterND(tf.slice(expected, 1), tf.fill([6], 3), [2, 13]);
      expectClose(sasrecScorer(model).score([history, []]), tf.add(plain, raised));
    });

    it('scores a history the same alone and beside longer ones', () => {
      const scorer = sasrecScorer(sasrec(config));
      expectClose(tf.slice(scorer.score([[4], [1, 2, 3, 4], []]), 0, 1), scorer.score([[4]]));
    });

    it('reads the newest items of a history that is too long', () => {
      const scorer = sasrecScorer(sasrec(config));
      expectClose(scorer.score([[9, 8, 7, 1, 2, 3, 4, 5]]), scorer.score([[1, 2, 3, 4, 5]]));
    });

    it('scores all prefixes of histories as the histories cut there', () => {
      const scorer = sasrecScorer(sasrec(config));
      const histories = [integers(8, 13, 1), integers(3, 13, 2), new Int32Array(0), integers(11, 13, 3)];
      const pairs = histories
        .flatMap((history, row) => Array.from({ length: history.length + 1 }, (_, length) => [row, length]))
        .reverse();
      const rows = Int32Array.from(pairs, ([row]) => row);
      const lengths = Int32Array.from(pairs, ([, length]) => length);
      expectClose(
        scorePrefixes(scorer, histories, rows, lengths),
        scorer.score(pairs.map(([row, length]) => histories[row].subarray(0, length))),
      );
    });

    it('scores no history at all as no row', () => {
      expect(sasrecScorer(sasrec(config)).score([]).shape).to.deep.equal([0, 13]);
    });

    it('leaves no tensor behind and lets no gradient through', () => {
      const model = sasrec(config);
      const scorer = sasrecScorer(model);
      const weight = tf.variable(tf.tensor1d([2]));
      tf.dispose(scorer.score([[1, 2]]));
      const before = tf.memory().numTensors;
      const { value, grads } = tf.variableGrads(() =>
        tf.mul(tf.sum(weight), tf.sum(tf.softmax(scorer.score([[1, 2], [3]])))),
      );
      expect(Object.keys(grads)).to.include(weight.name);
      expect(grads[weight.name].dataSync()[0]).to.be.closeTo(2, 1e-5);
      tf.dispose([value, grads]);
      expect(tf.memory().numTensors).to.equal(before);
      weight.dispose();
      model.dispose();
    });
  });

  it('refuses a model that is no SASRec', () => {
    const model = tfl.sequential({
      layers: [tfl.layers.dense({ units: 1, inputShape: [2], kernelInitializer: 'zeros' })],
    });
    expect(() => sasrecScorer(model)).to.throw(
      'sasrecScorer: the model must have an ILRecSASRecEmbedding layer, got Dense; make it with sasrec()',
    );
  });
});
