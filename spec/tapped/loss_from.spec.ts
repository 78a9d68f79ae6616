import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ilrec, type IlrecOptions, METRIC_NAMES } from '../../src/ilrec/ilrec';
import { causalLM } from '../../src/models/causal_lm';
import { sft } from '../../src/tapped/sft';
import type { LossTensors } from '../../src/tapped/given_batch';
import type { TappedMethod } from '../../src/tapped/tapped_method';
import { isStreamed } from '../../src/vocabulary/vocabulary_tiles';
import { forEachBackend, forEachDevice } from '../support/backends';
import { integers, normals } from '../support/random';
import { maxDifference, referenceObjective, type Rows } from '../support/reference';

const [B, T, D, V] = [2, 5, 4, 11];
const ids = integers(B * T, V, 1);
const labels = integers(B * T, V, 2).map((label, at) => (at % T < 2 ? -100 : label));
const positions = [...labels.keys()].filter((at) => labels[at] >= 0);
const inputIds = (): tf.Tensor2D => tf.tensor2d(ids, [B, T], 'int32');
const targets = (): tf.Tensor2D => tf.tensor2d(labels, [B, T], 'int32');
const options: IlrecOptions = { numNegativeLayers: 2, penaltyWeight: 0.7, distillationWeight: 0.3 };

/** The parts of a model of this package as the user's own code might hold them. */
function parts(vocabSize = V) {
  const sizes = { hiddenSize: D, numHiddenLayers: 3, numAttentionHeads: 1, initializerRange: 0.5 };
  const model = causalLM({ vocabSize, ...sizes });
  const layer = (name: string): tfl.layers.Layer => model.getLayer(name);
  const blocks = [0, 1, 2].map((at) => layer(`layers_${at}`).output as tfl.SymbolicTensor);
  const body = tfl.model({ inputs: model.inputs, outputs: blocks });
  const weight = layer('embed_tokens').weights[0].read() as tf.Variable<tf.Rank.R2>;
  const norm = (x: tf.Tensor3D): tf.Tensor => layer('norm').apply(x) as tf.Tensor;
  return { model, body, weight, norm, variables: model.trainableWeights.map((each) => each.read() as tf.Variable) };
}

interface Step {
  readonly loss: number;
  readonly gradients: readonly Float32Array[];
  readonly metrics: Record<string, number>;
}

async function stepOf(method: TappedMethod, variables: tf.Variable[], run: () => tf.Scalar): Promise<Step> {
  const { value, grads } = tf.variableGrads(run, variables);
  const metrics: Record<string, number> = {};
  for (const metric of method.metrics) {
    const term = metric(value, value);
    metrics[metric.name] = (await term.data())[0];
    term.dispose();
  }
  const gradients: Float32Array[] = [];
  for (const { name } of variables) gradients.push((await grads[name].data()) as Float32Array);
  const loss = (await value.data())[0];
  tf.dispose([value, grads]);
  return { loss, gradients, metrics };
}

function expectSame(one: Step, other: Step, tolerance = 1e-5): void {
  expect(one.loss).to.be.closeTo(other.loss, tolerance);
  for (const [name, value] of Object.entries(other.metrics))
    expect(one.metrics[name], name).to.be.closeTo(value, tolerance);
  other.gradients.forEach((gradient, i) =>
    expect(maxDifference(one.gradients[i], gradient), String(i)).to.be.below(tolerance),
  );
}

