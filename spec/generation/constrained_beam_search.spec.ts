import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { IlrecError } from '../../src/errors';
import { constrainedBeamSearch } from '../../src/generation/constrained_beam_search';
import { popularityTies } from '../../src/generation/item_ties';
import { buildPrefixTrie, childOf, type PrefixTrie } from '../../src/generation/prefix_trie';
import { forEachBackend } from '../support/backends';
import { FakeDecoder } from '../support/fake_decoder';

const VOCAB = 11;
const catalogues = fc.array(fc.array(fc.integer({ min: 3, max: 7 }), { minLength: 1, maxLength: 4 }), {
  minLength: 1,
  maxLength: 25,
});
const prompts = fc.array(fc.array(fc.integer({ min: 0, max: VOCAB - 1 }), { minLength: 1, maxLength: 5 }), {
  minLength: 1,
  maxLength: 3,
});

/** log p of each item's tokens after the prompt, in float64, over the vocabulary or over the tokens that may follow. */
function bruteForce(
  decoder: FakeDecoder,
  trie: PrefixTrie,
  sequences: readonly number[][],
  prompt: readonly number[],
  renormalize: boolean,
): number[] {
  return sequences.map((sequence) => {
    let node = 0;
    let score = 0;
    sequence.forEach((token, t) => {
      const logits = decoder.logits([...prompt, ...sequence.slice(0, t)]);
      const rivals = renormalize
        ? Array.from(trie.childToken.subarray(trie.childStart[node], trie.childStart[node + 1]), (v) => logits[v])
        : logits;
      const max = Math.max(...rivals);
      score += logits[token] - max - Math.log(rivals.reduce((sum, logit) => sum + Math.exp(logit - max), 0));
      node = childOf(trie, node, token);
    });
    return score;
  });
}

/**
 * Prefixes as strings, sorted arrays, float64: items complete at a level are kept aside, of the others the best
 * `beamWidth` go on.
 */
function plainBeamSearch(
  decoder: FakeDecoder,
  sequences: readonly number[][],
  prompt: readonly number[],
  beamWidth: number,
): { item: number; score: number }[] {
  const best = <T extends { score: number; prefix: number[] }>(list: T[]): T[] =>
    list
      .sort((a, b) => b.score - a.score || a.prefix.length - b.prefix.length || (a.prefix < b.prefix ? -1 : 1))
      .slice(0, beamWidth);
  const complete: { score: number; prefix: number[] }[] = [];
  for (let beams = [{ score: 0, prefix: [] as number[] }]; beams.length > 0;) {
    const candidates = beams.flatMap(({ score, prefix }) => {
      const logits = decoder.logits([...prompt, ...prefix]);
      const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
      const following = sequences.filter(
        (sequence) => sequence.length > prefix.length && sequence.slice(0, prefix.length).join() === prefix.join(),
      );
      return [...new Set(following.map((sequence) => sequence[prefix.length]))].map((token) => ({
        score: score + logits[token] - total,
        prefix: [...prefix, token],
      }));
    });
    complete.push(
      ...candidates.filter(({ prefix }) => sequences.some((sequence) => sequence.join() === prefix.join())),
    );
    beams = best(
      candidates.filter(({ prefix }) => sequences.some((sequence) => sequence.join().startsWith(prefix.join() + ','))),
    );
  }
  return best(complete)
    .flatMap(({ score, prefix }) =>
      [...sequences.keys()].filter((item) => sequences[item].join() === prefix.join()).map((item) => ({ item, score })),
    )
    .slice(0, beamWidth);
}

