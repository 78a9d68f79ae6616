import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import type { VocabularyProjection } from '../../src/vocabulary/vocabulary_projection';
import { forEachTile, isStreamed, tileWidth } from '../../src/vocabulary/vocabulary_tiles';
import { forEachBackend } from '../support/backends';
import { normals } from '../support/random';
import { maxDifference } from '../support/reference';

describe('tiles of the vocabulary', () => {
  forEachBackend((backend) => {
    it('are used for large vocabularies with many logits', () => {
      const atOnce = backend === 'tensorflow' ? 1023 : 255; // 16 MiB of logits, 4 MiB elsewhere
      expect([isStreamed(4096, 1e6), isStreamed(4097, atOnce), isStreamed(4097, atOnce + 2)]).to.deep.equal([
        false,
        false,
        true,
      ]);
    });

    it('hold a bounded number of logits, and never fewer than 64 tokens', () => {
      const numbers = { wasm: 2 ** 18, tensorflow: 2 ** 19, cpu: 2 ** 19, webgpu: 2 ** 19 }[backend];
      for (const rows of [5, 200, 4097])
        expect(rows * tileWidth(rows, 1e6, 16)).to.be.at.most(Math.max(numbers, 64 * rows));
      expect(tileWidth(1e6, 1e6, 16)).to.equal(64);
      expect(tileWidth(3, 500, 16)).to.equal(500);
      expect(tileWidth(16, 2 ** 16, 4096)).to.equal(2 ** 16); // 4 MiB of logits are made at once
    });

    for (const layout of ['rows', 'columns'] as const) {
      it(`cover a head in ${layout} once: logits and sums are those of the whole`, () => {
        const [V, D, R] = [40_009, 5, 31];
        tf.tidy(() => {
          const rows = tf.tensor2d(normals(V * D, 1), [V, D]);
          const head: VocabularyProjection = {
            weight: (layout === 'rows' ? rows : tf.transpose(rows)) as tf.Tensor2D,
            layout,
            bias: tf.tensor1d(normals(V, 2)),
          };
          const hidden = tf.tensor2d(normals(R * D, 3), [R, D]);
          const logits: tf.Tensor2D[] = [];
          let sums: tf.Tensor = tf.zeros([R, D]);
          const sizes: number[] = [];
          forEachTile(head, 4 * R, (tile) => {
            sizes.push(tile.size);
            const part = tile.logitsOf(hidden);
            logits.push(tf.keep(part));
            sums = tf.keep(tf.add(sums, tile.sumsOfRows(part)));
          });
          const whole = tf.add(tf.matMul(hidden, rows, false, true), head.bias as tf.Tensor1D) as tf.Tensor2D;
          expect(sizes.length).to.be.above(1);
          expect(sizes.reduce((a, b) => a + b)).to.equal(V);
          expect(maxDifference(tf.concat(logits, 1).dataSync(), whole.dataSync())).to.be.below(1e-5);
          const wanted = tf.matMul(whole, rows).dataSync<'float32'>();
          const scale = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
          expect(maxDifference(sums.dataSync(), wanted) / scale).to.be.below(1e-5);
          tf.dispose([logits, sums]);
        });
      });
    }
  });
});
