import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { wasmFused } from '../../../src/kernels/wasm/fused';
import { penalise, penaliseFirstOrder } from '../../../src/losses/streaming/penalise';
import { gated } from '../../../src/ops/gated';
import { OnlineSoftmax } from '../../../src/vocabulary/online_softmax';
import { rmsNorm } from '../../../src/ops/rms_norm';
import { applyRotary } from '../../../src/ops/rotary';
import { VocabularyTile } from '../../../src/vocabulary/vocabulary_projection';
import { AdamW } from '../../../src/optimizers/adamw';
import { logSumExp, maxDifference, toRows } from '../../support/reference';
import { floats } from '../against_cpu';
import { withoutOwnKernels } from '../without_own_kernels';

const SIZES = [1, 2, 3, 4, 5, 8, 31];

/** With the fused kernel and composed, on wasm; nothing may stay behind. */
function expectSameComposed(compute: () => tf.Tensor[], tolerance: number): void {
  const run = (): Float32Array[] => tf.tidy(() => compute().map((x) => x.dataSync<'float32'>()));
  const before = { tensors: tf.memory().numTensors, ids: tf.backend().numDataIds() };
  const [fused, composed] = [run(), withoutOwnKernels(run)];
  fused.forEach((values, i) => expect(maxDifference(values, composed[i])).to.be.at.most(tolerance));
  expect({ tensors: tf.memory().numTensors, ids: tf.backend().numDataIds() }).to.deep.equal(before);
}

/** A value and its gradients. */
function withGradients(f: (...inputs: tf.Tensor[]) => tf.Tensor, inputs: tf.Tensor[]): tf.Tensor[] {
  const y = f(...inputs);
  return [y, ...tf.grads(f)(inputs, floats(y.shape, 9))];
}

