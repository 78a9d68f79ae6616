import { IlrecError } from '../errors';
import type { CausalDecoder } from './decoder';
import { readAndDispose } from './read_and_dispose';
import { TopK } from './top_k';

export interface GenerateOptions {
  /** Most tokens written per sequence, the end token among them; an integer of at least 1. */
  maxNewTokens: number;
  /** Beams per prompt; an integer of at least 1, default 1: the likeliest token at each step. */
  numBeams?: number;
  /** Tokens that end a sequence; default none, so that each has `maxNewTokens` tokens. */
  eosTokenId?: number | readonly number[] | null;
  /** Exponent of the length that a sequence's log-probability is divided by; default 1, 0 for none, above 0 favours long sequences. */
  lengthPenalty?: number;
  /**
   * When a prompt's search ends before `maxNewTokens`. false (default): when the best running beam, at its present length, cannot beat the worst of `numBeams`
   * finished sequences. true: as soon as `numBeams` are finished. 'never': as false, but a running beam is taken at the length that would suit it best.
   */
  earlyStopping?: boolean | 'never';
  /** Sequences returned per prompt, at most `numBeams`; default 1. */
  numReturnSequences?: number;
}

export interface GeneratedSequence {
  /** The new tokens, without the prompt; the last is the end token where one was written. */
  readonly tokens: Int32Array;
  /** Sum of the tokens' log-probabilities over the number of tokens ** `lengthPenalty`. */
  readonly score: number;
}

type Settings = Omit<Required<GenerateOptions>, 'eosTokenId'> & { readonly ends: ReadonlySet<number> };

/**
 * Writes on after each prompt: the likeliest token each time, or beam search, equal to `generate` of Python's transformers with `do_sample=False`
 * (its 5.x beam search: `numBeams` times one more than the number of end tokens candidates a step, of which the best `numBeams` may finish).
 * Always the same for the same model: nothing is sampled, and a checkpoint's generation_config.json is read by nobody here.
 *
 * @param prompts [B] token ids of at least one token each; their lengths may differ.
 * @returns [B][numReturnSequences] sequences, best first. Of equal scores the lower beam and then the lower token is ahead. Fewer where a vocabulary of less
 * than `numBeams` tokens does not hold as many.
 * @throws IlrecError on options out of range, an empty prompt, a token that the decoder does not have, or logits that are NaN.
 */
export async function generate(
  decoder: CausalDecoder,
  prompts: readonly ArrayLike<number>[],
  {
    maxNewTokens,
    numBeams = 1,
    eosTokenId = null,
    lengthPenalty = 1,
    earlyStopping = false,
    numReturnSequences = 1,
  }: GenerateOptions,
): Promise<GeneratedSequence[][]> {
  const ends = new Set(eosTokenId === null ? [] : typeof eosTokenId === 'number' ? [eosTokenId] : eosTokenId);
  const settings: Settings = { maxNewTokens, numBeams, ends, lengthPenalty, earlyStopping, numReturnSequences };
  checkArguments(decoder, prompts, settings);
  if (prompts.length === 0) return [];
  const searches = prompts.map(() => (numBeams === 1 ? new GreedySearch(settings) : new BeamSearch(settings)));
  const tokens = new Int32Array(prompts.length * numBeams); // a beam that is not in use steps token 0 from beam 0 and is never read
  const parents = new Int32Array(prompts.length * numBeams);
  const state = decoder.prefill(prompts, numBeams);
  try {
    for (let width = 1; ; width = numBeams) {
      const logits = await readAndDispose(decoder.project(decoder.hidden(state))); // [B * width, V]
      const rowsOfPrompt = width * decoder.vocabSize;
      searches.forEach((search, prompt) => {
        if (search.done) return;
        search.advance(logits.subarray(prompt * rowsOfPrompt, (prompt + 1) * rowsOfPrompt), decoder.vocabSize);
        search.running.forEach((beam, rank) => {
          tokens[prompt * numBeams + rank] = beam.tokens[beam.tokens.length - 1];
          parents[prompt * numBeams + rank] = beam.parent;
        });
      });
      if (searches.every((search) => search.done)) break;
      decoder.step(state, tokens, parents);
    }
  } finally {
    decoder.dispose(state);
  }
  return searches.map(({ finished }) =>
    finished.slice(0, numReturnSequences).map((beam) => ({ tokens: Int32Array.from(beam.tokens), score: beam.score })),
  );
}

interface Beam {
  readonly tokens: readonly number[];
  /** Running: sum of the log-probabilities; finished: divided by the length's power. */
  readonly score: number;
  /** The running beam of the step before that this one continues. */
  readonly parent: number;
}

/** One prompt's search. */
abstract class Search {
  /** Sequences that are written on, best first. */
  running: Beam[] = [{ tokens: [], score: 0, parent: 0 }];
  /** Sequences that have ended, best first. */
  finished: Beam[] = [];
  done = false;

  constructor(protected readonly settings: Settings) {}

