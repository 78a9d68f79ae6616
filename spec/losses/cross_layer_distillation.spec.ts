import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { crossLayerDistillation, type CrossLayerDistillationOptions } from '../../src/losses';
import { forEachBackend } from '../support/backends';
import { normals } from '../support/random';
import { centralDifferences, klOf, maxDifference, mean, toRows } from '../support/reference';

const [P, S, V] = [5, 2, 7];

describe('crossLayerDistillation', () => {
  const warnings: string[] = []; // of all backends: one process warns once
  forEachBackend(() => {
    const [teacher, students] = [normals(P * V, 1), normals(S * P * V, 2)];
    /** KL of each layer, mean over P, on some of the tokens. */
    const klPerLayer = (flat: ArrayLike<number>, tokens = [...Array(V).keys()]): number[] => {
      const onSlice = (row: number[]): number[] => tokens.map((v) => row[v]);
      const kl = toRows(flat, V).map((row, r) => klOf(onSlice(toRows(teacher, V)[r % P]), onSlice(row)));
      return Array.from({ length: S }, (_, layer) => mean(kl.slice(layer * P, (layer + 1) * P)));
    };
    const measure = (
      options: CrossLayerDistillationOptions,
      z = students,
    ): { values: number[]; gradients: Float32Array[] } =>
      tf.tidy(() => {
        let values: number[] = [];
        const f = (t: tf.Tensor, s: tf.Tensor): tf.Tensor => {
          const kl = crossLayerDistillation(t as tf.Tensor2D, s as tf.Tensor2D, options);
          values = [...kl.dataSync()];
          return tf.add(tf.mean(kl), tf.mul(tf.sum(t), 0));
        };
        const gradients = tf.grads(f)([tf.tensor2d(teacher, [P, V]), tf.tensor2d(z, [S * P, V])]);
        return { values, gradients: gradients.map((gradient) => gradient.dataSync<'float32'>()) };
      }) as unknown as { values: number[]; gradients: Float32Array[] };

    it('is the Kullback-Leibler divergence of each layer from the final one, mean over the rows', () => {
      // p^L = (1/2, 1/2) in both rows. Layer 1 has p = (1/4, 3/4) in row 1, KL = 1/2 ln 2 + 1/2 ln(2/3) = k, and p^L in
      // row 2: mean k / 2. Layer 2 has p^L in row 1 and p = (1/4, 3/4) in row 2 too; layer 3 equals the final one.
      const kl = tf.tidy(() => {
        const [far, same] = [
          [0.25, 0.75],
          [3, 3],
        ];
        const layers = tf.log(tf.tensor2d([far, same, far, far, same, same])) as tf.Tensor2D;
        return [...crossLayerDistillation(tf.zeros([2, 2]), layers).dataSync()];
      });
      const k = 0.5 * Math.log(2) + 0.5 * Math.log(2 / 3);
      expect(maxDifference(kl, [k / 2, k, 0])).to.be.below(1e-6);
    });

    it('equals the float64 reference on the whole vocabulary and on a slice, its gradient central differences', () => {
      for (const distillationTokens of [undefined, [1, 4, 6]]) {
        const { values, gradients } = measure({ distillationTokens });
        expect(maxDifference(values, klPerLayer(students, distillationTokens))).to.be.below(1e-6);
        const numeric = centralDifferences((x) => mean(klPerLayer(x, distillationTokens)), students);
        expect(maxDifference(gradients[1], numeric)).to.be.below(1e-6);
      }
    });

    it('sends no gradient to the final layer', () => {
      expect(measure({}).gradients[0].every((value) => value === 0)).to.equal(true);
    });

    it('takes the old name of the option, and says once that it is called otherwise', () => {
      const { warn } = console;
      console.warn = (...message: string[]) => warnings.push(message.join(' '));
      try {
        expect(measure({ itemTokens: [1, 4, 6] })).to.deep.equal(measure({ distillationTokens: [1, 4, 6] }));
        measure({ itemTokens: [2, 3] });
      } finally {
        console.warn = warn;
      }
      expect(warnings).to.deep.equal([
        'crossLayerDistillation: the option itemTokens is now called distillationTokens; the old name still works',
      ]);
      expect(() => measure({ distillationTokens: [1, 2], itemTokens: [3] })).to.throw(
        'crossLayerDistillation: itemTokens is the old name of distillationTokens, got both; remove itemTokens',
      );
    });

    it('stays finite on logits of thousands', () => {
      const { values, gradients } = measure({}, normals(S * P * V, 3, 3000));
      expect([...values, ...gradients[1]].every(Number.isFinite)).to.equal(true);
    });

    it('leaves no tensor behind', () => {
      const before = tf.memory().numTensors;
      measure({});
      measure({ distillationTokens: [1, 4, 6] });
      expect(tf.memory().numTensors).to.equal(before);
    });
  });
});
