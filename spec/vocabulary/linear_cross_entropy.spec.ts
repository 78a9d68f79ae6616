import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { lowerBindingLimit } from '../../src/kernels/webgpu/binding_limit';
import { registerKernels, unregisterKernels } from '../../src/kernels/register_kernels';
import { crossEntropy } from '../../src/losses';
import { linearCrossEntropy, responseLogProbs } from '../../src/vocabulary/linear_cross_entropy';
import type { LinearHead } from '../../src/vocabulary/vocabulary_projection';
import { forEachDevice, onWebGpu } from '../support/backends';
import { peakBytes } from '../support/peak_memory';
import { integers, normals } from '../support/random';
import { centralDifferences, maxDifference, softmax, toRows } from '../support/reference';

type Layout = 'rows' | 'columns';

/** Hidden states, a head in rows and labels, as plain numbers. */
interface Case {
  readonly P: number;
  readonly D: number;
  readonly V: number;
  readonly hidden: Float32Array;
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly labels: Int32Array;
}

function randomCase(seed: number, { P = 5, D = 7, V = 23, ignored = [1] } = {}): Case {
  const labels = integers(P, V, seed + 3);
  for (const row of ignored) labels[row] = -100;
  const [hidden, weight, bias] = [normals(P * D, seed), normals(V * D, seed + 1), normals(V, seed + 2)];
  return { P, D, V, hidden, weight, bias, labels };
}

/** log p of each label in float64, 0 where it is ignored. */
function logProbsOf(
  { P, D, V, labels }: Case,
  hidden: ArrayLike<number>,
  weight: ArrayLike<number>,
  bias: ArrayLike<number>,
): number[] {
  return Array.from({ length: P }, (_, p) => {
    if (labels[p] === -100) return 0;
    const logits = new Float64Array(V);
    let most = -Infinity;
    for (let v = 0; v < V; v++) {
      let z = bias[v];
      for (let d = 0; d < D; d++) z += hidden[p * D + d] * weight[v * D + d];
      logits[v] = z;
      most = Math.max(most, z);
    }
    return logits[labels[p]] - most - Math.log(logits.reduce((sum, z) => sum + Math.exp(z - most), 0));
  });
}

/** Gradients of sum_p factor_p log p(y_p) in float64: of hidden states, weight in rows and bias. */
function gradientsOf({ P, D, V, hidden, weight, bias, labels }: Case, factors: ArrayLike<number>): Float64Array[] {
  const [dHidden, dWeight, dBias] = [P * D, V * D, V].map((size) => new Float64Array(size));
  for (let p = 0; p < P; p++) {
    if (labels[p] === -100) continue;
    const logits = Array.from({ length: V }, (_, v) => {
      let z = bias[v];
      for (let d = 0; d < D; d++) z += hidden[p * D + d] * weight[v * D + d];
      return z;
    });
    softmax(logits).forEach((probability, v) => {
      const flow = factors[p] * ((v === labels[p] ? 1 : 0) - probability);
      dBias[v] += flow;
      for (let d = 0; d < D; d++) {
        dHidden[p * D + d] += flow * weight[v * D + d];
        dWeight[v * D + d] += flow * hidden[p * D + d];
      }
    });
  }
  return [dHidden, dWeight, dBias];
}

type Loss = (hidden: tf.Tensor2D, head: LinearHead, labels: tf.Tensor1D) => tf.Tensor;