describe('fused kernels on wasm', () => {
  before(async () => {
    await tf.setBackend('wasm');
  });

  it('are the ones the operations ask for', () => {
    const names = [
      'ILRecRmsNorm',
      'ILRecRmsNormGrad',
      'ILRecRotate',
      'ILRecGate',
      'ILRecGateGrad',
      'ILRecSoftmaxGrad',
      'ILRecAdamW',
    ];
    names.push('ILRecOnlineSoftmax', 'ILRecPenalise', 'ILRecPenaliseFirstOrder', 'ILRecTileLogits', 'ILRecTileSums');
    expect(wasmFused.map(({ kernelName }) => kernelName)).to.have.members(names);
    for (const name of names) {
      expect(tf.getKernel(name, 'wasm'), name).not.to.equal(undefined);
      expect(tf.getKernel(name, 'cpu'), name).to.equal(undefined);
    }
  });

  it('rmsNorm and its gradients equal the composed ones on every size of row', () => {
    for (const D of SIZES) {
      for (const outer of [[1], [3], [2, 3]]) {
        expectSameComposed(
          () => withGradients((x, w) => rmsNorm(x, w as tf.Tensor1D, 0.01), [floats([...outer, D], 1), floats([D], 2)]),
          1e-5,
        );
      }
    }
  });

  it('rmsNorm of no rows is empty and gives the weight no gradient', () => {
    tf.tidy(() => {
      const [y, dx, dw] = withGradients((x, w) => rmsNorm(x, w as tf.Tensor1D), [floats([0, 5], 1), floats([5], 2)]);
      expect([y.shape, dx.shape]).to.deep.equal([
        [0, 5],
        [0, 5],
      ]);
      expect([...dw.dataSync()]).to.deep.equal([0, 0, 0, 0, 0]);
    });
  });

  it('gated and its gradient equal the composed ones on every size of row', () => {
    for (const I of [...SIZES, 0]) {
      for (const outer of [[], [3], [2, 3], [0]])
        expectSameComposed(() => withGradients((x) => gated(x, 'silu'), [floats([...outer, 2 * I], 1)]), 5e-6);
    }
  });

  it('gated saturates as the composed one does', () => {
    const gates = [-200, -90, -20, 0, 20, 90, 200];
    expectSameComposed(
      () => withGradients((x) => gated(x, 'silu'), [tf.tensor1d([...gates, ...gates.map(() => 1)])]),
      1e-6,
    );
  });

  it('applyRotary and its gradient equal the composed ones for every way tables are shared', () => {
    for (const half of SIZES) {
      const F = 2 * half;
      const pairs: [number[], number[]][] = [
        [
          [3, F],
          [3, F],
        ],
        [
          [2, 5, 3, F],
          [3, F],
        ],
        [
          [2, 5, 3, F],
          [1, 1, 3, F],
        ],
        [
          [2, 5, 3, F],
          [2, 1, 3, F],
        ],
        [
          [2, 5, 3, F],
          [2, 5, 3, F],
        ],
      ];
      pairs.push(
        [
          [5, 3, F],
          [1, F],
        ],
        [
          [2, 5, 3, F],
          [5, 3, F],
        ],
        [[F], [F]],
      );
      for (const [shape, tables] of pairs)
        expectSameComposed(
          () => withGradients((x) => applyRotary(x, floats(tables, 2), floats(tables, 3)), [floats(shape, 1)]),
          1e-6,
        );
    }
  });

  it('applyRotary takes empty tensors', () => {
    for (const [shape, tables] of [
      [
        [2, 0, 6],
        [0, 6],
      ],
      [
        [0, 3, 6],
        [3, 6],
      ],
      [
        [0, 3, 6],
        [0, 3, 6],
      ],
      [
        [3, 0],
        [3, 0],
      ],
    ]) {
      const rotated = tf.tidy(() => applyRotary(floats(shape, 1), floats(tables, 2), floats(tables, 3)).shape);
      expect(rotated).to.deep.equal(shape);
    }
  });

  it('refuse a last size that has no halves', () => {
    const before = tf.memory().numTensors;
    expect(() => tf.tidy(() => gated(floats([2, 5], 1), 'silu'))).to.throw(
      'gated: the last size must be even, got [2, 5]',
    );
    expect(() => tf.tidy(() => applyRotary(floats([2, 5], 1), floats([2, 5], 2), floats([2, 5], 3)))).to.throw(
      'applyRotary: the last size must be even, got [2, 5]',
    );
    expect(tf.memory().numTensors).to.equal(before);
  });

  it('OnlineSoftmax over parts is the log-sum-exp of the whole, part by part as the composed one', () => {
    const parts = [1, 3, 4, 5, 31];
    const sum = parts.reduce((a, b) => a + b);
    const numbers = (): tf.Tensor2D => tf.mul(floats([3, sum], 1), 10);
    const run = (): { parts: tf.Tensor[]; normalisers: Float64Array } => {
      const softmax = new OnlineSoftmax(3);
      const found = (tf.split(numbers(), parts, 1) as tf.Tensor2D[]).flatMap((part) =>
        Object.values(softmax.add(part)),
      );
      const normalisers = softmax.readLogSumExp();
      softmax.dispose();
      return { parts: found, normalisers };
    };
    const wanted = tf.tidy(() => toRows(numbers().dataSync(), sum).map(logSumExp));
    for (const form of [<T>(f: () => T): T => f(), withoutOwnKernels])
      tf.tidy(() => void expect(maxDifference(form(run).normalisers, wanted)).to.be.below(5e-6));
    expectSameComposed(() => run().parts, 1e-5);
  });

  it('penalise gives what the composed one does, wherever the label and the threshold are', () => {
    for (const n of SIZES) {
      for (const penalty of ['scale', 'paper', 'additive'] as const) {
        for (const threshold of [-Infinity, -0.5, 0.5, Infinity]) {
          const rows = [0, n - 1, n, -1, 50].map((label) => ({
            label: label + 11,
            threshold,
            ensembleLogSumExp: 3,
            finalLogSumExp: 2.5,
            ensembleMass: 0.7,
          }));
          expectSameComposed(() => {
            const [logits, blended] = [1, 2].map((seed) => floats([5, n], seed) as tf.Tensor2D);
            const { raised, growth, sums } = penalise(logits, blended, rows, 11, 0.3, penalty);
            const first = penaliseFirstOrder(logits, blended, rows, 11, penalty);
            return [raised, growth, sums, first.factors, first.sums, first.largest];
          }, 2e-6);
        }
      }
    }
  });

  it('the tiles of a head, read where they lie, equal the ones that are cut out', () => {
    const [V, D] = [29, 7];
    for (const layout of ['rows', 'columns'] as const) {
      for (const [start, size] of [
        [0, V],
        [0, 5],
        [3, 1],
        [11, 18],
      ]) {
        for (const R of [1, 3, 17]) {
          expectSameComposed(() => {
            const weight = floats(layout === 'rows' ? [V, D] : [D, V], 1) as tf.Tensor2D;
            const tile = new VocabularyTile({ weight, layout, bias: floats([V], 2) as tf.Tensor1D }, start, size);
            return [
              tile.logitsOf(floats([R, D], 3) as tf.Tensor2D),
              tile.sumsOfRows(floats([R, size], 4) as tf.Tensor2D),
            ];
          }, 1e-5);
        }
      }
    }
  });
});

