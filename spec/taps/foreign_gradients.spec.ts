import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ilrec, type IlrecOptions } from '../../src/ilrec/ilrec';
import { forEachBackend } from '../support/backends';
import { ForeignAttention, ForeignPositions, ForeignTiedHead, through } from '../support/foreign_layers';
import { attend, dense, gru, layerNorm, lstm, multiply, plus, simpleRnn } from '../support/foreign_reference';
import { integers, normals } from '../support/random';
import { centralDifferences, maxDifference, referenceObjective, type Rows } from '../support/reference';
import { type Weights, weightsOf } from '../support/reference_decoder';

const [V, D, T, B] = [13, 6, 5, 2];
const objective = {
  penaltyWeight: 0.8,
  penalty: 'scale',
  thresholdScale: 1,
  thresholdReference: 'final',
  distillationWeight: 0.4,
  rewardWeight: 0,
} as const;
const ids = integers(B * T, V, 1);
const labels = integers(B * T, V, 2).map((label, at) => (at % T < 1 || at === 7 ? -100 : label));
const positions = [...labels.keys()].filter((at) => labels[at] !== -100);

/** A model of tfjs in plain numbers: hidden states of each block on one sequence, and the way from one to logits. */
interface Reference {
  hiddenStates(weights: Weights, sequence: readonly number[]): Rows[];
  logits(weights: Weights, hidden: Rows): Rows;
}

function recurrentModel(): tfl.LayersModel {
  const recurrent = {
    units: D,
    returnSequences: true,
    recurrentActivation: 'sigmoid',
    recurrentInitializer: 'glorotUniform',
  } as const;
  return tfl.sequential({
    layers: [
      tfl.layers.embedding({ name: 'tokens', inputDim: V, outputDim: D, inputShape: [null as unknown as number] }),
      tfl.layers.lstm({ name: 'lstm', ...recurrent }),
      tfl.layers.gru({ name: 'gru', ...recurrent }),
      tfl.layers.simpleRNN({ name: 'rnn', units: D, returnSequences: true, recurrentInitializer: 'glorotUniform' }),
      tfl.layers.layerNormalization({ name: 'final' }),
      tfl.layers.dense({ name: 'out', units: V, activation: 'softmax' }),
    ],
  });
}

const recurrentReference: Reference = {
  hiddenStates(weights, sequence) {
    const first = lstm(lookUp(weights, 'tokens', sequence), weights, 'lstm');
    const second = gru(first, weights, 'gru');
    return [first, second, simpleRnn(second, weights, 'rnn')];
  },
  logits: (weights, hidden) => dense(layerNorm(hidden, weights, 'final'), weights, 'out'),
};

/** Additions between the layers, a norm before each, a final one, and a head that multiplies by the embedding. */
function transformer(): tfl.LayersModel {
  const inputIds = tfl.input({ shape: [null], dtype: 'int32' });
  const tokens = tfl.layers.embedding({ name: 'tokens', inputDim: V, outputDim: D });
  let x = through(new ForeignPositions({ name: 'positions' }), through(tokens, inputIds));
  for (let block = 0; block < 3; block++) {
    const normed = through(tfl.layers.layerNormalization({ name: `norm_a${block}` }), x);
    x = tfl.layers
      .add()
      .apply([x, through(new ForeignAttention({ name: `attention${block}` }), normed)]) as tfl.SymbolicTensor;
    const inner = through(
      tfl.layers.dense({ name: `up${block}`, units: 2 * D, activation: 'tanh' }),
      through(tfl.layers.layerNormalization({ name: `norm_b${block}` }), x),
    );
    x = tfl.layers
      .add()
      .apply([x, through(tfl.layers.dense({ name: `down${block}`, units: D }), inner)]) as tfl.SymbolicTensor;
  }
  const normed = through(tfl.layers.layerNormalization({ name: 'final' }), x);
  return tfl.model({
    inputs: inputIds,
    outputs: through(new ForeignTiedHead({ name: 'out', table: tokens, numTokens: V }), normed),
  });
}