/** The loss and its gradients to hidden states, weight (in rows) and bias. */
async function measure(
  { P, D, V, hidden, weight, bias, labels }: Case,
  loss: Loss,
  layout: Layout = 'rows',
): Promise<{ value: Float32Array; gradients: Float32Array[] }> {
  const tensors = tf.tidy(() => {
    const f = (h: tf.Tensor, w: tf.Tensor, b: tf.Tensor): tf.Tensor => {
      const head = { weight: (layout === 'rows' ? w : tf.transpose(w)) as tf.Tensor2D, layout, bias: b as tf.Tensor1D };
      return loss(h as tf.Tensor2D, head, tf.tensor1d(labels, 'int32'));
    };
    const { value, grads } = tf.valueAndGrads(f)([
      tf.tensor2d(hidden, [P, D]),
      tf.tensor2d(weight, [V, D]),
      tf.tensor1d(bias),
    ]);
    return [value, ...grads];
  });
  const [value, ...gradients] = await Promise.all(tensors.map((tensor) => tensor.data<'float32'>()));
  tf.dispose(tensors);
  return { value, gradients };
}

/** sum_p factor_p log p(y_p): the gradient that comes in is a vector of the factors. */
function weighted(factors: ArrayLike<number>): Loss {
  return (hidden, head, labels) =>
    tf.sum(tf.mul(responseLogProbs(hidden, head, labels), tf.tensor1d(Float32Array.from(factors))));
}

/** Largest difference over the largest value. */
function relative(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  return maxDifference(got, wanted) / Array.from(wanted).reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
}

async function expectReference(c: Case, layout: Layout = 'rows'): Promise<void> {
  const factors = normals(c.P, 97); // of both signs
  if (c.P > 1) factors[0] = 0;
  const logProbs = logProbsOf(c, c.hidden, c.weight, c.bias);
  const { value, gradients } = await measure(c, weighted(factors), layout);
  const sum = logProbs.reduce((total, logProb, p) => total + factors[p] * logProb, 0);
  expect(value[0]).to.be.closeTo(sum, 2e-5 * Math.max(1, Math.abs(sum)));
  gradientsOf(c, factors).forEach((wanted, i) =>
    expect(relative(gradients[i], wanted), ['hidden', 'weight', 'bias'][i]).to.be.below(2e-5),
  );
  const all = tf.tidy(() => {
    const weight = tf.tensor2d(c.weight, [c.V, c.D]);
    const head = { weight: (layout === 'rows' ? weight : tf.transpose(weight)) as tf.Tensor2D, layout };
    return responseLogProbs(
      tf.tensor2d(c.hidden, [c.P, c.D]),
      { ...head, bias: tf.tensor1d(c.bias) },
      tf.tensor1d(c.labels, 'int32'),
    );
  });
  expect(relative(await all.data(), logProbs), 'log p').to.be.below(1e-5);
  all.dispose();
}