describe('constrainedBeamSearch', () => {
  forEachBackend((backend) => {
    const numRuns = backend === 'cpu' ? 60 : 25;

    it('equals scoring every item when the beam is wide, in any catalogue', async () => {
      await fc.assert(
        fc.asyncProperty(
          catalogues,
          prompts,
          fc.boolean(),
          fc.constantFrom(4, 8192),
          async (sequences, batch, renormalize, vocabTileSize) => {
            const decoder = new FakeDecoder(VOCAB);
            const trie = buildPrefixTrie(sequences);
            const ranked = await constrainedBeamSearch(decoder, trie, batch, {
              beamWidth: 1000,
              renormalize,
              vocabTileSize,
            });
            batch.forEach((prompt, user) => {
              const { items, scores } = ranked[user];
              const expected = bruteForce(decoder, trie, sequences, prompt, renormalize);
              // every item once, nothing else
              expect([...items].sort((a, b) => a - b)).to.deep.equal([...sequences.keys()]);
              items.forEach((item, rank) => {
                expect(scores[rank]).to.be.closeTo(expected[item], 2e-5);
                if (rank > 0) expect(scores[rank]).to.be.at.most(scores[rank - 1]);
              });
            });
            expect(decoder.openStates).to.equal(0);
          },
        ),
        { numRuns },
      );
    });

    it('equals a plain beam search that sorts all candidates, however narrow the beam', async () => {
      await fc.assert(
        fc.asyncProperty(catalogues, prompts, fc.integer({ min: 1, max: 4 }), async (sequences, batch, beamWidth) => {
          const decoder = new FakeDecoder(VOCAB);
          const ranked = await constrainedBeamSearch(decoder, buildPrefixTrie(sequences), batch, { beamWidth });
          batch.forEach((prompt, user) => {
            const expected = plainBeamSearch(decoder, sequences, prompt, beamWidth);
            expect([...ranked[user].items]).to.deep.equal(expected.map(({ item }) => item));
            ranked[user].scores.forEach((score, rank) => expect(score).to.be.closeTo(expected[rank].score, 2e-5));
          });
        }),
        // float32 may order near-equal scores differently than float64: a fixed seed cannot fail by chance
        { numRuns, seed: 11 },
      );
    });

    it('gives probabilities that sum to 1 over the leaves when renormalised', async () => {
      const sequences = [
        [3, 4],
        [3, 5],
        [6, 3],
        [7, 3],
        [7, 4],
        [7, 8],
      ];
      const [{ scores }] = await constrainedBeamSearch(new FakeDecoder(VOCAB), buildPrefixTrie(sequences), [[1]], {
        renormalize: true,
      });
      expect(scores.length).to.equal(6);
      expect(scores.reduce((sum, score) => sum + Math.exp(score), 0)).to.be.closeTo(1, 1e-5);
    });

    it('does not depend on the other users of the batch', async () => {
      const trie = buildPrefixTrie(
        Array.from({ length: 40 }, (_, item) => [3 + (item % 5), 3 + (item % 7), 3 + (item % 3)]),
      );
      const batch = [[1, 2], [4], [1, 5, 6, 7, 8], [9, 9]];
      const together = await constrainedBeamSearch(new FakeDecoder(VOCAB), trie, batch, { beamWidth: 3 });
      for (const [user, prompt] of batch.entries()) {
        const [alone] = await constrainedBeamSearch(new FakeDecoder(VOCAB), trie, [prompt], { beamWidth: 3 });
        expect([...together[user].items]).to.deep.equal([...alone.items]);
      }
    });

    it('runs each prompt once and projects no more than the rows and tokens of the step', async () => {
      const decoder = new FakeDecoder(101);
      const sequences = [
        [10, 20, 30],
        [10, 21, 31],
        [11, 20, 30],
        [11, 22, 32],
        [12, 20, 33],
      ];
      await constrainedBeamSearch(decoder, buildPrefixTrie(sequences), [[1, 2, 3], [4]], {
        beamWidth: 2,
        renormalize: true,
      });
      expect(decoder.prefilledTokens).to.equal(4);
      expect(decoder.prefills).to.equal(1);
      expect(decoder.steps).to.equal(2);
      expect(decoder.projections.map(({ rows }) => rows)).to.deep.equal([2, 4, 4]);
      expect(decoder.projections[0].columns).to.equal(3); // 10, 11, 12
      expect(decoder.projections[1].columns).to.be.at.most(3); // of 20, 21, 22
    });

    it('projects the vocabulary once where it fits one tile and in tiles where it does not', async () => {
      const trie = buildPrefixTrie([[3], [5]]);
      const whole = new FakeDecoder(VOCAB);
      const tiled = new FakeDecoder(VOCAB);
      const [a] = await constrainedBeamSearch(whole, trie, [[1]], { vocabTileSize: 11 });
      const [b] = await constrainedBeamSearch(tiled, trie, [[1]], { vocabTileSize: 4 });
      expect(whole.projections.map(({ columns }) => columns)).to.deep.equal([11]);
      // two tokens; tiles of 4, 4, 3
      expect(tiled.projections.map(({ columns }) => columns).sort()).to.deep.equal([2, 3, 4, 4]);
      expect([...b.items]).to.deep.equal([...a.items]);
      expect(b.scores[0]).to.be.closeTo(a.scores[0], 1e-5);
    });

    it('projects the vocabulary once where its logits take no more memory than a tile of 8192 tokens, and reads only the columns it needs @slow', async () => {
      const sequences = Array.from({ length: 120 }, (_, item) => [3 + (item % 24), 300 + (item >> 3), 60 + item]);
      const trie = buildPrefixTrie(sequences);
      const batch = [[1], [2, 3], [4], [5], [6]];
      const projections = async (vocabSize: number, vocabTileSize?: number) => {
        const decoder = new FakeDecoder(vocabSize);
        return {
          ranked: await constrainedBeamSearch(decoder, trie, batch, { vocabTileSize }),
          columns: decoder.projections.map(({ columns }) => columns),
        };
      };
      // 100 rows of 8500 are below 8192 tokens of 100 rows and a hidden size of 7, and above the 2^18 that are read as
      // they are
      const whole = await projections(8500);
      const tiled = await projections(8500, 4096);
      expect(whole.columns).to.deep.equal([8500, 8500, 8500]);
      expect(tiled.columns.filter((columns) => columns >= 308)).to.deep.equal([
        4096, 4096, 308, 4096, 4096, 308, 4096, 4096, 308,
      ]);
      whole.ranked.forEach(({ items, scores }, user) => {
        expect([...items]).to.deep.equal([...tiled.ranked[user].items]);
        scores.forEach((score, rank) => expect(score).to.be.closeTo(tiled.ranked[user].scores[rank], 2e-5));
      });
      expect((await projections(9000)).columns.filter((columns) => columns > 300)).to.deep.equal([
        9000, 8192, 808, 8192, 808,
      ]); // 100 rows need tiles, the first step with its 5 does not
    });

    it('stays exact where logits are in the hundreds', async () => {
      const sequences = [[3, 4], [3, 5], [6, 3], [7], [7, 8]];
      const trie = buildPrefixTrie(sequences);
      for (const renormalize of [true, false]) {
        for (const vocabTileSize of [3, 8192]) {
          const decoder = new FakeDecoder(VOCAB, 1, 60);
          const [{ items, scores }] = await constrainedBeamSearch(decoder, trie, [[1]], { renormalize, vocabTileSize });
          const expected = bruteForce(decoder, trie, sequences, [1], renormalize);
          expect(items.length).to.equal(5);
          items.forEach((item, rank) => expect(scores[rank]).to.be.closeTo(expected[item], 1e-3)); // float32 has 3e-5 at 500
        }
      }
    });

    it('hands the decoder the width asked for, or that of the widest level where all prefixes fit', async () => {
      const trie = buildPrefixTrie([
        [3, 3],
        [4, 3],
        [5, 3, 4],
        [5, 4],
      ]);
      const decoder = new FakeDecoder(VOCAB);
      for (const beamWidth of [1, 2, 20]) await constrainedBeamSearch(decoder, trie, [[1]], { beamWidth });
      expect(decoder.beamWidths).to.deep.equal([1, 2, 3]); // 3, 4 and 5 continue; no level has more
    });

    it('ranks items behind one sequence by the tie rule and lets them share its score', async () => {
      const sequences = [
        [3, 4],
        [3, 4],
        [3, 4],
      ];
      const trie = buildPrefixTrie(sequences);
      const byNumber = await constrainedBeamSearch(new FakeDecoder(VOCAB), trie, [[1]]);
      expect([...byNumber[0].items]).to.deep.equal([0, 1, 2]);
      const byCount = await constrainedBeamSearch(new FakeDecoder(VOCAB), trie, [[1]], {
        rankTies: popularityTies([2, 7, 2]),
      });
      expect([...byCount[0].items]).to.deep.equal([1, 0, 2]);
      expect(new Set(byCount[0].scores).size).to.equal(1);
    });

    it('breaks equal scores by the lower trie edge', async () => {
      const decoder = new FakeDecoder(VOCAB, 1, 0); // all logits 0: every token has probability 1 / V
      const [{ items, scores }] = await constrainedBeamSearch(
        decoder,
        buildPrefixTrie([[6, 3], [5], [4, 4], [4, 3], [3]]),
        [[1]],
      );
      expect([...items]).to.deep.equal([4, 1, 3, 2, 0]); // [3] [5] | [4 3] [4 4] [6 3]
      [-1, -1, -2, -2, -2].forEach((factor, rank) =>
        expect(scores[rank]).to.be.closeTo(factor * Math.log(VOCAB), 1e-5),
      );
    });

    it('returns more items than beams when asked, and fewer only where there are no more', async () => {
      const sequences = Array.from({ length: 12 }, (_, item) => [3 + (item % 2), 3 + (item >> 1)]);
      const [wide] = await constrainedBeamSearch(new FakeDecoder(VOCAB), buildPrefixTrie(sequences), [[1]], {
        beamWidth: 1,
        listLength: 5,
      });
      expect(wide.items.length).to.equal(5);
      const [all] = await constrainedBeamSearch(new FakeDecoder(VOCAB), buildPrefixTrie(sequences), [[1]], {
        beamWidth: 2,
        listLength: 50,
      });
      expect(all.items.length).to.equal(12);
    });

    it('leaves out what a user excludes and gives its beam to others, scores unchanged', async () => {
      const sequences = [[3, 4], [3, 5], [6], [6, 3], [7, 3], [7, 3]];
      const trie = buildPrefixTrie(sequences);
      const search = (exclude: (Set<number> | null)[], beamWidth = 20) =>
        constrainedBeamSearch(new FakeDecoder(VOCAB), trie, [[1], [1]], { exclude, beamWidth, listLength: 20 });
      const [some, none] = await search([new Set([0, 2, 4]), null]);
      expect([...some.items]).to.deep.equal([...none.items].filter((item) => ![0, 2, 4].includes(item)));
      some.items.forEach((item, rank) => expect(some.scores[rank]).to.equal(none.scores[none.items.indexOf(item)]));
      const [onlyOne] = await search([new Set([0, 1, 2, 3, 5, 99]), null], 1); // 99 is no item
      expect([...onlyOne.items]).to.deep.equal([4]);
      const [nothing] = await search([new Set([0, 1, 2, 3, 4, 5]), null]);
      expect(nothing.items.length).to.equal(0);
    });

    it('leaves no tensor behind, also when it fails', async () => {
      const trie = buildPrefixTrie([[3, 4], [5], [5, 6]]);
      const before = tf.memory().numTensors;
      for (const renormalize of [true, false]) {
        for (const vocabTileSize of [3, 100])
          await constrainedBeamSearch(new FakeDecoder(VOCAB), trie, [[1], [2, 3]], { renormalize, vocabTileSize });
      }
      const broken = new FakeDecoder(VOCAB, 1, NaN);
      const message = await constrainedBeamSearch(broken, trie, [[1]]).then(String, (error: Error) => error.message);
      expect(message).to.equal(
        "constrainedBeamSearch: log-probabilities must be numbers, got NaN for token 3; the model's weights have diverged",
      );
      expect(broken.openStates).to.equal(0);
      expect(tf.memory().numTensors).to.equal(before);
    });
  });

  it('takes listLength under its old name numItems, and says so once', async () => {
    const trie = buildPrefixTrie([[3], [4], [5]]);
    const warnings: string[] = [];
    const { warn } = console;
    console.warn = (message: string) => void warnings.push(message);
    try {
      for (let call = 0; call < 2; call++) {
        const [{ items }] = await constrainedBeamSearch(new FakeDecoder(VOCAB), trie, [[1]], { numItems: 2 });
        expect(items).to.have.length(2);
      }
    } finally {
      console.warn = warn;
    }
    expect(warnings).to.deep.equal([
      'constrainedBeamSearch: the option numItems is now called listLength; the old name still works',
    ]);
  });

  it('refuses what it cannot search, each by a sentence', async () => {
    const trie = buildPrefixTrie([[3, 9]]);
    const messageOf = async (batch: number[][], options = {}, vocabSize = VOCAB): Promise<string> => {
      try {
        await constrainedBeamSearch(new FakeDecoder(vocabSize), trie, batch, options);
        return 'nothing thrown';
      } catch (error) {
        expect(error).to.be.instanceOf(IlrecError);
        return (error as Error).message;
      }
    };
    expect(await messageOf([[1], []])).to.equal(
      'constrainedBeamSearch: a prompt must have at least one token, got none for prompt 1',
    );
    expect(await messageOf([[1, 11]])).to.equal(
      'constrainedBeamSearch: prompt tokens must be integers in [0, 11), got 11 at position 1 of prompt 0',
    );
    expect(await messageOf([[1]], { beamWidth: 0 })).to.equal(
      'constrainedBeamSearch: beamWidth must be an integer of at least 1, got 0',
    );
    expect(await messageOf([[1]], { exclude: [null, null] })).to.equal(
      'constrainedBeamSearch: exclude must have one set per prompt, got 2 for 1 prompts; use null for none',
    );
    expect(await messageOf([[1]], {}, 9)).to.equal(
      "constrainedBeamSearch: item tokens must be below the decoder's vocabSize of 9, got 9; build the trie from the tokens that the model was trained on",
    );
    expect(await constrainedBeamSearch(new FakeDecoder(VOCAB), trie, [])).to.deep.equal([]);
  });
});
