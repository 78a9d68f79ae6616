import { expect } from 'chai';
import { rankedSequences, type SequenceSearchOptions } from '../../src/generation/constrained_beam_search';
import { buildPrefixTrie, tokensOfNode } from '../../src/generation/prefix_trie';
import { createRandom } from '../../src/random';
import { forEachBackend } from '../support/backends';
import { FakeDecoder } from '../support/fake_decoder';
import { logSumExp } from '../support/reference';

const VOCAB = 11;
const sequences = [[3, 5], [3, 6, 7], [3, 6, 8], [4, 5], [9]];
const trie = buildPrefixTrie(sequences);
const prompt = [1, 2];
/** Draws of a case: the deviation of a share is below 0.011. */
const DRAWS = 2000;

/** Probability of each item, as a product of softmaxes over the tokens that may follow, in float64. */
function probabilities(decoder: FakeDecoder, temperature: number, excluded: readonly number[] = []): number[] {
  const left = sequences.filter((_, item) => !excluded.includes(item));
  return sequences.map((sequence, item) => {
    if (excluded.includes(item)) return 0;
    return sequence.reduce((product, token, t) => {
      const prefix = sequence.slice(0, t);
      const going = left.filter((other) => other.length > t && other.slice(0, t).join() === prefix.join());
      const logits = decoder.logits([...prompt, ...prefix]);
      const rivals = [...new Set(going.map((other) => other[t]))].map((v) => logits[v] / temperature);
      return product * Math.exp(logits[token] / temperature - logSumExp(rivals));
    }, 1);
  });
}

/** How often each item is among k draws without replacement: summed over the orders in which it can be drawn. */
function inclusion(p: readonly number[], k: number): number[] {
  const shares = p.map(() => 0);
  const draw = (left: ReadonlySet<number>, probability: number, depth: number): void => {
    if (depth === k || probability === 0) return;
    const mass = [...left].reduce((sum, item) => sum + p[item], 0);
    for (const item of left) {
      const next = (probability * p[item]) / mass;
      shares[item] += next;
      draw(new Set([...left].filter((other) => other !== item)), next, depth + 1);
    }
  };
  draw(new Set(p.keys()), 1, 0);
  return shares;
}

describe('draws of sequences', () => {
  forEachBackend(() => {
    const draw = async (
      decoder: FakeDecoder,
      {
        count = 1,
        temperature = 1,
        seed = 3,
        k = 2,
        ...options
      }: Partial<SequenceSearchOptions> & {
        count?: number;
        temperature?: number;
        seed?: number;
        k?: number;
      },
    ): Promise<{ items: number[]; scores: number[] }[]> => {
      const prompts = Array.from({ length: count }, () => prompt);
      const sampling = { random: createRandom(seed), temperature };
      const found = await rankedSequences(decoder, trie, prompts, {
        beamWidth: k,
        listLength: k,
        sampling,
        ...options,
      });
      return found.map(({ nodes, scores }) => ({
        items: Array.from(nodes, (node) => trie.itemOrder[trie.itemLow[node]]),
        scores: [...scores],
      }));
    };

    it('hold each item as often as draws without replacement do, at any temperature', async () => {
      const decoder = new FakeDecoder(VOCAB, 2);
      for (const [temperature, k] of [
        [1, 1],
        [1, 2],
        [3, 2],
        [0.5, 3],
      ]) {
        const expected = inclusion(probabilities(decoder, temperature), k);
        const lists = await draw(decoder, { count: DRAWS, temperature, k });
        expected.forEach((share, item) => {
          const found = lists.filter(({ items }) => items.includes(item)).length / DRAWS;
          expect(found, `item ${item} of ${k} at ${temperature}`).to.be.closeTo(share, 0.05);
        });
        for (const { items } of lists) expect(new Set(items).size).to.equal(k);
      }
    });

    it('leave out what the user must not get, as if it were not in the catalogue', async () => {
      const decoder = new FakeDecoder(VOCAB, 2);
      const exclude = Array.from({ length: DRAWS }, () => new Set([1, 4]));
      const expected = inclusion(probabilities(decoder, 1, [1, 4]), 2);
      const lists = await draw(decoder, { count: DRAWS, exclude });
      expected.forEach((share, item) =>
        expect(lists.filter(({ items }) => items.includes(item)).length / DRAWS).to.be.closeTo(share, 0.05),
      );
    });

    it('are ranked by their log-probabilities; as many draws as items give all', async () => {
      const decoder = new FakeDecoder(VOCAB, 2);
      const expected = probabilities(decoder, 2);
      const [{ items, scores }] = await draw(decoder, { temperature: 2, k: 5 });
      expect(items).to.deep.equal([...expected.keys()].sort((a, b) => expected[b] - expected[a]));
      items.forEach((item, rank) => expect(scores[rank]).to.be.closeTo(Math.log(expected[item]), 1e-5));
    });

    it('are the same for the same seed, and read each prompt once', async () => {
      const decoder = new FakeDecoder(VOCAB, 2);
      const first = await draw(decoder, { count: 20 });
      expect(await draw(decoder, { count: 20 })).to.deep.equal(first);
      expect(await draw(decoder, { count: 20, seed: 4 })).to.not.deep.equal(first);
      expect(decoder.prefilledTokens).to.equal(3 * 20 * prompt.length);
      expect(decoder.openStates).to.equal(0);
    });
  });

  it('tokensOfNode reads the way to a node', () => {
    sequences.forEach((sequence) => {
      const ends = Array.from({ length: trie.numNodes }, (_, node) => [...tokensOfNode(trie, node)]);
      expect(ends.filter((tokens) => tokens.join() === sequence.join())).to.have.length(1);
    });
    expect([...tokensOfNode(trie, 0)]).to.deep.equal([]);
  });
});
