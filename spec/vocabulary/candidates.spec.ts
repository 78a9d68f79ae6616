import { expect } from 'chai';
import fc from 'fast-check';
import { CandidateBuffer } from '../../src/vocabulary/candidates';

/** One part as the pass over the vocabulary gives it; a logit is its ranking logit + 100. */
function part(
  buffer: CandidateBuffer,
  start: number,
  rows: readonly (readonly number[])[],
  cutoffs: readonly number[],
): void {
  const open = buffer.raise(
    cutoffs,
    rows.map((row) => Math.max(-Infinity, ...row)),
  );
  const values = open.flatMap((row) => rows[row]);
  buffer.add(
    open,
    start,
    rows[0].length,
    Float32Array.from(values),
    Float32Array.from(values, (value) => value + 100),
  );
}

describe('CandidateBuffer', () => {
  it('keeps what is above the cutoff, with both logits', () => {
    const buffer = new CandidateBuffer(2, 3);
    part(
      buffer,
      10,
      [
        [1, 5, 2],
        [0, -1, 7],
      ],
      [1.5, 0],
    );
    expect([...buffer.of(0).tokens]).to.deep.equal([11, 12]);
    expect([...buffer.of(0).logits]).to.deep.equal([105, 102]);
    expect([...buffer.of(1).tokens]).to.deep.equal([12]);
    expect([buffer.of(0).completeAbove, buffer.of(1).completeAbove]).to.deep.equal([1.5, 0]);
  });

  it('makes room by a cutoff that has risen, and gives a row up that still does not fit', () => {
    const buffer = new CandidateBuffer(1, 2);
    part(buffer, 0, [[1, 4]], [-Infinity]);
    part(buffer, 2, [[3, 2]], [2]); // 1 is dropped, and 2 is at the cutoff
    expect([...buffer.of(0).tokens]).to.deep.equal([1, 2]);
    expect(buffer.of(0).completeAbove).to.equal(2);
    part(buffer, 4, [[9]], [2]);
    expect(buffer.of(0).completeAbove).to.equal(Infinity);
    expect(buffer.raise([3], [100])).to.deep.equal([]);
  });

  it('never lowers a cutoff', () => {
    const buffer = new CandidateBuffer(1, 5);
    part(buffer, 0, [[1, 4]], [3]);
    part(buffer, 2, [[2, 5]], [0]);
    expect([...buffer.of(0).tokens]).to.deep.equal([1, 3]);
    expect(buffer.of(0).completeAbove).to.equal(3);
  });

  it('remembers the cutoff of a part in which nothing was above it', () => {
    const buffer = new CandidateBuffer(2, 5);
    part(
      buffer,
      0,
      [
        [1, 2],
        [7, 2],
      ],
      [6, 6],
    );
    expect(buffer.of(0).completeAbove).to.equal(6);
  });

  it('holds every token above the last cutoff, in any order and any parts, or says that it does not', () => {
    const parts = fc.array(
      fc.record({
        values: fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 1, maxLength: 7 }),
        cutoff: fc.integer({ min: -20, max: 20 }),
      }),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(parts, fc.integer({ min: 1, max: 9 }), (given, capacity) => {
        const buffer = new CandidateBuffer(1, capacity);
        const all: number[] = [];
        for (const { values, cutoff } of given) {
          part(buffer, all.length, [values], [cutoff]);
          all.push(...values);
        }
        const { tokens, rankingLogits, logits, completeAbove } = buffer.of(0);
        tokens.forEach((token, i) =>
          expect([rankingLogits[i], logits[i]]).to.deep.equal([all[token], all[token] + 100]),
        );
        all.forEach((value, token) => {
          if (value > completeAbove) expect([...tokens]).to.include(token);
        });
      }),
    );
  });
});
