import { expect } from 'chai';
import * as fc from 'fast-check';
import { itemCandidates, type ItemPosition, sampleItems } from '../../src/vocabulary/item_candidates';
import { scoredItems } from '../support/item_softmax_reference';

/** Columns of each position. */
function lists(columns: Int32Array, places: Int32Array): number[][] {
  return Array.from({ length: places.length - 1 }, (_, p) => [...columns.slice(places[p], places[p + 1])]);
}

const two: readonly ItemPosition[] = [
  { items: [1], shares: [1], seen: [] },
  { items: [4, 0], shares: [0.75, 0.25], seen: [0, 3, 3] },
];

describe('itemCandidates', () => {
  it('lets every position score all items, and names its targets', () => {
    const { items, candidates } = itemCandidates(two, 5, { excludeSeen: false, hasRepeatBias: false, sample: null });
    expect(items).to.equal(null);
    expect(candidates).to.deep.equal({
      numPositions: 2,
      numShared: 5,
      sharedOffset: 0,
      numOwn: 2,
      ownCount: false,
      own: Int32Array.of(1, 0, 4, 0),
      targets: Float32Array.of(1, 0, 0.75, 0.25),
      ownMarks: Uint8Array.of(0, 2, 0, 0), // the second of the first position is padding
      leftOut: new Int32Array(0),
      leftOutAt: Int32Array.of(0, 0, 0),
      seen: new Int32Array(0),
      seenAt: Int32Array.of(0, 0, 0),
    });
  });

  it('leaves out items seen, but no target', () => {
    const { candidates } = itemCandidates(two, 5, { excludeSeen: true, hasRepeatBias: false, sample: null });
    expect(lists(candidates.leftOut, candidates.leftOutAt)).to.deep.equal([[], [3]]);
    expect([...candidates.ownMarks]).to.deep.equal([0, 2, 0, 0]);
  });

  it('marks items seen, once each, for the repeat bias', () => {
    const all = itemCandidates(two, 5, { excludeSeen: false, hasRepeatBias: true, sample: null }).candidates;
    expect(lists(all.seen, all.seenAt)).to.deep.equal([[], [0, 3]]);
    expect([...all.ownMarks]).to.deep.equal([0, 2, 0, 1]);
    const others = itemCandidates(two, 5, { excludeSeen: true, hasRepeatBias: true, sample: null }).candidates;
    expect(lists(others.seen, others.seenAt), 'a target that is seen').to.deep.equal([[], [0]]);
    expect(lists(others.leftOut, others.leftOutAt)).to.deep.equal([[], [3]]);
  });

  it('scores the items of a sample, and on their own the targets', () => {
    const sample = Int32Array.of(3, 4);
    const { items, candidates } = itemCandidates(two, 6, { excludeSeen: false, hasRepeatBias: false, sample });
    expect([...(items as Int32Array)], 'drawn items, then the others').to.deep.equal([3, 4, 1, 0]);
    expect(candidates.sharedOffset).to.equal(Math.log(3));
    expect([candidates.numShared, candidates.numOwn, candidates.ownCount]).to.deep.equal([2, 2, true]);
    expect([...candidates.own]).to.deep.equal([2, 0, 1, 3]);
    expect(lists(candidates.leftOut, candidates.leftOutAt), '4 is a target').to.deep.equal([[], [1]]);
  });

  it('makes items seen candidates of their own where a sample has a repeat bias, and leaves them out where excluded', () => {
    const sample = Int32Array.of(3, 5);
    const raised = itemCandidates(two, 6, { excludeSeen: false, hasRepeatBias: true, sample });
    expect([...(raised.items as Int32Array)]).to.deep.equal([3, 5, 1, 4, 0]);
    expect([...raised.candidates.own]).to.deep.equal([2, 0, 0, 3, 4, 0]);
    expect([...raised.candidates.ownMarks]).to.deep.equal([0, 2, 2, 0, 1, 1]);
    expect([...raised.candidates.targets]).to.deep.equal([1, 0, 0, 0.75, 0.25, 0]);
    expect(lists(raised.candidates.leftOut, raised.candidates.leftOutAt)).to.deep.equal([[], [0]]);
    const left = itemCandidates(two, 6, { excludeSeen: true, hasRepeatBias: true, sample });
    expect([...left.candidates.own]).to.deep.equal([2, 0, 3, 4]);
    expect(lists(left.candidates.leftOut, left.candidates.leftOutAt)).to.deep.equal([[], [0]]);
    expect(left.candidates.seen.length).to.equal(0);
  });

  it('reads items seen that can be read only once', () => {
    const once = { ...two[1], seen: [0, 3].values() };
    const { candidates } = itemCandidates([once], 5, { excludeSeen: true, hasRepeatBias: true, sample: null });
    expect(lists(candidates.leftOut, candidates.leftOutAt)).to.deep.equal([[3]]);
    expect([...candidates.ownMarks]).to.deep.equal([0, 1]);
  });

  it('scores at each position the items that the rule names, each once', () => {
    const N = 11;
    const item = fc.integer({ min: 0, max: N - 1 });
    const position = fc.record({
      items: fc.uniqueArray(item, { minLength: 1, maxLength: 4 }),
      seen: fc.array(item, { maxLength: 6 }),
    });
    const rule = fc.record({
      excludeSeen: fc.boolean(),
      hasRepeatBias: fc.boolean(),
      sample: fc.option(fc.uniqueArray(item, { minLength: 1, maxLength: 5 }).map((items) => Int32Array.from(items))),
    });
    fc.assert(
      fc.property(fc.array(position, { minLength: 1, maxLength: 3 }), rule, (given, by) => {
        const positions = given.map((each) => ({ ...each, shares: each.items.map(() => 1 / each.items.length) }));
        const { items, candidates } = itemCandidates(positions, N, by);
        const leftOut = lists(candidates.leftOut, candidates.leftOutAt);
        const itemOf = (row: number): number => items?.[row] ?? row;
        positions.forEach((each, p) => {
          const shared = Array.from({ length: candidates.numShared }, (_, row) => row).filter(
            (row) => !leftOut[p].includes(row),
          );
          const range = [p * candidates.numOwn, (p + 1) * candidates.numOwn];
          const marks = candidates.ownMarks.slice(...range);
          const own = [...candidates.own.slice(...range)].filter((_, k) => marks[k] !== 2);
          const scored = [...shared, ...(candidates.ownCount ? own : [])].map(itemOf).sort((a, b) => a - b);
          expect(scored).to.deep.equal(scoredItems(each, N, by).map((one) => one.item));
          expect(own.slice(0, each.items.length).map(itemOf)).to.deep.equal(each.items);
        });
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});

describe('sampleItems', () => {
  it('draws different items, the same for the same seed and step', () => {
    const drawn = sampleItems(101, 17, 3, 5) as Int32Array;
    expect(drawn.length).to.equal(17);
    expect(new Set(drawn).size).to.equal(17);
    expect(drawn.every((item) => item >= 0 && item < 101)).to.equal(true);
    expect(sampleItems(101, 17, 3, 5)).to.deep.equal(drawn);
    expect(sampleItems(101, 17, 3, 6)).to.not.deep.equal(drawn);
    expect(sampleItems(101, 17, 4, 5)).to.not.deep.equal(drawn);
  });

  it('draws all items equally often', () => {
    const [N, M, steps] = [13, 5, 3000];
    const counts = new Int32Array(N);
    for (let step = 0; step < steps; step++) sampleItems(N, M, 1, step)?.forEach((item) => counts[item]++);
    // binomial with p = 5 / 13: the standard deviation is 26.6, and 4 of them are 107
    for (const count of counts) expect(count).to.be.closeTo((steps * M) / N, 107);
  });

  it('draws nothing where all items are asked for, or where a sample would save less than half', () => {
    expect(sampleItems(101, null, 0, 0)).to.equal(null);
    expect(sampleItems(34, 17, 0, 0)).to.equal(null);
    expect(sampleItems(35, 17, 0, 0)?.length).to.equal(17);
    expect(sampleItems(3, 17, 0, 0)).to.equal(null);
  });
});
