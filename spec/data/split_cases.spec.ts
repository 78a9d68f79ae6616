import { expect } from 'chai';
import { splitCases } from '../../src/data/split_cases';

describe('splitCases', () => {
  const split = {
    train: [Int32Array.of(1, 2), Int32Array.of(5)],
    validation: Int32Array.of(3, 6),
    test: Int32Array.of(4, 7),
  };

  it('asks for the last but one item after the training items, or for the last after those and the validation item', () => {
    const valid = splitCases(split, 'valid');
    expect([valid.histories.map((h) => [...h]), [...valid.targets]]).to.deep.equal([
      [[1, 2], [5]],
      [3, 6],
    ]);
    const test = splitCases(split, 'test');
    expect([test.histories.map((h) => [...h]), [...test.targets]]).to.deep.equal([
      [
        [1, 2, 3],
        [5, 6],
      ],
      [4, 7],
    ]);
  });
});
