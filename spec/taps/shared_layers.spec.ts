import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ilrec, type IlrecOptions } from '../../src/ilrec/ilrec';
import { forEachBackend } from '../support/backends';
import { through } from '../support/foreign_layers';
import { attention, chain, dense, embedding, functional, norm, recurrent, SIZES } from '../support/foreign_models';
import { integers, normals } from '../support/random';
import { referenceObjective, type Rows, toRows } from '../support/reference';

const B = 2;
const { vocabSize: V, hiddenSize: D, length: T } = SIZES;
const objective = {
  penaltyWeight: 0.8,
  penalty: 'scale',
  thresholdScale: 1,
  thresholdReference: 'final',
  distillationWeight: 0.4,
  rewardWeight: 0,
} as const;
const ids = integers(B * T, V, 1);
const labels = integers(B * T, V, 2).map((label, at) => (at % T < 2 ? -100 : label));
const positions = [...labels.keys()].filter((at) => labels[at] !== -100);
const inputIds = (): tf.Tensor2D => tf.tensor2d(ids, [B, T], 'int32');
const targets = (): tf.Tensor2D => tf.tensor2d(labels, [B, T], 'int32');

function seeded(model: tfl.LayersModel): tfl.LayersModel {
  const values = model.getWeights().map((weight, i) => tf.tensor(normals(weight.size, i + 1, 0.5), weight.shape));
  model.setWeights(values);
  tf.dispose(values);
  return model;
}

/** The objective of logits that a model of its own makes, the final ones last. */
function expectedLoss(exits: tfl.LayersModel): number {
  return tf.tidy(() => {
    const logits = (exits.predict(inputIds()) as tf.Tensor[]).map((output): Rows => {
      const rows = toRows(output.dataSync(), V);
      return positions.map((at) => rows[at]);
    });
    return referenceObjective(
      logits[logits.length - 1],
      logits.slice(0, -1),
      positions.map((at) => labels[at]),
      null,
      objective,
    ).total;
  });
}

async function trainedLoss(model: tfl.LayersModel, options: IlrecOptions, others: number): Promise<number> {
  const method = ilrec({ ...(objective as IlrecOptions), ...options });
  const zero = (_: tf.Tensor, prediction: tf.Tensor): tf.Tensor => tf.mul(0, tf.sum(prediction));
  model.compile({ optimizer: tf.train.sgd(0.05), loss: [...new Array<typeof zero>(others).fill(zero), method.loss] });
  method.attach(model);
  const ys = [
    ...Array.from({ length: others }, (_, i) =>
      tf.zeros(model.outputs[i].shape.map((size, axis) => size ?? [B, T][axis])),
    ),
    targets(),
  ];
  const first = [await model.trainOnBatch(inputIds(), ys)].flat()[0];
  const second = [await model.trainOnBatch(inputIds(), ys)].flat()[0];
  expect(second).to.be.below(first);
  method.detach();
  return first;
}

describe('a layer that is called at several places', () => {
  forEachBackend(() => {
    it('is a head of which one output trains with ilrec, and the others see their logits', async () => {
      const head = dense();
      const model = seeded(
        functional((x) => {
          const states = [attention('a'), attention('b'), attention('c')]
            .reduce((all, block) => [...all, through(block, all[all.length - 1])], [x])
            .slice(1);
          return states.map((state) => through(head, state));
        }),
      );
      const expected = expectedLoss(model); // its outputs are the early exits
      const sums: number[] = [];
      const method = ilrec(objective as IlrecOptions);
      const watched = (_: tf.Tensor, logits: tf.Tensor): tf.Tensor => {
        sums.push(tf.sum(logits).dataSync()[0]);
        return tf.mul(0, tf.sum(logits));
      };
      const before = tf.tidy(() =>
        (model.predict(inputIds()) as tf.Tensor[]).map((logits) => tf.sum(logits).dataSync()[0]),
      );
      model.compile({ optimizer: tf.train.sgd(0), loss: [watched, watched, method.loss] });
      method.attach(model);
      const [total] = (await model.trainOnBatch(inputIds(), [
        tf.zeros([B, T, V]),
        tf.zeros([B, T, V]),
        targets(),
      ])) as number[];
      method.detach();
      expect(total).to.be.closeTo(expected, 2e-5);
      sums.forEach((sum, i) => expect(sum).to.be.closeTo(before[i], 1e-3));
    });

    it('is a block at places that do not depend on each other: each counts', async () => {
      const [shared, last, out] = [attention('shared'), attention('last'), dense()];
      const [left, right] = [norm('left'), norm('right')];
      const input = tfl.input({ shape: [null], dtype: 'int32' });
      const x = through(embedding(), input);
      const states = [chain(x, left, shared), chain(x, right, shared)];
      const final = through(last, tfl.layers.add().apply(states) as tfl.SymbolicTensor);
      const model = seeded(tfl.model({ inputs: input, outputs: through(out, final) }));
      const expected = expectedLoss(
        tfl.model({ inputs: input, outputs: [...states, final].map((state) => through(out, state)) }),
      );
      expect(await trainedLoss(model, { taps: { blocks: ['shared', 'last'] } }, 0)).to.be.closeTo(expected, 2e-5);
    });

    it('is a block inside of a model that tfjs runs once for each of its outputs', async () => {
      const x = tfl.input({ shape: [null, D] });
      const block = recurrent('gru', 'block');
      const first = through(block, x);
      const second = through(block, first);
      const backbone = tfl.model({ name: 'backbone', inputs: x, outputs: [through(dense('value', 1), first), second] });
      const input = tfl.input({ shape: [null], dtype: 'int32' });
      const out = dense();
      const tokens = through(embedding(), input);
      const [value, hidden] = backbone.apply(tokens) as tfl.SymbolicTensor[];
      const third = through(block, hidden);
      const model = seeded(tfl.model({ inputs: input, outputs: [value, through(out, third)] }));
      const states = [block, block, block]
        .reduce((all, layer) => [...all, through(layer, all[all.length - 1])], [tokens])
        .slice(1);
      const expected = expectedLoss(tfl.model({ inputs: input, outputs: states.map((state) => through(out, state)) }));
      expect(await trainedLoss(model, {}, 1)).to.be.closeTo(expected, 2e-5);
    });

    it('is the embedding of two inputs: right, but for a reward, which would not know its tokens', async () => {
      const [profile, input] = [
        tfl.input({ shape: [null], dtype: 'int32', name: 'profile' }),
        tfl.input({ shape: [null], dtype: 'int32', name: 'history' }),
      ];
      const table = embedding();
      const x = tfl.layers.add().apply([through(table, profile), through(table, input)]) as tfl.SymbolicTensor;
      const model = seeded(
        tfl.model({ inputs: [profile, input], outputs: chain(x, attention('a'), attention('b'), dense()) }),
      );
      const method = ilrec();
      method.attach(model);
      method.detach();
      expect(() => ilrec({ reward: () => tf.zeros([1, V]) }).attach(model)).to.throw(
        /^ilrec: the reward needs the token ids, and layer "tokens" looks up (profile and history|history and profile); give each an embedding layer of its own, and name that of the tokens with taps\.embedding$/,
      );
    });
  });
});