const message = (run: () => unknown): string => {
  try {
    tf.tidy(() => void run());
    return 'no error';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('lossFrom', () => {
  forEachDevice((backend) => {
    it('is the loss of an attached model, with its metrics and gradients, for each way to give norm and head', async () => {
      const { model, body, weight, norm, variables } = parts();
      const attached = ilrec(options);
      attached.attach(model);
      const [xs, ys] = [inputIds(), targets()];
      const expected = await stepOf(attached, variables, () => attached.lossOf(xs, ys));
      attached.detach();
      const states = (): tf.Tensor3D[] => body.apply(xs, { training: true }) as tf.Tensor3D[];
      const transposed = (): tf.Tensor2D => tf.transpose(weight);
      const forms: readonly (() => Partial<LossTensors>)[] = [
        () => ({ hiddenStates: states(), head: weight, norm }),
        () => ({ hiddenStates: states(), head: { weight: transposed(), layout: 'columns' }, norm }),
        () => ({ hiddenStates: states(), head: { weight, bias: tf.zeros([V]) }, norm }),
        () => ({
          hiddenStates: states(),
          head: (x) => tf.reshape(tf.matMul(tf.reshape(x, [-1, D]), weight, false, true), [1, -1, V]),
          norm,
        }),
        () => {
          const all = states();
          return { hiddenStates: all.slice(0, 2), finalHidden: norm(all[2]) as tf.Tensor3D, head: weight, norm };
        },
      ];
      for (const form of forms) {
        const method = ilrec(options);
        const run = (): tf.Scalar => method.lossFrom({ labels: ys, ...form() } as LossTensors).loss;
        expectSame(await stepOf(method, variables, run), expected);
        expect([method.step, method.numResponsePositions]).to.deep.equal([1, positions.length]);
        method.detach();
      }
      tf.dispose([xs, ys]);
    });

    if (backend === 'cpu') return; // too slow for what follows

    it('reads a large head tile by tile, with the same numbers', async () => {
      const [rows, large] = [40, 9001];
      const { weight, norm, variables } = parts(large);
      const random = (seed: number): tf.Tensor3D => tf.tensor3d(normals(rows * D, seed), [1, rows, D]);
      const ys = tf.tensor2d(integers(rows, large, 5), [1, rows], 'int32');
      expect(isStreamed(large, 3 * rows)).to.equal(tf.getBackend() !== 'tensorflow');
      const steps: Step[] = [];
      const kept = [weight, ...variables.slice(-1)] as tf.Variable[];
      for (const head of [
        weight,
        (x: tf.Tensor3D): tf.Tensor =>
          tf.reshape(tf.matMul(tf.reshape(x, [-1, D]), weight, false, true), [1, -1, large]),
      ]) {
        const method = ilrec(options);
        const run = (): tf.Scalar =>
          method.lossFrom({ hiddenStates: [random(1), random(2), random(3)], norm, head, labels: ys }).loss;
        steps.push(await stepOf(method, kept, run));
        method.detach();
      }
      expectSame(steps[0], steps[1], 1e-4);
      ys.dispose();
    });
  });

  forEachBackend(() => {
    it('is the float64 objective of the tensors', () => {
      const rowsOfLayer = [3, 4, 5].map((seed) => normals(B * T * D, seed));
      const weights = normals(V * D, 6);
      const logits = rowsOfLayer.map((values): Rows =>
        positions.map((at) =>
          Array.from({ length: V }, (_, v) =>
            Array.from({ length: D }, (__, i) => values[at * D + i] * weights[v * D + i]).reduce((a, b) => a + b),
          ),
        ),
      );
      const expected = referenceObjective(
        logits[2],
        logits.slice(0, 2),
        positions.map((at) => labels[at]),
        null,
        {
          penaltyWeight: 0.7,
          penalty: 'scale',
          thresholdScale: 1,
          thresholdReference: 'final',
          distillationWeight: 0.3,
          rewardWeight: 0,
        },
      );
      const method = ilrec(options);
      tf.tidy(() => {
        const { loss, metrics } = method.lossFrom({
          hiddenStates: rowsOfLayer.map((values) => tf.tensor3d(values, [B, T, D])),
          head: tf.tensor2d(weights, [V, D]),
          labels: targets(),
        });
        expect(loss.dataSync()[0]).to.be.closeTo(expected.total, 1e-5);
        expect(Object.keys(metrics)).to.deep.equal([...METRIC_NAMES]);
        for (const name of METRIC_NAMES) expect(metrics[name].dataSync()[0], name).to.be.closeTo(expected[name], 1e-5);
      });
      method.detach();
    });

    it('reads the last k layers before the last, or for sft none', () => {
      const states = [1, 2, 3, 4].map((seed) => tf.tensor3d(normals(B * T * D, seed), [B, T, D]));
      const head = tf.tensor2d(normals(V * D, 6), [V, D]);
      const lossOf = (method: TappedMethod, hiddenStates: tf.Tensor3D[]): number =>
        tf.tidy(() => method.lossFrom({ hiddenStates, head, labels: targets() }).loss.dataSync()[0]);
      const two = ilrec(options);
      expect(lossOf(two, states)).to.equal(lossOf(two, states.slice(1)));
      expect(lossOf(two, states)).to.not.equal(lossOf(two, states.slice(2)));
      const plain = sft();
      expect(lossOf(plain, states)).to.equal(lossOf(plain, states.slice(3)));
      expect(lossOf(plain, states)).to.be.closeTo(
        lossOf(ilrec({ penaltyWeight: 0, distillationWeight: 0 }), states.slice(3)),
        1e-6,
      );
    });

    it('counts training steps alone, trains nothing without response positions, and leaves no tensor behind', async () => {
      const { body, weight, norm, variables } = parts();
      const method = ilrec(options);
      const run = (ys: tf.Tensor2D, training?: boolean): tf.Scalar => {
        const hiddenStates = body.apply(inputIds(), { training: true }) as tf.Tensor3D[];
        return method.lossFrom({ hiddenStates, norm, head: weight, labels: ys, training }).loss;
      };
      tf.tidy(() => void run(targets()));
      const before = tf.memory().numTensors;
      tf.tidy(() => void run(targets(), false));
      expect(method.step).to.equal(1);
      const none = await stepOf(method, variables.slice(-1), () => run(tf.fill([B, T], -100, 'int32')));
      expect([Math.abs(none.loss), method.step, method.numResponsePositions]).to.deep.equal([0, 1, 0]);
      expect(Math.max(...none.gradients.map((gradient) => Math.max(...gradient)))).to.equal(0);
      tf.tidy(() => void run(targets()));
      expect(tf.memory().numTensors).to.equal(before);
      method.detach();
      expect(tf.memory().numTensors).to.equal(before - METRIC_NAMES.length - 2); // klPerLayer and the total
    });

    it('says which tensor is missing or does not fit', () => {
      const state = tf.zeros([B, T, D]) as tf.Tensor3D;
      const [head, ys] = [tf.zeros([V, D]) as tf.Tensor2D, targets()];
      const whole: LossTensors = { hiddenStates: [state, state], head, labels: ys };
      const method = ilrec(options);
      const failure = (change: object): string => message(() => method.lossFrom({ ...whole, ...change }));
      expect(failure({})).to.equal('no error');
      expect(message(() => method.lossFrom(undefined as unknown as LossTensors))).to.equal(
        'ilrec: lossFrom needs { hiddenStates, finalHidden, norm, head, labels, inputIds, training }, got undefined',
      );
      expect(failure({ logits: state })).to.equal(
        'ilrec: lossFrom reads hiddenStates, finalHidden, norm, head, labels, inputIds, training, got logits',
      );
      expect(failure({ hiddenStates: state })).to.equal(
        'ilrec: hiddenStates must be a list of tensors [B, T, D], got object',
      );
      for (const [hiddenStates, got] of [
        [[], 'none'],
        [[state, tf.zeros([B, T, 3])], '[2, 5, 4], [2, 5, 3]'],
        [[state, null], '[2, 5, 4], no tensor'],
        [[tf.zeros([T, D])], '[5, 4]'],
      ] as const)
        expect(failure({ hiddenStates })).to.equal(
          `ilrec: hiddenStates and finalHidden must be tensors [B, T, D] of the same shape, got ${got}`,
        );
      expect(failure({ hiddenStates: [state] })).to.equal(
        'ilrec: hiddenStates must have the outputs of the blocks before the last too, which the method reads, got 1',
      );
      expect(failure({ hiddenStates: [], finalHidden: state })).to.equal(
        'ilrec: hiddenStates must have the outputs of the blocks before the last too, which the method reads, got 0 beside finalHidden',
      );
      expect(failure({ norm: {} })).to.equal(
        'ilrec: norm must be a function of hidden states, or null, got object; pass (x) => norm(x)',
      );
      expect(failure({ norm: () => tf.zeros([2]) })).to.equal(
        'ilrec: norm must map [1, R, D] to [1, R, E], got [2] for [1, 6, 4]',
      );
      expect(failure({ head: () => undefined })).to.equal(
        'ilrec: head must map [1, R, D] to [1, R, E], got undefined for [1, 6, 4]',
      );
      expect(failure({ head: tf.zeros([D, V]) })).to.equal(
        "ilrec: head must read hidden states of size 4, got a weight [4, 11] in rows; layout is 'rows' for [V, D] and 'columns' for [D, V]",
      );
      expect(failure({ head: { kernel: head } })).to.match(/^ilrec: head must be W \[V, D\] or .*, got \{ kernel \}/);
      expect(failure({ labels: [1, 2] })).to.equal('ilrec: labels must be a tensor, int32 [B, T], got object');
      expect(failure({ labels: tf.zeros([B, T + 1], 'int32') })).to.equal(
        'ilrec: labels must be int32 [B, T] beside predictions [B, T, D], got [2, 6] and [2, 5, 4]',
      );
      expect(failure({ labels: tf.fill([B, T], V, 'int32') })).to.equal(
        "ilrec: labels must be tokens below the 11 of the model's vocabulary, or -100, got 11",
      );
      expect(failure({ inputIds: tf.zeros([B, 3], 'int32') })).to.equal(
        'ilrec: inputIds must be [2, 5] as the labels are, got [2, 3]',
      );
      const rewarded = ilrec({ ...options, reward: () => tf.zeros([positions.length, V]) as tf.Tensor2D });
      expect(message(() => rewarded.lossFrom(whole))).to.equal(
        'ilrec: the reward needs the token ids, got none; pass inputIds [B, T]',
      );
      expect(message(() => rewarded.lossFrom({ ...whole, inputIds: inputIds() }))).to.equal('no error');
    });
  });
});
