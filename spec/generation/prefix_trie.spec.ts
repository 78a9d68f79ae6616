import { expect } from 'chai';
import fc from 'fast-check';
import { IlrecError } from '../../src/errors';
import { buildPrefixTrie, childOf, itemsEndingAt, nodeOfPrefix } from '../../src/generation/prefix_trie';

/** Catalogues over few tokens, so that shared sequences and prefixes of prefixes are common. */
const catalogues = fc.array(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 4 }), {
  minLength: 1,
  maxLength: 30,
});

describe('buildPrefixTrie', () => {
  it('numbers nodes breadth first, edge e leading to node e + 1, with a range of items per node', () => {
    //                        item 0  1    2    3       4          5
    const trie = buildPrefixTrie([[5, 6], [3], [5], [5, 6], [5, 4, 9], [3, 2]]);
    // root -3-> 1, -5-> 2; 1 -2-> 3; 2 -4-> 4, -6-> 5; 4 -9-> 6
    expect(trie.numNodes).to.equal(7);
    expect([...trie.childStart]).to.deep.equal([0, 2, 3, 5, 5, 6, 6, 6]);
    expect([...trie.childToken]).to.deep.equal([3, 5, 2, 4, 6, 9]);
    expect([...trie.itemOrder]).to.deep.equal([1, 5, 2, 4, 0, 3]); // [3] [3 2] [5] [5 4 9] [5 6] [5 6]
    expect([...trie.itemLow]).to.deep.equal([0, 0, 2, 1, 3, 4, 3]);
    expect([...trie.itemHigh]).to.deep.equal([6, 2, 6, 2, 4, 6, 4]);
    expect([...trie.terminalHigh]).to.deep.equal([0, 1, 3, 2, 3, 6, 4]);
  });

  it('finds children by token and says -1 where no item continues so', () => {
    const trie = buildPrefixTrie([[5, 6], [3], [5, 4, 9]]);
    expect(childOf(trie, 0, 3)).to.equal(1);
    expect(childOf(trie, 0, 5)).to.equal(2);
    expect([0, 4, 6].map((token) => childOf(trie, 0, token))).to.deep.equal([-1, -1, -1]);
    expect(childOf(trie, 1, 3)).to.equal(-1); // a leaf
    expect(nodeOfPrefix(trie, [])).to.equal(0);
    expect([...itemsEndingAt(trie, nodeOfPrefix(trie, [5, 4, 9]))]).to.deep.equal([2]);
    expect(nodeOfPrefix(trie, [5, 9, 4])).to.equal(-1);
  });

  it('holds a single item, and items that share one sequence in the order of their numbers', () => {
    expect(buildPrefixTrie([[0]]).numNodes).to.equal(2);
    const trie = buildPrefixTrie([
      [2, 1],
      [2, 1],
      [2, 1],
    ]);
    expect([...itemsEndingAt(trie, nodeOfPrefix(trie, [2, 1]))]).to.deep.equal([0, 1, 2]);
    expect(trie.numNodes).to.equal(3);
  });

  it('reaches every item through its own sequence, and nothing else, in any catalogue', () => {
    fc.assert(
      fc.property(catalogues, (sequences) => {
        const trie = buildPrefixTrie(sequences);
        sequences.forEach((sequence, item) => {
          const behind = [...itemsEndingAt(trie, nodeOfPrefix(trie, sequence))];
          expect(behind).to.deep.equal(
            [...sequences.keys()].filter((other) => sequences[other].join() === sequences[item].join()),
          );
        });
        expect(Array.from(trie.itemOrder).sort((a, b) => a - b)).to.deep.equal([...sequences.keys()]);
        for (let node = 0, ended = 0; node < trie.numNodes; node++) {
          ended += trie.terminalHigh[node] - trie.itemLow[node];
          if (node === trie.numNodes - 1) expect(ended).to.equal(sequences.length); // each item ends at one node
          let low = trie.terminalHigh[node];
          for (let edge = trie.childStart[node]; edge < trie.childStart[node + 1]; edge++) {
            if (edge > trie.childStart[node]) expect(trie.childToken[edge]).to.be.above(trie.childToken[edge - 1]);
            expect(trie.itemLow[edge + 1]).to.equal(low); // children divide what continues, in order
            low = trie.itemHigh[edge + 1];
          }
          expect(low).to.equal(trie.itemHigh[node]);
        }
      }),
    );
  });

  it('orders items as sorting their sequences does, whatever the size of the tokens', () => {
    const tokens = fc.oneof(
      fc.integer({ min: 0, max: 2 }),
      fc.integer({ min: 65533, max: 65538 }),
      fc.integer({ min: 2 ** 31 - 3, max: 2 ** 31 - 1 }),
    ); // sorted by 16 bits at a time
    fc.assert(
      fc.property(
        fc.array(fc.array(tokens, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 30 }),
        (sequences) => {
          const place = (a: number[], b: number[]): number => {
            const at = a.findIndex((token, t) => token !== b[t]);
            return at < 0 ? a.length - b.length : at < b.length ? a[at] - b[at] : 1;
          };
          const expected = [...sequences.keys()].sort((i, j) => place(sequences[i], sequences[j]) || i - j);
          expect([...buildPrefixTrie(sequences).itemOrder]).to.deep.equal(expected);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('refuses an empty catalogue, an empty sequence and what is not a token id', () => {
    expect(() => buildPrefixTrie([])).to.throw(
      IlrecError,
      'buildPrefixTrie: the catalogue must have at least one item, got 0',
    );
    expect(() => buildPrefixTrie([[1], []])).to.throw(
      "buildPrefixTrie: an item's sequence must have at least one token, got none for item 1; give the item a semantic id",
    );
    for (const token of [-1, 1.5, NaN, 2 ** 31]) {
      expect(() => buildPrefixTrie([[1, token]])).to.throw(
        `buildPrefixTrie: a token must be an integer in [0, 2^31), got ${token} at index 1 of item 0`,
      );
    }
  });
});
