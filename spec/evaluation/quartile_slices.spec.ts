import { expect } from 'chai';
import { quartileSlices } from '../../src/evaluation/quartile_slices';

describe('quartileSlices', () => {
  it('cuts at the quartiles, which belong to the lower slice', () => {
    // sorted 1 .. 8: quartiles 2, 4, 6
    expect(quartileSlices([8, 1, 2, 7, 3, 6, 5, 4])).to.deep.equal([
      { low: 1, high: 2, cases: [1, 2] },
      { low: 3, high: 4, cases: [4, 7] },
      { low: 5, high: 6, cases: [5, 6] },
      { low: 7, high: 8, cases: [0, 3] },
    ]);
  });

  it('never parts equal values, and has no empty slice', () => {
    expect(quartileSlices([3, 3, 3, 3, 5])).to.deep.equal([
      { low: 3, high: 3, cases: [0, 1, 2, 3] },
      { low: 5, high: 5, cases: [4] },
    ]);
  });

  it('cuts at the quartiles of another list', () => {
    // quartiles of 0 1 2 3 are 0, 1, 2
    expect(quartileSlices([9, 1, 2, 1], [3, 0, 2, 1])).to.deep.equal([
      { low: 1, high: 1, cases: [1, 3] },
      { low: 2, high: 2, cases: [2] },
      { low: 9, high: 9, cases: [0] },
    ]);
  });
});
