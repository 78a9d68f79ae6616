import { expect } from 'chai';
import * as fc from 'fast-check';
import * as tf from '@tensorflow/tfjs-core';
import { sasrecBatch, sasrecRows } from '../../src/models/sasrec_batch';
import { forEachBackend } from '../support/backends';

const plain = ({ inputs, labels }: { inputs: Int32Array; labels: Int32Array }): number[][] => [
  Array.from(inputs),
  Array.from(labels),
];

describe('sasrecRows', () => {
  it('opens with 0 and asks for every item after those before it', () => {
    expect(sasrecRows([4, 0, 7], 5).map(plain)).to.deep.equal([
      [
        [0, 5, 1],
        [4, 0, 7],
      ],
    ]);
  });

  it('cuts a long history into windows that overlap by half', () => {
    expect(sasrecRows([0, 1, 2, 3, 4, 5, 6], 4).map(plain)).to.deep.equal([
      [
        [0, 1, 2, 3, 4],
        [0, 1, 2, 3, 4],
      ],
      [
        [0, 3, 4, 5, 6],
        [-100, -100, -100, 5, 6],
      ],
    ]);
  });

  it('gives no row for an empty history', () => {
    expect(sasrecRows([], 4)).to.deep.equal([]);
  });

  it('makes every item a target once, after at least half the longest history or all there is', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 13 }), (length, maxHistory) => {
        const history = Array.from({ length }, (_, i) => i);
        const targets: number[] = [];
        for (const { inputs, labels } of sasrecRows(history, maxHistory)) {
          expect(inputs.length).to.be.at.most(maxHistory + 1);
          labels.forEach((label, t) => {
            if (label < 0) return;
            targets.push(label);
            expect(t).to.be.at.least(Math.min(label, Math.floor(maxHistory / 2)));
            if (t > 0) expect(inputs[t]).to.equal(label); // item label - 1, plus 1
          });
        }
        expect(targets).to.deep.equal(history);
      }),
      { seed: 7 },
    );
  });
});

describe('sasrecBatch', () => {
  forEachBackend(() => {
    it('pads at the right end, inputs with 0 and labels with -100', () => {
      const { xs, ys } = sasrecBatch([...sasrecRows([2, 3], 5), ...sasrecRows([1], 5)], 3);
      expect(xs.arraySync()).to.deep.equal([
        [0, 3, 0],
        [0, 0, 0],
      ]);
      expect(ys.arraySync()).to.deep.equal([
        [2, 3, -100],
        [1, -100, -100],
      ]);
      expect([xs.dtype, ys.dtype]).to.deep.equal(['int32', 'int32']);
      tf.dispose([xs, ys]);
    });
  });

  it('refuses no rows, and rows that are longer than the batch', () => {
    expect(() => sasrecBatch([])).to.throw('sasrecBatch: there must be at least one row, got none');
    expect(() => sasrecBatch(sasrecRows([2, 3, 1], 5), 2)).to.throw(
      'sasrecBatch: length must be at least 3, that of the longest row, got 2',
    );
  });
});