  /** One more token. @param logits [number of running beams or more, V] row by row. */
  abstract advance(logits: Float32Array, vocabSize: number): void;

  /** The best `count` continuations of the running beams. */
  protected continuations(count: number, logits: Float32Array, vocabSize: number): Beam[] {
    const best = new TopK(count);
    this.running.forEach(({ score }, beam) => {
      const row = logits.subarray(beam * vocabSize, (beam + 1) * vocabSize);
      const base = score - logSumExp(row);
      if (Number.isNaN(base))
        throw new IlrecError("generate: logits must be numbers, got NaN; the model's weights have diverged");
      for (let token = 0; token < vocabSize; token++) best.offer(base + row[token], beam * vocabSize + token);
    });
    const beams: Beam[] = [];
    best.drain((_, score, key) => {
      const parent = Math.floor(key / vocabSize);
      if (score > -Infinity) beams.push({ tokens: [...this.running[parent].tokens, key % vocabSize], score, parent });
    });
    return beams;
  }

  /** True where a sequence is over. */
  protected ends({ tokens }: Beam): boolean {
    return tokens.length === this.settings.maxNewTokens || this.settings.ends.has(tokens[tokens.length - 1]);
  }

  protected penalised(score: number, length: number): number {
    return score / length ** this.settings.lengthPenalty;
  }
}

class GreedySearch extends Search {
  advance(logits: Float32Array, vocabSize: number): void {
    const [next] = this.continuations(1, logits, vocabSize);
    this.done = this.ends(next);
    if (this.done) this.finished = [{ ...next, score: this.penalised(next.score, next.tokens.length) }];
    this.running = this.done ? [] : [next];
  }
}

class BeamSearch extends Search {
  advance(logits: Float32Array, vocabSize: number): void {
    const { numBeams, ends, maxNewTokens, earlyStopping } = this.settings;
    // As many as could end, and `numBeams` that go on.
    const candidates = this.continuations(Math.max(2, 1 + ends.size) * numBeams, logits, vocabSize);
    const length = candidates[0].tokens.length;
    // A candidate behind the best numBeams is only a reserve that may go on; it does not end.
    const ended = candidates.slice(0, numBeams).filter((beam) => this.ends(beam));
    const all = [...this.finished, ...ended.map((beam) => ({ ...beam, score: this.penalised(beam.score, length) }))];
    this.finished = all.sort((a, b) => b.score - a.score).slice(0, numBeams);
    this.running = candidates.filter((beam) => !this.ends(beam)).slice(0, numBeams);
    const full = this.finished.length === numBeams;
    this.done =
      length === maxNewTokens ||
      this.running.length === 0 ||
      (full && (earlyStopping === true || !this.canImprove(length)));
    if (this.done) this.running = [];
  }

  /** Whether the best running beam could still be better than the worst finished one, by the rule that `earlyStopping` names. */
  private canImprove(length: number): boolean {
    const { earlyStopping, lengthPenalty, maxNewTokens } = this.settings;
    const bestLength = earlyStopping === 'never' && lengthPenalty > 0 ? maxNewTokens : length;
    return this.penalised(this.running[0].score, bestLength) > this.finished[this.finished.length - 1].score;
  }
}

function logSumExp(row: Float32Array): number {
  let max = -Infinity;
  for (let i = 0; i < row.length; i++) max = Math.max(max, row[i]);
  let sum = 0;
  for (let i = 0; i < row.length; i++) sum += Math.exp(row[i] - max);
  return max + Math.log(sum);
}

function checkArguments({ vocabSize }: CausalDecoder, prompts: readonly ArrayLike<number>[], settings: Settings): void {
  const { maxNewTokens, numBeams, numReturnSequences, ends, lengthPenalty } = settings;
  for (const [name, value] of Object.entries({ maxNewTokens, numBeams, numReturnSequences })) {
    if (!Number.isInteger(value) || value < 1)
      throw new IlrecError(`generate: ${name} must be an integer of at least 1, got ${value}`);
  }
  if (numReturnSequences > numBeams)
    throw new IlrecError(
      `generate: numReturnSequences must be at most numBeams, got ${numReturnSequences} and ${numBeams}; raise numBeams`,
    );
  if (!Number.isFinite(lengthPenalty))
    throw new IlrecError(`generate: lengthPenalty must be a finite number, got ${lengthPenalty}`);
  const isToken = (token: number): boolean => Number.isInteger(token) && token >= 0 && token < vocabSize;
  for (const end of ends) {
    if (!isToken(end)) throw new IlrecError(`generate: eosTokenId must be integers in [0, ${vocabSize}), got ${end}`);
  }
  prompts.forEach((prompt, at) => {
    if (prompt.length === 0)
      throw new IlrecError(`generate: a prompt must have at least one token, got none for prompt ${at}`);
    for (let t = 0; t < prompt.length; t++) {
      if (!isToken(prompt[t]))
        throw new IlrecError(
          `generate: prompt tokens must be integers in [0, ${vocabSize}), got ${prompt[t]} at position ${t} of prompt ${at}`,
        );
    }
  });
}
