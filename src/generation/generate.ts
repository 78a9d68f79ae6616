import { IlrecError } from '../errors';
import type { CausalDecoder } from './decoder';
import { readAndDispose } from './read_and_dispose';
import { TopK } from './top_k';

/** Options of `generate`. */
export interface GenerateOptions {
  /** Most new tokens per sequence, including the end token; 1 or more. */
  maxNewTokens: number;
  /** Beams per prompt, 1 or more. Default 1: the likeliest token at each step. */
  numBeams?: number;
  /** Tokens that end a sequence. Default none: each sequence gets `maxNewTokens` tokens. */
  eosTokenId?: number | readonly number[] | null;
  /**
   * The score is the log-probability divided by length ** lengthPenalty. Above 0 favours long sequences, 0 ignores the
   * length. Default 1.
   */
  lengthPenalty?: number;
  /**
   * When beam search stops before `maxNewTokens`. true: as soon as `numBeams` sequences are finished. false: when the
   * best running beam, at its current length, cannot beat the worst of `numBeams` finished sequences. 'never': the
   * same, at the length that is best for the running beam. Default false.
   */
  earlyStopping?: boolean | 'never';
  /** Sequences returned per prompt, 1 to `numBeams`. Default 1. */
  numReturnSequences?: number;
}

/** One sequence that `generate` wrote. */
export interface GeneratedSequence {
  /** The new tokens, without the prompt. The last is the end token, if one was written. */
  readonly tokens: Int32Array;
  /** Sum of the tokens' log-probabilities, divided by (number of tokens) ** `lengthPenalty`. */
  readonly score: number;
}

type Settings = Omit<Required<GenerateOptions>, 'eosTokenId'> & { readonly endTokens: ReadonlySet<number> };

/**
 * Continues each prompt, greedily or by beam search.
 *
 * The result equals `generate` of Python's transformers with `do_sample=False` (the beam search of its 5.x releases:
 * each step considers `numBeams` · (1 + number of end tokens) candidates, and only the best `numBeams` of them may
 * finish). Nothing is sampled, so the same model gives the same result. The generation_config.json of a checkpoint is
 * not used.
 *
 * @param decoder the model: `createCausalDecoder` or `createModelDecoder` makes it.
 * @param prompts [B] lists of at least one token id; lengths may differ.
 * @param options length, beams and end tokens; see `GenerateOptions`.
 * @returns [B][numReturnSequences] sequences, best first. Of equal scores the lower beam comes first, then the lower
 *   token. There are fewer sequences only if the vocabulary is too small for them.
 * @throws IlrecError when an option is out of range, a prompt is empty, a token is not in the decoder's vocabulary, or
 *   a logit is NaN.
 * @example
 * ```ts
 * import { causalLM, createCausalDecoder, generate } from 'tfjs-ilrec';
 *
 * const decoder = createCausalDecoder(causalLM({ vocabSize: 11, hiddenSize: 8, numHiddenLayers: 2 }));
 * const [[best, second]] = await generate(decoder, [[1, 4, 2]], { maxNewTokens: 5, numBeams: 2, numReturnSequences: 2 });
 * console.log(best.tokens.length, best.score >= second.score); // 5 true
 * ```
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
  const endTokens = new Set(eosTokenId === null ? [] : typeof eosTokenId === 'number' ? [eosTokenId] : eosTokenId);
  const settings: Settings = { maxNewTokens, numBeams, endTokens, lengthPenalty, earlyStopping, numReturnSequences };
  checkArguments(decoder, prompts, settings);
  if (prompts.length === 0) return [];
  const searches = prompts.map(() => (numBeams === 1 ? new GreedySearch(settings) : new BeamSearch(settings)));
  // an unused beam appends token 0 to beam 0 and is never read
  const tokens = new Int32Array(prompts.length * numBeams);
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
  /** Sum of the log-probabilities; of a finished beam divided by length ** `lengthPenalty`. */
  readonly score: number;
  /** The running beam of the previous step that this one continues. */
  readonly parent: number;
}