const transformerReference: Reference = {
  hiddenStates(weights, sequence) {
    const states: Rows[] = [];
    let x = plus(
      lookUp(weights, 'tokens', sequence),
      (weights.get('positions/table') as Rows).slice(0, sequence.length),
    );
    for (let block = 0; block < 3; block++) {
      x = plus(x, attend(layerNorm(x, weights, `norm_a${block}`), weights, `attention${block}`));
      x = plus(
        x,
        dense(
          dense(layerNorm(x, weights, `norm_b${block}`), weights, `up${block}`, Math.tanh),
          weights,
          `down${block}`,
        ),
      );
      states.push(x);
    }
    return states;
  },
  logits(weights, hidden) {
    const table = weights.get('tokens/embeddings') as Rows;
    return multiply(
      layerNorm(hidden, weights, 'final'),
      table[0].map((_, c) => table.map((row) => row[c])),
    );
  },
};

const lookUp = (weights: Weights, name: string, sequence: readonly number[]): Rows =>
  sequence.map((id) => (weights.get(`${name}/embeddings`) as Rows)[id]);

/** The objective of the whole model; negatives, threshold and teacher are those of `frozen` weights. */
function wholeModel(reference: Reference, weights: Weights, frozen: Weights): number {
  const run = (w: Weights) => {
    const states = Array.from({ length: B }, (_, b) => reference.hiddenStates(w, [...ids.slice(b * T, (b + 1) * T)]));
    const logits = [0, 1, 2].map((block) => states.flatMap((ofRow) => reference.logits(w, ofRow[block])));
    const [first, second, final] = logits.map((rows) => positions.map((at) => rows[at]));
    return { final, intermediate: [first, second] };
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

function withWeights(model: tfl.LayersModel): tfl.LayersModel {
  const values = model.getWeights().map((weight, i) => tf.tensor(normals(weight.size, i + 1, 0.6), weight.shape));
  model.setWeights(values);
  tf.dispose(values);
  return model;
}

describe("taps on models of tfjs's own layers and of foreign ones", () => {
  for (const [name, build, reference] of [
    ['a stack of recurrent layers', recurrentModel, recurrentReference],
    ['a transformer of foreign layers', transformer, transformerReference],
  ] as const) {
    forEachBackend(() => {
      it(`have the loss and the gradient of the float64 model, to every weight: ${name}`, () => {
        const model = withWeights(build());
        const method = ilrec(objective as IlrecOptions);
        method.attach(model);
        const weights = weightsOf(model);
        tf.tidy(() => {
          const inputIds = tf.tensor2d(ids, [B, T], 'int32');
          const targets = tf.tensor2d(labels, [B, T], 'int32');
          const { value, grads } = tf.variableGrads(() =>
            method.loss(targets, model.apply(inputIds, { training: true }) as tf.Tensor),
          );
          expect(value.dataSync()[0]).to.be.closeTo(wholeModel(reference, weights, weights), 1e-5);
          const gradients = Object.values(grads);
          expect(gradients.length).to.equal(weights.size);
          [...weights].forEach(([weight, rows], i) => {
            const sampled = [...integers(3, rows.length * rows[0].length, i)];
            const numeric = sampled.map((flat) => {
              const [r, c] = [Math.floor(flat / rows[0].length), flat % rows[0].length];
              const moved = new Map(weights);
              return centralDifferences(
                (x) => {
                  moved.set(
                    weight,
                    rows.map((row, at) => (at === r ? row.map((value, column) => (column === c ? x[0] : value)) : row)),
                  );
                  return wholeModel(reference, moved, weights);
                },
                [rows[r][c]],
              )[0];
            });
            const gradient = gradients[i].dataSync();
            expect(
              maxDifference(
                sampled.map((flat) => gradient[flat]),
                numeric,
              ),
              weight,
            ).to.be.below(3e-5);
          });
          const intermediate = [...weights.keys()].findIndex((weight) => /^(lstm|attention0)\//.test(weight));
          expect(
            maxDifference(gradients[intermediate].dataSync(), new Float32Array(gradients[intermediate].size)),
          ).to.be.above(1e-4);
        });
        method.detach();
        model.dispose();
      });
    });
  }
});
