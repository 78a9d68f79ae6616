import { expect } from 'chai';
import { buildPrefixTrie } from '../../src/generation/prefix_trie';
import { futureTokens, type FutureTokens } from '../../src/rewards/future_tokens';

const trie = buildPrefixTrie([
  [3, 5],
  [3, 6],
  [4, 5],
]);

/** The masses of each response position, `token: mass`. */
function byPosition({ rows, tokens, masses }: FutureTokens): Record<number, number>[] {
  const found: Record<number, number>[] = [];
  rows.forEach((row, i) => ((found[row] ??= {})[tokens[i]] = masses[i]));
  return found;
}

function expectMasses(found: FutureTokens, expected: readonly Record<number, number>[]): void {
  const masses = byPosition(found);
  expect(masses.map((one) => Object.keys(one))).to.deep.equal(expected.map((one) => Object.keys(one)));
  expected.forEach((one, p) =>
    Object.entries(one).forEach(([token, mass]) => expect(masses[p][Number(token)]).to.be.closeTo(mass, 1e-7)),
  );
}

describe('futureTokens', () => {
  it('follows the next items along the label, in a row that shows them', () => {
    // the items 0, 1, 2 after a start token
    const context = {
      inputIds: Int32Array.of(1, 3, 5, 3, 6, 4),
      labels: Int32Array.of(3, 5, 3, 6, 4, 5),
      batchSize: 1,
      sequenceLength: 6,
      positions: Int32Array.of(0, 1, 2, 3, 4, 5),
    };
    expectMasses(futureTokens({ trie })(context), [
      { 3: 6 / 7, 4: 1 / 7 }, // items 0, 1, 2 with 4, 2, 1 of 7
      { 5: 2 / 3, 6: 1 / 3 }, // of those that begin with 3: 4 and 2
      { 3: 2 / 3, 4: 1 / 3 },
      { 6: 1 },
      { 4: 1 },
      { 5: 1 },
    ]);
    expectMasses(futureTokens({ trie, numItems: 2, decay: 1 })(context), [
      { 3: 1 },
      { 5: 0.5, 6: 0.5 },
      { 3: 0.5, 4: 0.5 },
      { 6: 1 },
      { 4: 1 },
      { 5: 1 },
    ]);
  });

  it('stops at the end of a row, of a history and of the items', () => {
    const context = {
      inputIds: Int32Array.of(1, 3, 5, 2, 4, 5, 1, 4, 5, 8, 3, 6),
      labels: Int32Array.of(3, 5, 2, 4, 5, 2, 4, 5, 3, 3, 6, 2),
      batchSize: 2,
      sequenceLength: 6,
      positions: Int32Array.from({ length: 12 }, (_, p) => p),
    };
    expectMasses(futureTokens({ trie, separators: [2] })(context), [
      { 3: 1 }, // item 0; item 2 behind the separator is another user's
      { 5: 1 },
      { 2: 1 }, // no item goes on with it
      { 4: 1 },
      { 5: 1 },
      { 2: 1 },
      { 3: 1 / 3, 4: 2 / 3 }, // the second row: items 2 and 1
      { 5: 1 },
      { 3: 1 },
      { 3: 1 },
      { 6: 1 },
      { 2: 1 },
    ]);
  });

  it('finds them in the histories behind text prompts, as the mean of users who share one', () => {
    const context = {
      inputIds: Int32Array.of(9, 3, 8, 4),
      labels: Int32Array.of(3, 5, 4, 5),
      batchSize: 2,
      sequenceLength: 2,
      positions: Int32Array.of(0, 1, 2, 3),
    };
    const historyOf = (prompt: Int32Array): number[] | null => (prompt[0] === 9 ? [2] : null);
    const sequences = [
      [1, 2, 0, 1],
      [2, 0, 2],
    ];
    expectMasses(futureTokens({ trie, historyOf, sequences, maxHistory: 1 })(context), [
      { 3: 5 / 6, 4: 1 / 6 }, // item 0 with 2/3, items 1 and 2 with 1/6 each
      { 5: 4 / 5, 6: 1 / 5 },
      { 4: 1 }, // a prompt without a history
      { 5: 1 },
    ]);
    // with all of the first user's history, the second one alone fits
    expectMasses(futureTokens({ trie, historyOf, sequences })(context), [
      { 3: 2 / 3, 4: 1 / 3 },
      { 5: 1 },
      { 4: 1 },
      { 5: 1 },
    ]);
  });

  it('takes the shorter of two items where it ends', () => {
    const nested = buildPrefixTrie([[3], [3, 5], [4]]);
    const context = {
      inputIds: Int32Array.of(1, 3, 3),
      labels: Int32Array.of(3, 3, 5),
      batchSize: 1,
      sequenceLength: 3,
      positions: Int32Array.of(0, 1, 2),
    };
    expectMasses(futureTokens({ trie: nested })(context), [{ 3: 1 }, { 3: 1 }, { 5: 1 }]); // items 0, 1
  });
});