describe('AdamW on wasm', () => {
  before(async () => {
    await tf.setBackend('wasm');
  });

  /** The weight after some steps, each with its gradient. */
  function train(size: number, steps: number): Float32Array {
    return tf.tidy(() => {
      const weight = tf.variable(floats([size, 1], 1));
      const optimizer = new AdamW({ learningRate: 0.1, weightDecay: 0.3 });
      for (let seed = 0; seed < steps; seed++)
        optimizer.applyGradients([{ name: weight.name, tensor: floats([size, 1], 20 + seed) }]);
      const values = weight.dataSync<'float32'>();
      optimizer.dispose();
      weight.dispose();
      return values;
    });
  }

  it('equals the composed update over five steps on every size', () => {
    for (const size of SIZES)
      expect(
        maxDifference(
          train(size, 5),
          withoutOwnKernels(() => train(size, 5)),
        ),
      ).to.be.below(1e-6);
  });

  it('writes over the moments, and gives the weight memory of its own, as tfjs keeps packed copies of what it multiplied', async () => {
    const weight = tf.tidy(() => tf.variable(floats([5, 7], 1)));
    const optimizer = new AdamW({ learningRate: 0.1 });
    const step = (): void =>
      tf.tidy(() => optimizer.applyGradients([{ name: weight.name, tensor: floats([5, 7], 2) }]));
    const places = async (): Promise<object[]> => {
      const [steps, ...moments] = await optimizer.getWeights();
      steps.tensor.dispose();
      return moments.map(({ tensor }) => tensor.dataId);
    };
    step();
    const [before, { dataId }] = [await places(), weight];
    step();
    expect(await places()).to.deep.equal(before);
    expect(weight.dataId).not.to.equal(dataId);
    optimizer.dispose();
    weight.dispose();
  });

  it('leaves saved moments as they were', async () => {
    const weight = tf.tidy(() => tf.variable(floats([5, 7], 1)));
    const optimizer = new AdamW({ learningRate: 0.1 });
    const step = (): void =>
      tf.tidy(() => optimizer.applyGradients([{ name: weight.name, tensor: floats([5, 7], 2) }]));
    step();
    const [steps, ...moments] = await optimizer.getWeights();
    const saved = moments.map(({ tensor }) => tf.clone(tensor));
    const values = saved.map((moment) => [...moment.dataSync()]);
    step();
    expect(saved.map((moment) => [...moment.dataSync()])).to.deep.equal(values);
    optimizer.dispose();
    tf.dispose([steps.tensor, weight, ...saved]);
  });

  const holders: Record<string, (weight: tf.Tensor) => tf.Tensor> = {
    'a clone': (weight) => tf.clone(weight),
    'another shape': (weight) => tf.reshape(weight, [35]),
    'a variable made of it': (weight) => tf.variable(weight),
  };
  for (const [what, hold] of Object.entries(holders)) {
    it(`leaves ${what} as it was`, () => {
      const before = { tensors: tf.memory().numTensors, ids: tf.backend().numDataIds() };
      const weight = tf.tidy(() => tf.variable(floats([5, 7], 1)));
      const optimizer = new AdamW({ learningRate: 0.1 });
      const gradient = floats([5, 7], 2);
      optimizer.applyGradients([{ name: weight.name, tensor: gradient }]); // from here on nothing else holds the weight
      const values = [...weight.dataSync()];
      const held = hold(weight);
      optimizer.applyGradients([{ name: weight.name, tensor: gradient }]);
      expect([...held.dataSync()]).to.deep.equal(values);
      expect([...weight.dataSync()]).not.to.deep.equal(values);
      expect([...gradient.dataSync()]).to.deep.equal([...tf.tidy(() => floats([5, 7], 2).dataSync())]);
      optimizer.dispose();
      tf.dispose([weight, held, gradient]);
      expect({ tensors: tf.memory().numTensors, ids: tf.backend().numDataIds() }).to.deep.equal(before);
    });
  }

  it('leaves the tensor that a weight was made of as it was', () => {
    const initial = floats([5, 7], 1);
    const values = [...initial.dataSync()];
    const weight = tf.variable(initial);
    const optimizer = new AdamW({ learningRate: 0.1 });
    tf.tidy(() => optimizer.applyGradients([{ name: weight.name, tensor: floats([5, 7], 2) }]));
    expect([...initial.dataSync()]).to.deep.equal(values);
    optimizer.dispose();
    tf.dispose([initial, weight]);
  });
});
