import {
  buildPrefixTrie,
  type CausalDecoder,
  constrainedBeamSearch,
  createCausalDecoder,
  type DecoderState,
  type PrefixTrie,
} from 'tfjs-ilrec';
import { type Beams, type Continuation, expandBeams, type Search } from '../../src/generation/beam_expansion';
import { allowedTokens, readTokenScores } from '../../src/generation/token_scores';
import { TopK } from '../../src/generation/top_k';
import { type BenchCase, type BenchRow, ceiling, median, paired, quantile, row, timeOf } from '../harness';
import { BEAMS, randomItems, randomModel, randomPrompt } from './s9_decoding';

const SIZES = [1e3, 1e4, 1e5, 1e6] as const;
const [SMALLEST, LARGEST] = [SIZES[0], SIZES[3]];
const STEPS = 3; // of an id of 4 tokens, the first of which the prompt's own pass gives
const PROMPT_LENGTH = 256;
const RUNS = 15;
const WARMUPS = 2;
/** Searches of a run. */
const SEARCHES = 4;

/** Milliseconds of the decode steps of one search, and of what they spent on the trie and its candidates. */
interface StepTimes {
  readonly total: number;
  readonly trie: number;
}

/** A prompt that has been run, up to its first beams. */
interface Started {
  readonly search: Search;
  readonly state: DecoderState;
  readonly next: Continuation;
}

export const benchCase: BenchCase = {
  names: ['S10'],
  backends: ['wasm', 'node'],
  async run(backend) {
    const rows: BenchRow[] = [];
    for (const vocabSize of [1536, 32_000]) rows.push(...(await measure(vocabSize, backend)));
    return rows;
  },
};

async function measure(vocabSize: number, backend: string): Promise<BenchRow[]> {
  const [hiddenSize, numHiddenLayers] = [128, 4];
  const model = randomModel({ vocabSize, hiddenSize, numHiddenLayers });
  const decoder = createCausalDecoder(model);
  const prompt = randomPrompt(PROMPT_LENGTH, vocabSize, 0);
  const tries = new Map<number, PrefixTrie>();
  let buildTime = 0;
  for (const size of SIZES) {
    const items = randomItems(size, vocabSize);
    buildTime = await timeOf(() => tries.set(size, buildPrefixTrie(items)));
  }
  const setting = `T ${PROMPT_LENGTH}, W ${BEAMS}, 4 levels of 256 codes, D ${hiddenSize}, L ${numHiddenLayers}, V ${vocabSize}`;
  const common = { name: 'S10', setting, backend, unit: 'ms', ceiling: ceiling() } as const;

  const rows: BenchRow[] = [];
  for (const size of SIZES.slice(1)) {
    const measured: StepTimes[] = [];
    const times = await pairedSteps(
      decoder,
      prompt,
      tries.get(size) as PrefixTrie,
      tries.get(SMALLEST) as PrefixTrie,
      measured,
    );
    rows.push(
      row({
        ...common,
        what: `decode step, ${size} items / ${SMALLEST}`,
        ...times,
        goal: ['<=', 1.1],
        stretch: ['<=', 1.03],
      }),
    );
    if (size !== LARGEST) continue;
    const shares = measured.map(({ total, trie }) => trie / total);
    rows.push(
      row({
        ...common,
        what: `trie and candidates / decode step, ${size} items`,
        ours: median(measured.map(({ trie }) => trie)) / STEPS,
        other: median(measured.map(({ total }) => total)) / STEPS,
        ratio: median(shares),
        quartiles: [quantile(shares, 0.25), quantile(shares, 0.75)],
        goal: ['<=', 0.02],
        stretch: ['<=', 0.005],
        note: `times of \`expandBeams\`, and of \`allowedTokens\` where the step calls it, taken inside of the steps; the trie of ${LARGEST} items was built in ${(buildTime / 1000).toFixed(1)} s`,
      }),
    );
  }
  const search = (size: number) => () =>
    constrainedBeamSearch(decoder, tries.get(size) as PrefixTrie, [prompt], { beamWidth: BEAMS });
  const whole = await paired(search(LARGEST), search(SMALLEST), { runs: RUNS });
  rows.push(
    row({
      ...common,
      what: `whole search, ${LARGEST} items / ${SMALLEST}`,
      ...whole,
      goal: ['<=', 1.1],
      stretch: ['<=', 1.03],
    }),
  );
  model.dispose();
  return rows;
}

/**
 * Decode steps alone: the prompts are run before.
 * @returns medians of one step.
 * @param measured gets the times of the large catalogue's searches.
 */
async function pairedSteps(
  decoder: CausalDecoder,
  prompt: readonly number[],
  large: PrefixTrie,
  small: PrefixTrie,
  measured: StepTimes[],
) {
  const prepare = async (trie: PrefixTrie): Promise<Started[]> => {
    const started: Started[] = [];
    for (let i = 0; i < (RUNS + WARMUPS) * SEARCHES; i++) started.push(await start(decoder, trie, prompt));
    return started;
  };
  const [ofLarge, ofSmall] = [await prepare(large), await prepare(small)];
  const decode = async (started: Started[], times: StepTimes[]): Promise<void> => {
    for (const one of started.splice(0, SEARCHES)) times.push(await decodeSteps(decoder, one));
  };
  const { ours, other, ...ratio } = await paired(
    () => decode(ofLarge, measured),
    () => decode(ofSmall, []),
    { runs: RUNS, warmups: WARMUPS },
  );
  measured.splice(0, WARMUPS * SEARCHES);
  return { ours: ours / SEARCHES / STEPS, other: other / SEARCHES / STEPS, ...ratio };
}

/** The search of `constrainedBeamSearch` up to its first decode step. */
async function start(decoder: CausalDecoder, trie: PrefixTrie, prompt: readonly number[]): Promise<Started> {
  const search: Search = { trie, width: BEAMS, excluded: [], complete: [new TopK(BEAMS)], unfinished: new TopK(BEAMS) };
  const root: Beams = { width: 1, depth: 0, nodes: new Int32Array(1), scores: new Float64Array(1) };
  const state = decoder.prefill([prompt], BEAMS);
  const next = expandBeams(
    search,
    root,
    await readTokenScores(decoder, decoder.hidden(state), trie, root.nodes, { renormalize: false }),
  );
  return { search, state, next: next as Continuation };
}

/** The rest of it, with a clock. */
async function decodeSteps(decoder: CausalDecoder, { search, state, next: first }: Started): Promise<StepTimes> {
  let [trie, extra] = [0, 0];
  const began = performance.now();
  for (let next: Continuation | null = first; next !== null;) {
    const { beams, tokens, parents } = next;
    decoder.step(state, tokens, parents);
    const tokenScores = await readTokenScores(decoder, decoder.hidden(state), search.trie, beams.nodes, {
      renormalize: false,
    });
    const read = performance.now();
    next = expandBeams(search, beams, tokenScores);
    trie += performance.now() - read;
    if (tokenScores.columnOf !== null)
      extra += await timeOf(() => allowedTokens(search.trie, beams.nodes, decoder.vocabSize)); // once more, alone
  }
  const total = performance.now() - began - extra;
  decoder.dispose(state);
  return { total, trie: trie + extra };
}
