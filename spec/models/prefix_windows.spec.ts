import { expect } from 'chai';
import { prefixMembers, prefixWindows } from '../../src/models/prefix_windows';

const items = { startTokenId: 9, padTokenId: 9, firstItemToken: 0 };
const histories = [[1, 2, 3, 4], Int32Array.of(5), []];

describe('prefixWindows', () => {
  it('covers all prefixes of a history by one row, which is as long as the longest of them', () => {
    const { ids, length, positions } = prefixWindows(
      histories,
      Int32Array.of(0, 1, 0, 2),
      Int32Array.of(1, 1, 3, 0),
      Infinity,
      items,
    );
    expect(length).to.equal(4);
    expect([...ids]).to.deep.equal([9, 1, 2, 3, 9, 5, 9, 9, 9, 9, 9, 9]);
    expect([...positions], 'after 1; after 5; after 3; the start').to.deep.equal([1, 5, 3, 8]);
  });

  it('gives a row of its own to a prefix that is too long, with its newest items', () => {
    const { ids, length, positions } = prefixWindows(
      histories,
      Int32Array.of(0, 0, 0, 0),
      Int32Array.of(4, 2, 3, 0),
      2,
      items,
    );
    expect(length).to.equal(3);
    expect([...ids]).to.deep.equal([9, 3, 4, 9, 1, 2, 9, 2, 3]);
    expect([...positions]).to.deep.equal([2, 5, 8, 3]);
  });

  it('names items as the model does', () => {
    const { ids } = prefixWindows([[0, 4], [2]], Int32Array.of(0, 1), Int32Array.of(2, 1), 5, {
      startTokenId: 0,
      padTokenId: 7,
      firstItemToken: 1,
    });
    expect([...ids]).to.deep.equal([0, 1, 5, 0, 3, 7]);
  });
});

describe('prefixMembers', () => {
  it('is 1 at the items of each prefix, once or more often', () => {
    const members = prefixMembers([[1, 3, 1, 0], []], Int32Array.of(0, 0, 1), Int32Array.of(3, 4, 0), 5);
    expect([...members]).to.deep.equal([0, 1, 0, 1, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
  });
});
