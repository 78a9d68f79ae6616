import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import {
  buildPrefixTrie,
  causalLM,
  type CausalLMConfig,
  constrainedBeamSearch,
  createCausalDecoder,
  createRandom,
  itemsEndingAt,
  type PrefixTrie,
  type RankedItems,
} from 'tfjs-ilrec';
import { type BenchCase, type BenchRow, ceiling, MIN_RUNS, paired, row } from '../harness';

export const BEAMS = 20;
const NUM_CODES = 256;
const ID_LENGTH = 4;
const NUM_ITEMS = 10_000;
const WARMUPS = 1;

/** Logits of the last token of sequences that are equally long, [R, V]. */
type LastLogits = (sequences: readonly (readonly number[])[]) => tf.Tensor2D;

interface Setting {
  readonly config: CausalLMConfig & { hiddenSize: number; numHiddenLayers: number };
  readonly promptLength: number;
  readonly naive: 'every position' | 'last position';
}

const SMALL = { vocabSize: 1536, hiddenSize: 128, numHiddenLayers: 4 };
const SETTINGS: readonly Setting[] = [
  { config: SMALL, promptLength: 256, naive: 'every position' },
  { config: SMALL, promptLength: 512, naive: 'every position' },
  { config: SMALL, promptLength: 256, naive: 'last position' },
  { config: { ...SMALL, hiddenSize: 256, numHiddenLayers: 6 }, promptLength: 256, naive: 'every position' },
  { config: { ...SMALL, vocabSize: 32_000 }, promptLength: 256, naive: 'every position' },
];

export const benchCase: BenchCase = {
  names: ['S9'],
  backends: ['wasm', 'node'],
  async run(backend) {
    const rows: BenchRow[] = [];
    for (const setting of SETTINGS) rows.push(await measure(setting, backend));
    return rows;
  },
};

async function measure({ config, promptLength, naive }: Setting, backend: string): Promise<BenchRow> {
  const { vocabSize, hiddenSize, numHiddenLayers } = config;
  const model = randomModel(config);
  const decoder = createCausalDecoder(model);
  const trie = buildPrefixTrie(randomItems(NUM_ITEMS, vocabSize));
  const prompts = Array.from({ length: WARMUPS + MIN_RUNS }, (_, seed) => randomPrompt(promptLength, vocabSize, seed));
  const lastLogits: LastLogits =
    naive === 'every position'
      ? (sequences) => predictLast(model, sequences)
      : (sequences) => prefillLast(decoder, sequences);

  const slow: RankedItems[] = [];
  const fast: RankedItems[] = [];
  const times = await paired(
    async () => slow.push(await naiveSearch(lastLogits, trie, prompts[slow.length])),
    async () =>
      fast.push(...(await constrainedBeamSearch(decoder, trie, [prompts[fast.length]], { beamWidth: BEAMS }))),
    { warmups: WARMUPS },
  );
  model.dispose();
  return row({
    name: 'S9',
    what: `lists per second / naive search, head at ${naive}`,
    setting: `T ${promptLength}, W ${BEAMS}, 4-token ids, D ${hiddenSize}, L ${numHiddenLayers}, V ${vocabSize}`,
    backend,
    ours: 1000 / times.other,
    other: 1000 / times.ours,
    unit: 'per second',
    ratio: times.ratio,
    quartiles: times.quartiles,
    goal: ['>=', 8],
    stretch: ['>=', 15],
    ceiling: ceiling(),
    error: largestDifference(fast, slow),
    note: `the naive search runs each beam's whole prefix at each step, the beams as one batch, and takes the whole vocabulary's logits; as \`model.predict\` gives them, at every position, or at the last only; ${NUM_ITEMS} items, one user at a time, lists identical`,
  });
}

/** @throws Error where the lists differ. */
function largestDifference(lists: readonly RankedItems[], expected: readonly RankedItems[]): number {
  let largest = 0;
  lists.forEach(({ items, scores }, at) => {
    if (items.join() !== expected[at].items.join())
      throw new Error(
        `S9: both searches must give the same list, got ${items.join()} and ${expected[at].items.join()} for prompt ${at}`,
      );
    scores.forEach((score, rank) => (largest = Math.max(largest, Math.abs(score / expected[at].scores[rank] - 1))));
  });
  return largest;
}

/** Beam search over the trie without a cache: higher score first, of equal ones the lower edge. */
async function naiveSearch(lastLogits: LastLogits, trie: PrefixTrie, prompt: readonly number[]): Promise<RankedItems> {
  const { childStart, childToken } = trie;
  let beams = [{ node: 0, score: 0, sequence: [...prompt] }];
  for (let step = 0; step < ID_LENGTH; step++) {
    const logProbabilities = tf.tidy(() => tf.logSoftmax(lastLogits(beams.map(({ sequence }) => sequence)))); // [R, V]
    const [, vocabSize] = logProbabilities.shape;
    const values = await logProbabilities.data();
    logProbabilities.dispose();
    const candidates: { edge: number; score: number; beam: number }[] = [];
    beams.forEach(({ node, score }, beam) => {
      for (let edge = childStart[node]; edge < childStart[node + 1]; edge++)
        candidates.push({ edge, score: score + values[beam * vocabSize + childToken[edge]], beam });
    });
    candidates.sort((a, b) => b.score - a.score || a.edge - b.edge);
    beams = candidates.slice(0, BEAMS).map(({ edge, score, beam }) => ({
      node: edge + 1,
      score,
      sequence: [...beams[beam].sequence, childToken[edge]],
    }));
  }
  return {
    items: Int32Array.from(beams, ({ node }) => itemsEndingAt(trie, node)[0]),
    scores: Float32Array.from(beams, ({ score }) => score),
  };
}

function predictLast(model: tfl.LayersModel, sequences: readonly (readonly number[])[]): tf.Tensor2D {
  const [rows, length] = [sequences.length, sequences[0].length];
  const logits = model.predict(tf.tensor2d(Int32Array.from(sequences.flat()), [rows, length], 'int32'), {
    batchSize: rows,
  }) as tf.Tensor3D; // [R, T, V]
  return tf.reshape(tf.slice(logits, [0, length - 1, 0], [rows, 1, -1]), [rows, -1]);
}

function prefillLast(
  decoder: ReturnType<typeof createCausalDecoder>,
  sequences: readonly (readonly number[])[],
): tf.Tensor2D {
  const state = decoder.prefill(sequences, 1);
  const logits = decoder.project(decoder.hidden(state));
  decoder.dispose(state);
  return logits;
}

/** A model whose distributions are peaked enough for scores not to be equal by rounding. */
export function randomModel(config: CausalLMConfig): tfl.LayersModel {
  return causalLM({ numAttentionHeads: 4, initializerRange: 0.1, seed: 1, ...config });
}

/** Distinct ids of 4 tokens, each of its own 256 codes, the last 1,024 of the vocabulary. */
export function randomItems(numItems: number, vocabSize: number): Int32Array[] {
  const random = createRandom(2);
  const codes = new Set<number>(); // one digit of base 256 per token
  while (codes.size < numItems) codes.add(random.int(NUM_CODES ** ID_LENGTH));
  const firstCode = vocabSize - ID_LENGTH * NUM_CODES;
  return Array.from(codes, (code) =>
    Int32Array.from(
      { length: ID_LENGTH },
      (_, t) => firstCode + t * NUM_CODES + (Math.floor(code / NUM_CODES ** t) % NUM_CODES),
    ),
  );
}

export function randomPrompt(length: number, vocabSize: number, seed: number): number[] {
  const random = createRandom(100 + seed);
  return Array.from({ length }, () => random.int(vocabSize));
}
