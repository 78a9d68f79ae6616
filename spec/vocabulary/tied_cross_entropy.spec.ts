import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { tiedCrossEntropy } from '../../src/vocabulary/tied_cross_entropy';
import { forEachBackend } from '../support/backends';
import { integers, normals } from '../support/random';

/** The loss by loops in float64; a negative label is left out. */
function reference(
  hidden: ArrayLike<number>,
  table: ArrayLike<number>,
  labels: ArrayLike<number>,
  size: number,
  bias = 0,
  members: number[][] = [],
): number {
  const [rows, items] = [labels.length, table.length / size];
  let [sum, count] = [0, 0];
  for (let p = 0; p < rows; p++) {
    if (labels[p] < 0) continue;
    const scores = Array.from({ length: items }, (_, item) => {
      let score = members[p]?.includes(item) ? bias : 0;
      for (let d = 0; d < size; d++) score += hidden[p * size + d] * table[item * size + d];
      return score;
    });
    const max = Math.max(...scores);
    sum += max + Math.log(scores.reduce((total, score) => total + Math.exp(score - max), 0)) - scores[labels[p]];
    count++;
  }
  return sum / Math.max(1, count);
}

function valueAndGradients(
  hidden: Float32Array,
  table: Float32Array,
  labels: Int32Array,
  size: number,
): [number, Float32Array, Float32Array] {
  return tf.tidy(() => {
    const f = (h: tf.Tensor, e: tf.Tensor): tf.Tensor =>
      tiedCrossEntropy(h as tf.Tensor2D, e as tf.Tensor2D, tf.tensor1d(labels, 'int32'));
    const { value, grads } = tf.valueAndGrads(f)([
      tf.tensor2d(hidden, [labels.length, size]),
      tf.tensor2d(table, [table.length / size, size]),
    ]);
    return [value.dataSync()[0], grads[0].dataSync() as Float32Array, grads[1].dataSync() as Float32Array];
  });
}

describe('tiedCrossEntropy', () => {
  forEachBackend(() => {
    it('is log N where all scores are equal', () => {
      const [value] = valueAndGradients(new Float32Array(6), normals(21, 1), Int32Array.of(0, 6), 3);
      expect(value).to.be.closeTo(Math.log(7), 1e-6);
    });

    it('equals a loop in float64, its gradients central differences', () => {
      const inputs = [normals(5 * 3, 1), normals(7 * 3, 2)];
      const labels = Int32Array.of(4, 0, -100, 4, 6);
      const [value, ...gradients] = valueAndGradients(inputs[0], inputs[1], labels, 3);
      expect(value).to.be.closeTo(reference(inputs[0], inputs[1], labels, 3), 1e-5);
      gradients.forEach((gradient, which) => {
        gradient.forEach((entry, i) => {
          const at = (shift: number): number => {
            const [hidden, table] = inputs.map((input, j) =>
              Float64Array.from(input, (v, k) => (j === which && k === i ? v + shift : v)),
            );
            return reference(hidden, table, labels, 3);
          };
          expect(entry).to.be.closeTo((at(1e-4) - at(-1e-4)) / 2e-4, 1e-5);
        });
      });
    });

    it("adds a shared bias to the scores of each position's members, with its gradient", () => {
      const [hidden, table] = [normals(4 * 3, 1), normals(7 * 3, 2)];
      const labels = Int32Array.of(4, 0, -100, 6);
      const members = [[1, 3, 3], [], [2], [6, 0]];
      const [value, gradient] = tf.tidy(() => {
        const f = (b: tf.Tensor): tf.Tensor => {
          const bias = { value: b as tf.Tensor1D, members };
          return tiedCrossEntropy(
            tf.tensor2d(hidden, [4, 3]),
            tf.tensor2d(table, [7, 3]),
            tf.tensor1d(labels, 'int32'),
            bias,
          );
        };
        const { value, grad } = tf.valueAndGrad(f)(tf.tensor1d([0.7]));
        return [value.dataSync()[0], grad.dataSync()[0]];
      });
      const at = (b: number): number => reference(hidden, table, labels, 3, b, members);
      expect(value).to.be.closeTo(at(0.7), 1e-5);
      expect(gradient).to.be.closeTo((at(0.7001) - at(0.6999)) / 2e-4, 1e-5);
    });

    it('is the same over several tiles as over each alone', () => {
      const rows = 523; // two tiles and a rest
      const [hidden, table] = [normals(rows * 3, 1), normals(11 * 3, 2)];
      const labels = integers(rows, 11, 3);
      const [value, dHidden, dTable] = valueAndGradients(hidden, table, labels, 3);
      expect(value).to.be.closeTo(reference(hidden, table, labels, 3), 1e-5);
      const [split, middle] = [300, 300 * 3];
      const first = valueAndGradients(hidden.slice(0, middle), table, labels.slice(0, split), 3);
      const second = valueAndGradients(hidden.slice(middle), table, labels.slice(split), 3);
      const [a, b] = [split / rows, 1 - split / rows];
      expect(value).to.be.closeTo(a * first[0] + b * second[0], 1e-5);
      dHidden.forEach((entry, i) =>
        expect(entry).to.be.closeTo(i < middle ? a * first[1][i] : b * second[1][i - middle], 1e-6),
      );
      dTable.forEach((entry, i) => expect(entry).to.be.closeTo(a * first[2][i] + b * second[2][i], 1e-6));
    });

    it('stays finite where the target is all but impossible', () => {
      const [value, dHidden] = valueAndGradients(Float32Array.of(1), Float32Array.of(200, -200), Int32Array.of(1), 1);
      expect(value).to.be.closeTo(400, 1e-3);
      expect(dHidden[0]).to.be.closeTo(400, 1e-3);
    });

    it('leaves no tensor behind', () => {
      const before = tf.memory().numTensors;
      valueAndGradients(normals(6, 1), normals(15, 2), Int32Array.of(4, -100), 3);
      expect(tf.memory().numTensors).to.equal(before);
    });

    it('is 0 with zero gradients where no position has a label', () => {
      const [value, dHidden, dTable] = valueAndGradients(normals(6, 1), normals(15, 2), Int32Array.of(-100, -100), 3);
      expect(value).to.equal(0);
      expect(Math.max(...dHidden.map(Math.abs), ...dTable.map(Math.abs))).to.equal(0);
    });
  });
});
