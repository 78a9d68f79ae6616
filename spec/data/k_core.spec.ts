import { expect } from 'chai';
import fc from 'fast-check';
import { kCoreFilter } from '../../src/data/k_core';
import type { InteractionData } from '../../src/data/types';

const dataOf = (sequences: number[][], numItems: number): InteractionData => ({
  name: 'toy',
  itemIds: Array.from({ length: numItems }, (_, i) => `i${i}`),
  titles: Array.from({ length: numItems }, (_, i) => `t${i}`),
  userIds: sequences.map((_, u) => `u${u}`),
  sequences: sequences.map((sequence) => Int32Array.from(sequence)),
});

describe('kCoreFilter', () => {
  it('follows a chain of removals to its end and renumbers what is left', () => {
    // k = 3: item 3 has two interactions; without it user 3 has two; without user 3 every item has three; item 4 has
    // none.
    const { data, dropped } = kCoreFilter(
      dataOf(
        [
          [2, 1, 0],
          [0, 1, 2, 3],
          [1, 0, 2],
          [0, 1, 3],
        ],
        5,
      ),
      3,
    );
    expect(data.userIds).to.deep.equal(['u0', 'u1', 'u2']);
    expect(data.itemIds).to.deep.equal(['i0', 'i1', 'i2']);
    expect(data.titles).to.deep.equal(['t0', 't1', 't2']);
    expect(data.sequences.map((sequence) => [...sequence])).to.deep.equal([
      [2, 1, 0],
      [0, 1, 2],
      [1, 0, 2],
    ]);
    expect(dropped).to.deep.equal({ users: 1, items: 2, interactions: 4 });
  });
  it('with k = 0 keeps every item and drops only users with fewer than three interactions', () => {
    const { data, dropped } = kCoreFilter(dataOf([[0, 1], [1, 1, 1], []], 3), 0);
    expect(data.itemIds).to.have.length(3);
    expect(data.userIds).to.deep.equal(['u1']);
    expect(dropped).to.deep.equal({ users: 2, items: 0, interactions: 2 });
  });
  it('is a fixed point, and the largest one: nothing that satisfies k is lost', () => {
    const sequences = fc.array(fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 12 }), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(sequences, fc.integer({ min: 1, max: 5 }), (raw, k) => {
        const input = dataOf(raw, 7);
        let kept: InteractionData;
        try {
          kept = kCoreFilter(input, k).data;
        } catch {
          kept = dataOf([], 0);
        }
        if (kept.userIds.length > 0) {
          const counts = new Map<number, number>();
          for (const sequence of kept.sequences) {
            expect(sequence.length).to.be.at.least(Math.max(k, 3));
            for (const item of sequence) counts.set(item, (counts.get(item) ?? 0) + 1);
          }
          for (let item = 0; item < kept.itemIds.length; item++) expect(counts.get(item) ?? 0).to.be.at.least(k);
          expect(kCoreFilter(kept, k)).to.deep.equal({ data: kept, dropped: { users: 0, items: 0, interactions: 0 } });
        }
        // Reference: remove one offender at a time; the k-core does not depend on the order.
        let left = raw.map((sequence, user) => ({ user, sequence }));
        for (;;) {
          const short = left.find(({ sequence }) => sequence.length < Math.max(k, 3));
          if (short) {
            left = left.filter((row) => row !== short);
            continue;
          }
          const all = left.flatMap(({ sequence }) => sequence);
          const rare = all.find((item) => all.filter((other) => other === item).length < k);
          if (rare === undefined) break;
          left = left.map(({ user, sequence }) => ({ user, sequence: sequence.filter((item) => item !== rare) }));
        }
        expect(kept.userIds).to.deep.equal(left.map(({ user }) => `u${user}`));
      }),
    );
  });
  it('names the largest k that leaves something when nothing is left', () => {
    const data = dataOf(
      [
        [0, 1, 2, 0],
        [0, 1, 2, 1],
        [0, 1, 2, 2],
      ],
      3,
    );
    expect(() => kCoreFilter(data, 9)).to.throw(
      'prepareInteractions: kCore must leave some users and items of toy, got 9, which leaves none; use 4 at most',
    );
    expect(kCoreFilter(data, 4).data.userIds).to.have.length(3);
    expect(() => kCoreFilter(dataOf([[0, 1]], 2), 5)).to.throw(
      'prepareInteractions: toy must have a user with 3 interactions or more, got 2 at most',
    );
    expect(() => kCoreFilter(dataOf([], 2), 0)).to.throw('got 0 at most');
  });
});
