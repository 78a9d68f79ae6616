import { expect } from 'chai';
import * as fc from 'fast-check';
import { codesOfSemanticIds } from '../../src/tokenizers/codes_of_semantic_ids';

describe('codesOfSemanticIds', () => {
  it('numbers the tokens of each level in the order in which they occur', () => {
    expect(
      codesOfSemanticIds([
        ['<a_5>', '<b_2>', '<c_0>'],
        ['<a_1>', '<b_2>', '<c_7>'],
        ['<a_5>', '<b_9>', '<c_7>'],
      ]),
    ).to.deep.equal([
      [0, 0, 0],
      [1, 0, 1],
      [0, 1, 1],
    ]);
  });

  it('counts the levels apart, also where they share a token', () => {
    expect(
      codesOfSemanticIds([
        ['x', 'y'],
        ['y', 'x'],
        ['x', 'x'],
      ]),
    ).to.deep.equal([
      [0, 0],
      [1, 1],
      [0, 1],
    ]);
  });

  it('has a number for "no token" where an id has ended', () => {
    expect(codesOfSemanticIds([['a'], ['a', 'b'], ['c', 'd', 'e'], []])).to.deep.equal([
      [0, 0, 0],
      [0, 1, 0],
      [1, 2, 1],
      [2, 0, 0],
    ]);
  });

  it('is empty for no items, and for items without tokens', () => {
    expect(codesOfSemanticIds([])).to.deep.equal([]);
    expect(codesOfSemanticIds([[], []])).to.deep.equal([[], []]);
  });

  it('gives two items the same code at a level where their tokens are the same, and only there', () => {
    const id = fc.array(fc.constantFrom('p', 'q', 'r', 's'), { maxLength: 3 });
    fc.assert(
      fc.property(fc.array(id, { minLength: 1, maxLength: 7 }), (ids) => {
        const codes = codesOfSemanticIds(ids);
        const numLevels = Math.max(...ids.map(({ length }) => length));
        for (const [i, one] of ids.entries())
          for (const [j, other] of ids.entries())
            for (let level = 0; level < numLevels; level++)
              expect(codes[i][level] === codes[j][level]).to.equal(one[level] === other[level]);
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});