describe('responseLogProbs', () => {
  forEachDevice((backend) => {
    /** A head that is read in several tiles: its logits are more than any backend makes at once. */
    const large = (seed: number): Case =>
      randomCase(seed, { P: 31, D: 5, V: backend === 'tensorflow' ? 140_009 : 40_009, ignored: [4, 30] });

    it('is the logit of the label less logsumexp', async () => {
      // W h is (2, 0, 1) and (0, 0, 0): log p(2) = 1 - ln(e^2 + 1 + e) = -1.40761 and log p(1) = -ln 3.
      const logProbs = tf.tidy(() =>
        responseLogProbs(tf.eye(2), tf.tensor2d([2, 0, 0, 0, 1, 0], [3, 2]), tf.tensor1d([2, 1], 'int32')),
      );
      const [first, second] = await logProbs.data();
      expect(first).to.be.closeTo(1 - Math.log(Math.exp(2) + 1 + Math.E), 1e-6);
      expect(second).to.be.closeTo(-Math.log(3), 1e-6);
      logProbs.dispose();
    });

    for (const layout of ['rows', 'columns'] as const) {
      it(`equals float64, values and gradients, for a vector of incoming gradients (head in ${layout})`, async () => {
        await expectReference(randomCase(11), layout);
        await expectReference(randomCase(13, { P: 1, ignored: [] }), layout);
        await expectReference(randomCase(17, { P: 3, ignored: [] }), layout);
      });

      it(`equals float64 over several tiles (head in ${layout})`, () => expectReference(large(19), layout));
    }

    it('has the gradients of central differences', async () => {
      const c = randomCase(23);
      const factors = [0.3, 5, -2, 0.7, -0.1];
      const { gradients } = await measure(c, weighted(factors));
      const inputs = [c.hidden, c.weight, c.bias];
      gradients.forEach((gradient, which) => {
        const value = (x: ArrayLike<number>): number => {
          const [hidden, weight, bias] = inputs.map((input, i) => (i === which ? x : input));
          return logProbsOf(c, hidden, weight, bias).reduce((sum, logProb, p) => sum + factors[p] * logProb, 0);
        };
        expect(maxDifference(gradient, centralDifferences(value, inputs[which]))).to.be.below(1e-5);
      });
    });

    it('serves a preference loss: -log sigma(beta (sum of chosen - sum of rejected))', async () => {
      // d loss / d log p is -beta sigma(-x) for chosen rows and beta sigma(-x) for rejected ones, x = beta (sum - sum).
      const c = randomCase(29, { P: 6, ignored: [] });
      const beta = 0.3;
      const signs = [1, 1, 1, -1, -1, -1]; // three tokens of the chosen response, then three of the rejected one
      const margin = beta * logProbsOf(c, c.hidden, c.weight, c.bias).reduce((sum, lp, p) => sum + signs[p] * lp, 0);
      const { value, gradients } = await measure(c, (hidden, head, labels) => {
        const logProbs = responseLogProbs(hidden, head, labels);
        const [chosen, rejected] = tf.split(logProbs, 2);
        return tf.softplus(tf.mul(tf.sub(tf.sum(rejected), tf.sum(chosen)), beta));
      });
      expect(value[0]).to.be.closeTo(Math.log1p(Math.exp(-margin)), 1e-5);
      const slope = -beta / (1 + Math.exp(margin));
      gradientsOf(
        c,
        signs.map((sign) => slope * sign),
      ).forEach((wanted, i) => expect(relative(gradients[i], wanted)).to.be.below(2e-5));
    });

    it('does not change where every logit of a row grows by the same', async () => {
      const c = randomCase(31);
      const moved = { ...c, bias: c.bias.map((value) => value + 3) };
      const sum = weighted([1, 1, 1, 1, 1]);
      const [one, other] = [await measure(c, sum), await measure(moved, sum)];
      expect(other.value[0]).to.be.closeTo(one.value[0], 2e-5);
      other.gradients.forEach((gradient, i) => expect(relative(gradient, one.gradients[i])).to.be.below(2e-5));
    });

    it('is exactly 0, without a gradient, in rows whose label is ignored, and where all are', async () => {
      const c = randomCase(37, { ignored: [0, 3] });
      const logProbs = tf.tidy(() =>
        responseLogProbs(tf.tensor2d(c.hidden, [5, 7]), tf.tensor2d(c.weight, [23, 7]), tf.tensor1d(c.labels, 'int32')),
      );
      const values = await logProbs.data();
      logProbs.dispose();
      expect([values[0], values[3]]).to.deep.equal([0, 0]);
      const { gradients } = await measure(c, weighted([1, 1, 1, 1, 1]));
      for (const row of [0, 3])
        expect([...gradients[0].slice(7 * row, 7 * row + 7)]).to.deep.equal(new Array(7).fill(0));

      const none = await measure(randomCase(41, { ignored: [0, 1, 2, 3, 4] }), weighted([1, 1, 1, 1, 1]));
      expect(none.value[0]).to.equal(0);
      for (const gradient of none.gradients) expect(gradient.every((value) => value === 0)).to.equal(true);
    });

    it('takes another ignoreIndex', async () => {
      const logProbs = tf.tidy(() =>
        responseLogProbs(tf.eye(2), tf.eye(2), tf.tensor1d([0, 1], 'int32'), { ignoreIndex: 1 }),
      );
      const [first, second] = await logProbs.data();
      logProbs.dispose();
      expect(first).to.be.closeTo(1 - Math.log(Math.E + 1), 1e-6);
      expect(second).to.equal(0);
    });

    it('is right for logits of 10,000 and -10,000', async () => {
      // Logits are (10^4, -10^4, 0) in both rows: log p(0) = 0 and log p(1) = -2 * 10^4; p is 1 at token 0.
      const c: Case = {
        P: 2,
        D: 1,
        V: 3,
        hidden: Float32Array.of(100, 100),
        weight: Float32Array.of(100, -100, 0),
        bias: new Float32Array(3),
        labels: Int32Array.of(0, 1),
      };
      const { value, gradients } = await measure(c, weighted([1, 1]));
      expect(value[0]).to.equal(-20_000);
      expect([...gradients[0]]).to.deep.equal([0, -200]); // W_y - W_0
      expect([...gradients[1]]).to.deep.equal([-100, 100, 0]);
      expect([...gradients[2]]).to.deep.equal([-1, 1, 0]);
    });

    it('is never above 0', async () => {
      const logProbs = tf.tidy(() =>
        responseLogProbs(
          tf.tensor2d(normals(101 * 13, 43, 30), [101, 13]),
          tf.tensor2d(normals(2 * 13, 47, 30), [2, 13]),
          tf.tensor1d(integers(101, 2, 53), 'int32'),
        ),
      );
      const values = await logProbs.data();
      logProbs.dispose();
      expect(Math.max(...values)).to.equal(0);
    });

    it('gives no gradient to a frozen head or to variables that are not trainable', () => {
      const c = randomCase(59);
      const hidden = tf.variable(tf.tensor2d(c.hidden, [5, 7]), true);
      const weight = tf.variable(tf.tensor2d(c.weight, [23, 7]), true);
      const bias = tf.variable(tf.tensor1d(c.bias), false);
      const labels = tf.tensor1d(c.labels, 'int32');
      const trained = (isFrozen: boolean): string[] => {
        const head = { weight: weight as tf.Tensor as tf.Tensor2D, bias: bias as tf.Tensor as tf.Tensor1D, isFrozen };
        const { value, grads } = tf.variableGrads(() =>
          linearCrossEntropy(hidden as tf.Tensor as tf.Tensor2D, head, labels),
        );
        tf.dispose([value, grads]);
        return Object.keys(grads).filter((name) => grads[name] !== null);
      };
      expect(trained(true)).to.deep.equal([hidden.name]);
      expect(trained(false)).to.deep.equal([hidden.name, weight.name]);
      tf.dispose([hidden, weight, bias, labels]);
    });

    it('never makes logits [P, V], forward or backward @slow', () => {
      // TensorFlow makes up to 16 MiB of logits at once
      const [P, D, V] = [101, 3, backend === 'tensorflow' ? 140_009 : 40_009];
      const c = randomCase(61, { P, D, V });
      const inputs = [tf.tensor2d(c.hidden, [P, D]), tf.tensor2d(c.weight, [V, D]), tf.tensor1d(c.bias)];
      const labels = tf.tensor1d(c.labels, 'int32');
      const f = (h: tf.Tensor, w: tf.Tensor, b: tf.Tensor): tf.Tensor =>
        linearCrossEntropy(h as tf.Tensor2D, { weight: w as tf.Tensor2D, bias: b as tf.Tensor1D }, labels);
      const peak = peakBytes(() => tf.dispose(tf.grads(f)(inputs))); // of tensors; what WebGPU's kernels hold for a tile is not one
      expect(peak).to.be.above(4 * V * (D + 1)); // the head's gradient
      expect(peak).to.be.below(0.8 * 4 * P * V);
      tf.dispose([inputs, labels]);
    });

    it('leaves no tensor behind', async () => {
      const before = tf.memory().numTensors;
      for (const c of [randomCase(67), randomCase(71, { ignored: [] }), randomCase(73, { ignored: [0, 1, 2, 3, 4] })])
        await measure(c, weighted([1, 2, 3, 4, 5]));
      const [hidden, weight, labels] = [tf.ones([2, 3]), tf.ones([5, 3]), tf.tensor1d([0, -100], 'int32')];
      const values = responseLogProbs(hidden as tf.Tensor2D, weight as tf.Tensor2D, labels);
      const mean = linearCrossEntropy(hidden as tf.Tensor2D, weight as tf.Tensor2D, labels);
      expect(tf.memory().numTensors).to.equal(before + 5);
      tf.dispose([hidden, weight, labels, values, mean]);
    });
  });

  onWebGpu(() => {
    it('reads a head whose matrix no binding holds, in rows and in columns', async () => {
      const c = randomCase(79, { P: 5, D: 67, V: 331 });
      for (const layout of ['rows', 'columns'] as const) {
        lowerBindingLimit(layout === 'rows' ? 4 * 64 * 67 : 4 * 64 * 331);
        try {
          await expectReference(c, layout);
        } finally {
          lowerBindingLimit(Infinity);
        }
      }
    });

    it('works without the kernels of this package', async () => {
      unregisterKernels();
      try {
        await expectReference(randomCase(83, { ignored: [] }));
      } finally {
        registerKernels();
      }
    });

    it('leaves no buffer behind', async () => {
      const used = (): number => (tf.memory() as tf.MemoryInfo & { numBytesInGPU: number }).numBytesInGPU;
      const c = randomCase(89, { V: 1511 });
      await measure(c, weighted([1, 2, 3, 4, 5])); // constants of the backend stay
      const before = used();
      await measure(c, weighted([1, 2, 3, 4, 5]));
      expect(used()).to.equal(before);
    });
  });
});

