import { expect } from 'chai';
import fc from 'fast-check';
import { CandidateBuffer } from '../../../src/losses/streaming/candidates';

const none = (rows: number): number[] => new Array<number>(rows).fill(-Infinity);

describe('CandidateBuffer', () => {
  it('keeps what is above the cutoff, with both logits', () => {
    const buffer = new CandidateBuffer(2, 3);
    buffer.add(10, 3, Float32Array.of(1, 5, 2, 0, -1, 7), Float32Array.of(11, 15, 12, 10, 9, 17), [1.5, 0]);
    expect([...buffer.of(0).tokens]).to.deep.equal([11, 12]);
    expect([...buffer.of(0).final]).to.deep.equal([15, 12]);
    expect([...buffer.of(1).tokens]).to.deep.equal([12]);
    expect([buffer.of(0).complete, buffer.of(1).complete]).to.deep.equal([1.5, 0]);
  });

  it('makes room by a cutoff that has risen, and gives a row up that still does not fit', () => {
    const buffer = new CandidateBuffer(1, 2);
    buffer.add(0, 2, Float32Array.of(1, 4), new Float32Array(2), none(1));
    buffer.add(2, 2, Float32Array.of(3, 2), new Float32Array(2), [2]); // 1 is dropped, and 2 is at the cutoff
    expect([...buffer.of(0).tokens]).to.deep.equal([2, 1].sort());
    expect(buffer.isClosed).to.equal(false);
    buffer.add(4, 1, Float32Array.of(9), new Float32Array(1), [2]);
    expect(buffer.of(0).complete).to.equal(Infinity);
    expect(buffer.isClosed).to.equal(true);
  });

  it('never lowers a cutoff', () => {
    const buffer = new CandidateBuffer(1, 5);
    buffer.add(0, 2, Float32Array.of(1, 4), new Float32Array(2), [3]);
    buffer.add(2, 2, Float32Array.of(2, 5), new Float32Array(2), [0]);
    expect([...buffer.of(0).tokens]).to.deep.equal([1, 3]);
    expect(buffer.of(0).complete).to.equal(3);
  });

  it('holds every token above the last cutoff, in any order and any parts, or says that it does not', () => {
    const parts = fc.array(fc.record({ values: fc.array(fc.integer({ min: -20, max: 20 }), { maxLength: 7 }), cutoff: fc.integer({ min: -20, max: 20 }) }), { maxLength: 6 });
    fc.assert(
      fc.property(parts, fc.integer({ min: 1, max: 9 }), (given, capacity) => {
        const buffer = new CandidateBuffer(1, capacity);
        let start = 0;
        const all: number[] = [];
        for (const { values, cutoff } of given) {
          buffer.add(start, values.length, Float32Array.from(values), Float32Array.from(values, (value) => value + 100), [cutoff]);
          all.push(...values);
          start += values.length;
        }
        const { tokens, ensemble, final, complete } = buffer.of(0);
        tokens.forEach((token, i) => {
          expect(ensemble[i]).to.equal(all[token]);
          expect(final[i]).to.equal(all[token] + 100);
        });
        all.forEach((value, token) => {
          if (value > complete) expect([...tokens]).to.include(token);
        });
      }),
    );
  });
});
