import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import type { BeamGuide } from '../../src/generation/beam_guide';
import { constrainedBeamSearch } from '../../src/generation/constrained_beam_search';
import { buildPrefixTrie } from '../../src/generation/prefix_trie';
import { forEachBackend } from '../support/backends';
import { FakeDecoder } from '../support/fake_decoder';
import { normals } from '../support/random';
import { logSumExp } from '../support/reference';

const VOCAB = 11;
const catalogues = fc.array(fc.array(fc.integer({ min: 3, max: 7 }), { minLength: 1, maxLength: 4 }), {
  minLength: 1,
  maxLength: 25,
});
const prompts = fc.array(fc.array(fc.integer({ min: 0, max: VOCAB - 1 }), { minLength: 1, maxLength: 5 }), {
  minLength: 1,
  maxLength: 3,
});

const startsWith = (sequence: readonly number[], prefix: readonly number[]): boolean =>
  sequence.slice(0, prefix.length).join() === prefix.join();

/** g log p(v | h) + (1 - g) log( m(h, v) / sum of m(h, .) ), summed over the tokens of each item, in float64. */
function mixedScores(
  decoder: FakeDecoder,
  sequences: readonly number[][],
  prompt: readonly number[],
  itemScores: readonly number[],
  { weight, renormalize }: { weight: number; renormalize: boolean },
): number[] {
  return sequences.map((sequence) =>
    sequence.reduce((sum, token, t) => {
      const prefix = sequence.slice(0, t);
      const going = [...sequences.keys()].filter(
        (item) => sequences[item].length > t && startsWith(sequences[item], prefix),
      );
      const logits = decoder.logits([...prompt, ...prefix]);
      const rivals = renormalize ? [...new Set(going.map((item) => sequences[item][t]))].map((v) => logits[v]) : logits;
      const own = logits[token] - logSumExp(rivals);
      const massOf = (items: number[]): number => logSumExp(items.map((item) => itemScores[item]));
      const share = massOf(going.filter((item) => sequences[item][t] === token)) - massOf(going);
      return sum + weight * own + (1 - weight) * share;
    }, 0),
  );
}

describe('a guide of the beam search', () => {
  const sequences = [
    [3, 5],
    [3, 6],
    [4, 5],
  ];
  const trie = buildPrefixTrie(sequences);

  forEachBackend((backend) => {
    it('alone ranks by the probabilities of the other model', async () => {
      // p = (1/2, 1/8, 3/8): prefix 3 has the mass 5/8, and item 0 has 4/5 of it
      const itemScores = [1 / 2, 1 / 8, 3 / 8].map((p) => Math.log(p) + 7);
      const guide = { itemScores, weight: 0 };
      const [{ items, scores }] = await constrainedBeamSearch(new FakeDecoder(VOCAB), trie, [[1]], { guide });
      expect([...items]).to.deep.equal([0, 2, 1]);
      [1 / 2, 3 / 8, 1 / 8].forEach((p, rank) => expect(scores[rank]).to.be.closeTo(Math.log(p), 1e-6));
    });

    it('without weight changes nothing', async () => {
      const options = { beamWidth: 2, listLength: 3 };
      const plain = await constrainedBeamSearch(new FakeDecoder(VOCAB), trie, [[1], [2, 4]], options);
      const guide = { itemScores: normals(6, 3), weight: 1 };
      const guided = await constrainedBeamSearch(new FakeDecoder(VOCAB), trie, [[1], [2, 4]], { ...options, guide });
      expect(guided).to.deep.equal(plain);
    });

    it('mixes both models at each token, in any catalogue', async () => {
      await fc.assert(
        fc.asyncProperty(
          catalogues,
          prompts,
          fc.boolean(),
          fc.constantFrom(0, 0.3, 0.8),
          fc.constantFrom(4, 8192),
          async (items, batch, renormalize, weight, vocabTileSize) => {
            const decoder = new FakeDecoder(VOCAB);
            const itemScores = normals(batch.length * items.length, 5, 3);
            const options = { beamWidth: 1000, renormalize, vocabTileSize, guide: { itemScores, weight } };
            const ranked = await constrainedBeamSearch(decoder, buildPrefixTrie(items), batch, options);
            batch.forEach((prompt, user) => {
              const own = [...itemScores.slice(user * items.length, (user + 1) * items.length)];
              const expected = mixedScores(decoder, items, prompt, own, { weight, renormalize });
              expect([...ranked[user].items].sort((a, b) => a - b)).to.deep.equal([...items.keys()]);
              ranked[user].items.forEach((item, rank) =>
                expect(ranked[user].scores[rank]).to.be.closeTo(expected[item], 2e-5),
              );
            });
          },
        ),
        { numRuns: backend === 'cpu' ? 40 : 15 },
      );
    });

    it('steers narrow beams', async () => {
      const decoder = new FakeDecoder(VOCAB);
      const listOf = async (guide: BeamGuide): Promise<number[]> => {
        const [{ items }] = await constrainedBeamSearch(decoder, trie, [[1]], { beamWidth: 1, guide });
        return [...items];
      };
      expect(await listOf({ itemScores: [0, 0, 50], weight: 0.1 })).to.deep.equal([2]);
      expect(await listOf({ itemScores: [0, 50, 0], weight: 0.1 })).to.deep.equal([1]);
    });

    it('stays exact in unlikely prefixes, and knows items without any probability', async () => {
      const guide = { itemScores: [-3000, -3001, 0], weight: 0 };
      const [{ items, scores }] = await constrainedBeamSearch(new FakeDecoder(VOCAB), trie, [[1]], { guide });
      expect([...items]).to.deep.equal([2, 0, 1]);
      expect(scores[0]).to.equal(0);
      const certain = { itemScores: [-Infinity, -Infinity, 0], weight: 0.5 };
      const [found] = await constrainedBeamSearch(new FakeDecoder(VOCAB), trie, [[1]], { guide: certain });
      expect(found.items[0]).to.equal(2);
      expect([...found.scores.slice(1)].every((score) => score === -Infinity)).to.equal(true);
    });

    it('leaves no tensor behind', async () => {
      const before = tf.memory().numTensors;
      const guide = { itemScores: normals(3, 3), weight: 0.5 };
      await constrainedBeamSearch(new FakeDecoder(VOCAB), trie, [[1]], { guide });
      expect(tf.memory().numTensors).to.equal(before);
    });
  });

  it('is refused where it does not fit', async () => {
    const refused = (guide: BeamGuide): Promise<string> =>
      constrainedBeamSearch(new FakeDecoder(VOCAB), trie, [[1], [2]], { guide }).then(
        String,
        (error: Error) => error.message,
      );
    expect(await refused({ itemScores: [0, 0, 0, 0, 0, 0], weight: 1.5 })).to.equal(
      'constrainedBeamSearch: guide.weight must be from 0 to 1, got 1.5',
    );
    expect(await refused({ itemScores: [0, 0, 0], weight: 0.5 })).to.equal(
      'constrainedBeamSearch: guide.itemScores must hold 3 scores for each of 2 prompts, got 3',
    );
    expect(await refused({ itemScores: [0, NaN, 0, 0, 0, 0], weight: 0.5 })).to.equal(
      "constrainedBeamSearch: guide.itemScores must be numbers, got NaN for item 1; the guide's weights have diverged",
    );
  });
});