describe('linearCrossEntropy', () => {
  forEachDevice(() => {
    const value = async (c: Case): Promise<number> => (await measure(c, linearCrossEntropy)).value[0];

    it('is the mean over the labelled rows: ln V on equal logits', async () => {
      const c = {
        ...randomCase(1, { P: 7, ignored: [0, 2] }),
        weight: new Float32Array(23 * 7),
        bias: new Float32Array(23),
      };
      expect(await value(c)).to.be.closeTo(Math.log(23), 1e-6);
    });

    it('equals crossEntropy of the logits, value and gradients', async () => {
      const c = randomCase(3, { ignored: [] });
      const [linear, dense] = [
        await measure(c, linearCrossEntropy),
        await measure(c, (hidden, head, labels) => {
          const { weight, bias } = head as { weight: tf.Tensor2D; bias: tf.Tensor1D };
          return crossEntropy(tf.add(tf.matMul(hidden, weight, false, true), bias), labels);
        }),
      ];
      expect(linear.value[0]).to.be.closeTo(dense.value[0], 1e-6);
      linear.gradients.forEach((gradient, i) => expect(relative(gradient, dense.gradients[i])).to.be.below(2e-5));
    });

    it('divides by the labelled rows alone', async () => {
      const c = randomCase(5, { P: 7, ignored: [1, 4] });
      const { value: loss, gradients } = await measure(c, linearCrossEntropy);
      const sum = logProbsOf(c, c.hidden, c.weight, c.bias).reduce((total, logProb) => total + logProb, 0);
      expect(loss[0]).to.be.closeTo(-sum / 5, 1e-5);
      gradientsOf(c, new Array(7).fill(-1 / 5)).forEach((wanted, i) =>
        expect(relative(gradients[i], wanted)).to.be.below(2e-5),
      );
    });

    it('does not depend on the order of the rows', async () => {
      const c = randomCase(7, { P: 5, ignored: [3] });
      const hidden = Float32Array.from(toRows(c.hidden, 7).reverse().flat());
      expect(await value({ ...c, hidden, labels: Int32Array.from(c.labels).reverse() })).to.be.closeTo(
        await value(c),
        1e-6,
      );
    });

    it('is 0 where no row has a label', async () => {
      expect(await value(randomCase(9, { ignored: [0, 1, 2, 3, 4] }))).to.equal(0);
    });

    it('refuses shapes that do not fit and labels out of range', () => {
      const labels = tf.tensor1d([0, 23, -1], 'int32');
      const [hidden, weight] = [tf.zeros([3, 7]), tf.zeros([23, 7])] as tf.Tensor2D[];
      const run = (h: tf.Tensor, head: LinearHead): tf.Tensor => linearCrossEntropy(h as tf.Tensor2D, head, labels);
      expect(() => run(weight, { weight, layout: 'columns' })).to.throw(
        "linearCrossEntropy: hidden must be [P, 23] for a weight [23, 7] in columns, got [23, 7]; layout is 'rows' for [V, D] and 'columns' for [D, V]",
      );
      expect(() => run(weight, weight)).to.throw(
        'linearCrossEntropy: labels must be [23], one for each row of hidden, got [3]',
      );
      expect(() => run(hidden, weight)).to.throw(
        'linearCrossEntropy: label 1 must be in [0, 23) or the ignoreIndex -100, got 23',
      );
      expect(() => responseLogProbs(hidden, weight, labels, { ignoreIndex: 23 })).to.throw(
        'responseLogProbs: label 2 must be in [0, 23) or the ignoreIndex 23, got -1',
      );
      tf.dispose([labels, hidden, weight]);
    });

    it('says what a head is', () => {
      const [hidden, kernel, labels] = [tf.zeros([3, 7]), tf.zeros([7, 23]), tf.tensor1d([0, 1, 2], 'int32')];
      const run =
        (head: unknown, h: unknown = hidden, y: unknown = labels) =>
        (): tf.Tensor =>
          linearCrossEntropy(h as tf.Tensor2D, head as LinearHead, y as tf.Tensor1D);
      const rule = (got: string): string =>
        `linearCrossEntropy: head must be W [V, D] or { weight, layout, bias, isFrozen }, got ${got}; the head of a dense layer is { weight: kernel, layout: 'columns', bias }`;
      expect(run({ kernel })).to.throw(rule('{ kernel }'));
      expect(run({ weight: kernel, kernel, bias: null })).to.throw(rule('{ weight, kernel, bias }'));
      expect(run({})).to.throw(rule('{  }'));
      for (const nothing of [undefined, null, 3]) expect(run(nothing)).to.throw(rule(String(nothing)));
      expect(run(() => kernel)).to.throw(rule('a function'));
      expect(run(tfl.layers.dense({ units: 23 }))).to.throw(rule('a Dense'));
      expect(run({ weight: tf.zeros([7]) })).to.throw(
        'linearCrossEntropy: head must have a weight of two axes, [V, D] or [D, V], got [7]',
      );
      expect(run({ weight: kernel, layout: 'cols' })).to.throw(
        "linearCrossEntropy: layout must be 'rows' for [V, D] or 'columns' for [D, V], got cols",
      );
      expect(run({ weight: kernel, layout: 'columns', bias: tf.zeros([7]) })).to.throw(
        'linearCrossEntropy: bias must be [23], one number for each token of a weight [7, 23] in columns, got [7]',
      );
      const head = { weight: kernel, layout: 'columns' };
      expect(run(head, undefined)).to.not.throw();
      expect(run(head, null)).to.throw(/hidden must be \[P, 7\] .* got object; layout is/);
      expect(run(head, hidden, [0, 1, 2])).to.throw(
        'linearCrossEntropy: labels must be [3], one for each row of hidden, got object',
      );
      for (const label of [NaN, 1.5])
        expect(run(head, hidden, tf.tensor1d([0, label, -100]))).to.throw(
          `linearCrossEntropy: labels must be whole numbers, got ${label}`,
        );
      expect(run(head, hidden, tf.tensor1d([0, 1, -100]))).to.not.throw();
    });
  });
});
