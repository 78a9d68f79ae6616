import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { selfHardNegatives, type SelfHardNegativesOptions } from '../../src/losses';
import { forEachBackend } from '../support/backends';
import { integers, normals } from '../support/random';
import { maxDifference, negativesOf, toRows } from '../support/reference';

const [P, V] = [5, 7];
const logOf = (probabilities: number[][]): tf.Tensor2D => tf.log(tf.tensor2d(probabilities)) as tf.Tensor2D;

describe('selfHardNegatives', () => {
  forEachBackend(() => {
    // Row 1: the final layer gives the label 0 probability 0.3, so tokens 1 (0.4) and 3 (0.3) of the ensemble are at or
    // above it. Row 2: it gives the label 3 probability 0.7, which no token of the ensemble reaches.
    const ensemble = [
      [0.2, 0.4, 0.1, 0.3],
      [0.5, 0.2, 0.2, 0.1],
    ];
    const final = [
      [0.3, 0.3, 0.2, 0.2],
      [0.1, 0.1, 0.1, 0.7],
    ];
    const find = (options: SelfHardNegativesOptions = {}): { mask: number[][]; weights: number[][] } =>
      tf.tidy(() => {
        const found = selfHardNegatives(logOf(ensemble), logOf(final), tf.tensor1d([0, 3], 'int32'), options);
        return {
          mask: found.mask.arraySync(),
          weights: found.weights.arraySync().map((row) => row.map((w) => Number(w.toFixed(5)))),
        };
      });

    it('takes only tokens that the intermediate layers rank above the target', () => {
      const { mask, weights } = find({ thresholdScale: 0.999 });
      expect(mask).to.deep.equal([
        [0, 1, 0, 1],
        [0, 0, 0, 0],
      ]);
      expect(weights[0]).to.deep.equal([0, Number((0.4 / 0.7).toFixed(5)), 0, Number((0.3 / 0.7).toFixed(5))]);
      expect(weights[1]).to.deep.equal([0, 0, 0, 0]);
    });

    it('compares with the ensemble itself when asked to', () => {
      // tau is 0.2 in row 1 and 0.1 in row 2.
      expect(find({ thresholdReference: 'ensemble', thresholdScale: 0.999 }).mask).to.deep.equal([
        [0, 1, 0, 1],
        [1, 1, 1, 0],
      ]);
    });

    it('takes a token whose probability is exactly the threshold', () => {
      // Both layers have the same logits, phi = 1: tokens with the label's logit have exactly its probability.
      const logits = [
        [1, 0, 1, 2, 1, 0, 0, 1],
        [0, 3, 0, 0, 3, 3, 0, 0],
      ];
      for (const thresholdReference of ['final', 'ensemble'] as const) {
        const mask = tf.tidy(() => {
          const z = tf.tensor2d(logits);
          return selfHardNegatives(z, z, tf.tensor1d([0, 4], 'int32'), { thresholdReference }).mask.arraySync();
        });
        expect(mask, thresholdReference).to.deep.equal([
          [0, 0, 1, 1, 1, 0, 0, 1],
          [0, 1, 0, 0, 0, 1, 0, 0],
        ]);
      }
    });

    it('equals the float64 reference', () => {
      const [ensembleLogits, finalLogits, labels] = [normals(P * V, 1), normals(P * V, 2), integers(P, V, 3)];
      for (const thresholdReference of ['final', 'ensemble'] as const) {
        for (const thresholdScale of [0.3, 1, 2]) {
          const [mask, weights] = tf.tidy(() => {
            const [zEnsemble, zFinal] = [tf.tensor2d(ensembleLogits, [P, V]), tf.tensor2d(finalLogits, [P, V])];
            const options = { thresholdReference, thresholdScale };
            const found = selfHardNegatives(zEnsemble, zFinal, tf.tensor1d(labels, 'int32'), options);
            return [found.mask, found.weights].map((each) => each.dataSync<'float32'>());
          });
          const wanted = toRows(ensembleLogits, V).map((row, p) =>
            negativesOf(row, toRows(finalLogits, V)[p], labels[p], thresholdScale, thresholdReference),
          );
          expect([...mask]).to.deep.equal(wanted.flatMap(({ members }) => members.map(Number)));
          expect(
            maxDifference(
              weights,
              wanted.flatMap((row) => row.weights),
            ),
          ).to.be.below(1e-6);
        }
      }
    });

    it('keeps the likeliest, weighs by a power, and spares tokens', () => {
      // negatives 1 (.4), 3 (.3) and 2 (.1) of row 1
      const open = { thresholdScale: 0.3 };
      const weightsOf = (options: SelfHardNegativesOptions): number[] => find({ ...open, ...options }).weights[0];
      expect(weightsOf({})).to.deep.equal([0, 0.5, 0.125, 0.375]);
      expect(weightsOf({ maxCount: 2 })).to.deep.equal([0, 0.57143, 0, 0.42857]); // 4 / 7, 3 / 7
      expect(weightsOf({ maxCount: 9 })).to.deep.equal(weightsOf({}));
      expect(weightsOf({ exponent: 0 })).to.deep.equal([0, 0.33333, 0.33333, 0.33333]);
      expect(weightsOf({ exponent: 2 })).to.deep.equal([0, 0.61538, 0.03846, 0.34615]); // 16, 1, 9 of 26
      expect(weightsOf({ exponent: 300 })).to.deep.equal([0, 1, 0, 0]); // .4^300 is 0 in float32
      const spared = tf.tensor2d([
        [0, 1, 0, 0],
        [0, 0, 0, 0],
      ]);
      expect(weightsOf({ spared })).to.deep.equal([0, 0, 0.25, 0.75]);
      expect(find({ ...open, spared, maxCount: 1, exponent: 0 }).mask).to.deep.equal([
        [0, 0, 0, 1],
        [1, 0, 0, 0], // .5 is above .3 times .7
      ]);
      spared.dispose();
    });

    it('lets no gradient through', () => {
      const loss = (z: tf.Tensor): tf.Tensor => {
        const { mask, weights } = selfHardNegatives(z as tf.Tensor2D, z as tf.Tensor2D, tf.tensor1d([0, 3], 'int32'));
        return tf.sum(tf.mul(tf.add(mask, weights), tf.square(z)));
      };
      tf.tidy(() => {
        const z = logOf(ensemble);
        const { mask, weights } = selfHardNegatives(z, z, tf.tensor1d([0, 3], 'int32'));
        const expected = tf.mul(tf.mul(tf.add(mask, weights), 2), z).dataSync();
        expect([...tf.grad(loss)(z).dataSync()]).to.deep.equal([...expected]);
      });
    });

    it('refuses a threshold scale that is not above 0', () => {
      expect(() => find({ thresholdScale: 0 })).to.throw('selfHardNegatives: thresholdScale must be above 0, got 0');
    });

    it('refuses counts and powers out of range', () => {
      for (const maxCount of [0, 1.5, NaN])
        expect(() => find({ maxCount })).to.throw(
          `selfHardNegatives: maxCount must be a positive integer or null, got ${maxCount}`,
        );
      for (const exponent of [-1, NaN, Infinity])
        expect(() => find({ exponent })).to.throw(`selfHardNegatives: exponent must be at least 0, got ${exponent}`);
    });

    it('leaves no tensor behind', () => {
      const before = tf.memory().numTensors;
      find();
      find({ thresholdReference: 'ensemble', maxCount: 2, exponent: 2 });
      expect(tf.memory().numTensors).to.equal(before);
    });
  });
});