/** The search for one prompt. */
abstract class PromptSearch {
  /** Sequences that continue, best first. */
  running: Beam[] = [{ tokens: [], score: 0, parent: 0 }];
  /** Sequences that have ended, best first. */
  finished: Beam[] = [];
  done = false;

  constructor(protected readonly settings: Settings) {}

  /** Appends a token to each running beam. @param logits [running beams or more, V] row by row. */
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

  /** Whether a sequence has its last token. */
  protected isOver({ tokens }: Beam): boolean {
    return tokens.length === this.settings.maxNewTokens || this.settings.endTokens.has(tokens[tokens.length - 1]);
  }

  protected penalised(score: number, length: number): number {
    return score / length ** this.settings.lengthPenalty;
  }
}

class GreedySearch extends PromptSearch {
  advance(logits: Float32Array, vocabSize: number): void {
    const [next] = this.continuations(1, logits, vocabSize);
    this.done = this.isOver(next);
    if (this.done) this.finished = [{ ...next, score: this.penalised(next.score, next.tokens.length) }];
    this.running = this.done ? [] : [next];
  }
}

class BeamSearch extends PromptSearch {
  advance(logits: Float32Array, vocabSize: number): void {
    const { numBeams, endTokens, maxNewTokens, earlyStopping } = this.settings;
    // Enough that `numBeams` continue even if every beam writes every end token.
    const candidates = this.continuations(Math.max(2, 1 + endTokens.size) * numBeams, logits, vocabSize);
    const length = candidates[0].tokens.length;
    // Candidates after the best numBeams may only continue, not finish.
    const ended = candidates.slice(0, numBeams).filter((beam) => this.isOver(beam));
    const all = [...this.finished, ...ended.map((beam) => ({ ...beam, score: this.penalised(beam.score, length) }))];
    this.finished = all.sort((a, b) => b.score - a.score).slice(0, numBeams);
    this.running = candidates.filter((beam) => !this.isOver(beam)).slice(0, numBeams);
    const full = this.finished.length === numBeams;
    this.done =
      length === maxNewTokens ||
      this.running.length === 0 ||
      (full && (earlyStopping === true || !this.canImprove(length)));
    if (this.done) this.running = [];
  }

  /** Whether the best running beam could still beat the worst finished one, by the rule of `earlyStopping`. */
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
  const { maxNewTokens, numBeams, numReturnSequences, endTokens, lengthPenalty } = settings;
  for (const [name, value] of Object.entries({ maxNewTokens, numBeams, numReturnSequences })) {
    if (!Number.isInteger(value) || value < 1)
      throw new IlrecError(`generate: ${name} must be an integer of at least 1, got ${value}`);
  }
  if (numReturnSequences > numBeams)
    throw new IlrecError(
      `generate: numReturnSequences must be at most numBeams, got ${numReturnSequences} and ${numBeams}; raise ` +
        'numBeams',
    );
  if (!Number.isFinite(lengthPenalty))
    throw new IlrecError(`generate: lengthPenalty must be a finite number, got ${lengthPenalty}`);
  const isToken = (token: number): boolean => Number.isInteger(token) && token >= 0 && token < vocabSize;
  for (const end of endTokens) {
    if (!isToken(end)) throw new IlrecError(`generate: eosTokenId must be token ids in [0, ${vocabSize}), got ${end}`);
  }
  prompts.forEach((prompt, b) => {
    if (prompt.length === 0)
      throw new IlrecError(`generate: a prompt must have at least one token, got none for prompt ${b}`);
    for (let t = 0; t < prompt.length; t++) {
      if (!isToken(prompt[t]))
        throw new IlrecError(
          `generate: prompt tokens must be integers in [0, ${vocabSize}), got ${prompt[t]} at position ${t} of ` +
            `prompt ${b}`,
        );
    }
  });
}
