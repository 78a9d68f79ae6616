import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { buildPrefixTrie } from '../../src/generation/prefix_trie';
import { causalLM } from '../../src/models/causal_lm';
import { disposeModel } from '../../src/models/dispose_model';
import { validItems } from '../../src/rewards/valid_items';
import { rowLogProbs, type RowLogProbsOptions } from '../../src/tapped/row_log_probs';
import { tappedMethod } from '../../src/tapped/tapped_method';
import { isStreamed } from '../../src/vocabulary/vocabulary_tiles';
import { forEachBackend } from '../support/backends';
import { integers } from '../support/random';
import { crossEntropyOf, maxDifference } from '../support/reference';
import { referenceDecoder, weightsOf } from '../support/reference_decoder';

const [B, T, V] = [3, 5, 13];
const SIZES = { numHiddenLayers: 2, numAttentionHeads: 2, numKeyValueHeads: 2, ropeTheta: 10000, rmsNormEps: 1e-6 };
/** Responses of 2, 0 and 3 tokens. */
const labels = [-100, 4, 5, -100, -100, ...Array<number>(T).fill(-100), -100, -100, 3, 6, 7];
/** The response is read back: a label is the next token. */
const ids = [...integers(B * T, V, 1)].map((id, at) => (at % T > 0 && labels[at - 1] >= 0 ? labels[at - 1] : id));

function model(vocabSize = V): tfl.LayersModel {
  return causalLM({
    vocabSize,
    hiddenSize: 8,
    numHiddenLayers: 2,
    numAttentionHeads: 2,
    initializerRange: 0.4,
    seed: 3,
  });
}

/** Log-probabilities of a training pass, and the gradient of their sum times `factors` by every weight. */
async function pass(
  own: tfl.LayersModel,
  [xs, ys]: [tf.Tensor2D, tf.Tensor2D],
  options: RowLogProbsOptions = {},
): Promise<{ values: Float32Array; gradients: Float32Array[] }> {
  let kept: tf.Tensor1D | null = null;
  const method = tappedMethod({
    name: 'spec',
    inputIds: true,
    loss: (batch) => {
      const logProbs = rowLogProbs(batch, options);
      kept = tf.keep(tf.clone(logProbs));
      const factors = tf.range(1, logProbs.shape[0] + 1);
      return { total: tf.sum(tf.mul(logProbs, factors)) };
    },
  });
  method.attach(own);
  const variables = own.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const { value, grads } = tf.variableGrads(
    () => method.loss(ys, own.apply(xs, { training: true }) as tf.Tensor),
    variables,
  );
  method.detach();
  const result = kept as tf.Tensor1D | null as tf.Tensor1D;
  const found = {
    values: await result.data<'float32'>(),
    gradients: await Promise.all(variables.map(({ name }) => grads[name].data<'float32'>())),
  };
  tf.dispose([result, value, grads, xs, ys]);
  return found;
}

describe('rowLogProbs', () => {
  forEachBackend((backend) => {
    const inputs = (): [tf.Tensor2D, tf.Tensor2D] => [
      tf.tensor2d(ids, [B, T], 'int32'),
      tf.tensor2d(labels, [B, T], 'int32'),
    ];
    const logitsOf = (own: tfl.LayersModel): number[][] => {
      const weights = weightsOf(own);
      return Array.from({ length: B }, (_, b) =>
        referenceDecoder(weights, SIZES, ids.slice(b * T, (b + 1) * T)),
      ).flatMap((row) => row.logits);
    };
    const sumsOf = (logProbAt: (at: number) => number): number[] =>
      Array.from({ length: B }, (_, b) =>
        labels.slice(b * T, (b + 1) * T).reduce((sum, label, t) => (label < 0 ? sum : sum + logProbAt(b * T + t)), 0),
      );

    it('sums over the tokens of each response, 0 without one, as the float64 model does', async () => {
      const own = model();
      const logits = logitsOf(own);
      const { values } = await pass(own, inputs());
      expect(
        maxDifference(
          values,
          sumsOf((at) => -crossEntropyOf(logits[at], labels[at])),
        ),
      ).to.be.below(1e-5);
      disposeModel(own);
    });

    it('takes the softmax over valid tokens alone where it is asked to', async () => {
      const own = model();
      const logits = logitsOf(own);
      const trie = buildPrefixTrie([
        [4, 5],
        [4, 6],
        [3, 6, 7],
        [3, 5],
      ]);
      const allowed = new Map([
        [1, [3, 4]],
        [2, [5, 6]],
        [12, [3, 4]],
        [13, [5, 6]],
        [14, [7]],
      ]);
      const logProb = (at: number): number => {
        const tokens = allowed.get(at) as number[];
        return -crossEntropyOf(
          tokens.map((token) => logits[at][token]),
          tokens.indexOf(labels[at]),
        );
      };
      const { values } = await pass(own, inputs(), { restrictTo: validItems({ trie, historyOf: () => [] }) });
      expect(maxDifference(values, sumsOf(logProb))).to.be.below(1e-5);
      disposeModel(own);
    });

    if (backend !== 'cpu') {
      it('is the same, in value and gradient, where the head is read tile by tile', async () => {
        const [rows, length, vocabSize] = [5, 53, 20_011];
        expect(isStreamed(vocabSize, rows * length)).to.equal(true);
        const large = (): [tf.Tensor2D, tf.Tensor2D] => [
          tf.tensor2d(integers(rows * length, vocabSize, 4), [rows, length], 'int32'),
          tf.tensor2d(integers(rows * length, vocabSize, 5), [rows, length], 'int32'),
        ];
        const own = model(vocabSize);
        const streamed = await pass(own, large());
        const dense = await pass(own, large(), { restrictTo: ({ positions }) => tf.zeros([positions.length, 1]) });
        expect(maxDifference(streamed.values, dense.values)).to.be.below(2e-3); // sums of 53, about -500
        streamed.gradients.forEach((gradient, i) =>
          expect(maxDifference(gradient, dense.gradients[i])).to.be.below(1e-3),
        );
        disposeModel(own);
      });
    }

    it('leaves no tensor behind', async () => {
      const own = model();
      const before = tf.memory().numTensors;
      await pass(own, inputs());
      expect(tf.memory().numTensors).to.equal(before);
      disposeModel(own);
    });
  });
});
