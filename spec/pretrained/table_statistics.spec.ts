import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { deviation, meanRow } from '../../src/pretrained/table_statistics';
import { forEachBackend } from '../support/backends';
import { normals } from '../support/random';

describe('meanRow and deviation', () => {
  forEachBackend(() => {
    it('are those of the whole table', () => {
      // columns 1, 3 and 5, 1: means 2 and 3; squares about them 1, 1, 4, 4
      const table = tf.tensor2d([
        [1, 5],
        [3, 1],
      ]);
      const mean = meanRow(table);
      const spread = deviation(table, mean);
      expect(mean.arraySync()).to.deep.equal([[2, 3]]);
      expect(spread.arraySync()).to.be.closeTo(Math.sqrt(10 / 4), 1e-6);
      tf.dispose([table, mean, spread]);
    });

    it('are those of float64 sums on a table of many pieces, and leave no tensor behind', () => {
      const [V, D] = [8209, 3]; // two whole pieces and a rest
      const values = normals(V * D, 3, 2).map((value) => value + 5);
      const before = tf.memory().numTensors;
      const table = tf.tensor2d(values, [V, D]);
      const mean = meanRow(table);
      const spread = deviation(table, mean);
      const means = Array.from(
        { length: D },
        (_, d) => values.reduce((sum, value, i) => sum + (i % D === d ? value : 0), 0) / V,
      );
      const squares = values.reduce((sum, value, i) => sum + (value - means[i % D]) ** 2, 0);
      mean.dataSync().forEach((value, d) => expect(value).to.be.closeTo(means[d], 1e-3));
      expect(spread.arraySync()).to.be.closeTo(Math.sqrt(squares / (V * D)), 1e-3);
      tf.dispose([table, mean, spread]);
      expect(tf.memory().numTensors).to.equal(before);
    });
  });
});
