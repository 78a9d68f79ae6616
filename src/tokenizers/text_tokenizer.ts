import { Tokenizer } from '@huggingface/tokenizers';
import { IlrecError } from '../errors';

/** The content of a `tokenizer.json` or `tokenizer_config.json`. */
export type TokenizerJson = Readonly<Record<string, unknown>>;

/** Options of `TextTokenizer.encode`. */
export interface EncodeTextOptions {
  /** Whether to add the special tokens of the tokenizer's template, such as a begin-of-text token. Default false. */
  readonly addSpecialTokens?: boolean;
}

/** Options of `TextTokenizer.decode`. */
export interface DecodeTextOptions {
  /** Whether to leave special tokens out of the text. Default false. */
  readonly skipSpecialTokens?: boolean;
}

/** Options of `TextTokenizer.addTokens`. */
export interface AddTokensOptions {
  /**
   * Whether the tokens are special, so that `decode(ids, { skipSpecialTokens: true })` leaves them out. Default false.
   */
  readonly special?: boolean;
}

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

/** Parts of a tokenizer.json that may be absent or null. */
const PARTS = ['normalizer', 'pre_tokenizer', 'post_processor', 'decoder'] as const;

/**
 * The tokenizer of a pretrained checkpoint: text to token ids and back, equal to Hugging Face's tokenizers. Immutable:
 * `addTokens` returns a new one.
 *
 * @example
 * ```ts
 * import { TextTokenizer, trainByteLevelBpe } from 'tfjs-ilrec';
 *
 * const json = trainByteLevelBpe(['red lipstick'], { vocabSize: 257, specialTokens: ['<eos>'] });
 * const tokenizer = TextTokenizer.fromJSON(json, { eos_token: '<eos>' }).addTokens(['<a_0>']);
 * console.log(tokenizer.vocabSize, tokenizer.encode('red<a_0>').length); // 258 4
 * console.log(tokenizer.decode(tokenizer.encode('red<a_0>'))); // red<a_0>
 * ```
 */
export class TextTokenizer {
  /** V, 1 + the highest token id. A model's embedding may have more rows. */
  readonly vocabSize: number;
  /** Null when the config names no such token. */
  readonly bosTokenId: number | null;
  /** Null when the config names no such token. */
  readonly eosTokenId: number | null;
  /** Null when the config names no such token. */
  readonly padTokenId: number | null;
  private readonly tokenizer: Tokenizer;
  private readonly tokens: readonly (string | undefined)[];
  private readonly idOf: ReadonlyMap<string, number>;
  private readonly cleansUp: boolean;

  private constructor(
    private readonly json: TokenizerJson,
    private readonly config: TokenizerJson,
  ) {
    try {
      this.tokenizer = new Tokenizer(json, config);
    } catch (error) {
      throw new IlrecError(
        'TextTokenizer.fromJSON: tokenizer.json must be one that @huggingface/tokenizers reads, got ' +
          `"${error instanceof Error ? error.message : String(error)}"; use the tokenizer.json of the checkpoint`,
      );
    }
    const { tokens, idOf } = vocabularyOf(json);
    this.tokens = tokens;
    this.idOf = idOf;
    this.vocabSize = tokens.length;
    this.bosTokenId = this.namedToken('bos_token');
    this.eosTokenId = this.namedToken('eos_token');
    this.padTokenId = this.namedToken('pad_token');
    // as in transformers, which removes spaces before punctuation unless the tokenizer is a BPE
    this.cleansUp = config.clean_up_tokenization_spaces === true && modelOf(json).type !== 'BPE';
  }

  /**
   * Makes a tokenizer from the files of a checkpoint.
   *
   * @param tokenizerJson content of `tokenizer.json`.
   * @param tokenizerConfig content of `tokenizer_config.json`, which names the special tokens. Default empty.
   * @returns the tokenizer.
   * @throws IlrecError when there is no vocabulary, a part is damaged or of an unknown kind, or two tokens have one id.
   */
  static fromJSON(tokenizerJson: TokenizerJson, tokenizerConfig: TokenizerJson = {}): TextTokenizer {
    const model = tokenizerJson?.model;
    if (!isObject(model) || !isObject((model as { vocab?: unknown }).vocab)) {
      throw new IlrecError(
        'TextTokenizer.fromJSON: tokenizer.json must have a model with a vocab, got none; use the tokenizer.json ' +
          'of the checkpoint',
      );
    }
    const absent = Object.fromEntries(PARTS.filter((part) => !(part in tokenizerJson)).map((part) => [part, null]));
    const type = (model as { type?: unknown }).type ?? ('merges' in model ? 'BPE' : undefined); // absent from old files
    const whole = {
      ...tokenizerJson,
      ...absent,
      added_tokens: addedTokensOf(tokenizerJson),
      model: type === undefined ? model : { ...model, type },
    };
    return new TextTokenizer(structuredClone(whole), structuredClone(tokenizerConfig));
  }

  /**
   * Encodes a text.
   *
   * @param text of any length.
   * @param options whether to add special tokens.
   * @returns token ids; none for the empty text.
   * @throws IlrecError when the vocabulary has neither a token for a piece of the text nor an unknown token.
   */
  encode(text: string, { addSpecialTokens = false }: EncodeTextOptions = {}): Int32Array {
    const { ids, tokens } = this.tokenizer.encode(text, { add_special_tokens: addSpecialTokens });
    const unknown = (ids as readonly (number | undefined)[]).indexOf(undefined);
    if (unknown >= 0) {
      throw new IlrecError(
        'TextTokenizer.encode: the vocabulary must have a token for every piece of the text or an unknown token, ' +
          `got "${tokens[unknown]}"; use a tokenizer that covers the text`,
      );
    }
    return Int32Array.from(ids);
  }

  /**
   * Decodes token ids.
   *
   * @param ids token ids. Ids outside the vocabulary are skipped: a padded embedding has some.
   * @param options whether to skip special tokens.
   * @returns the text.
   */
  decode(ids: ArrayLike<number>, { skipSpecialTokens = false }: DecodeTextOptions = {}): string {
    const known = Array.from(ids).filter((id) => this.tokens[id] !== undefined);
    if (known.length === 0) return '';
    return this.tokenizer.decode(known, {
      skip_special_tokens: skipSpecialTokens,
      clean_up_tokenization_spaces: this.cleansUp,
    });
  }

  /**
   * Returns the id of a token.
   *
   * @param token the token, spelled as in the vocabulary.
   * @returns the token id, undefined when the vocabulary does not have it.
   */
  tokenToId(token: string): number | undefined {
    return this.idOf.get(token);
  }

  /**
   * Returns the token of an id.
   *
   * @param id token id.
   * @returns the token, spelled as in the vocabulary; undefined when there is none.
   */
  idToToken(id: number): string | undefined {
    return this.tokens[id];
  }

  /**
   * Adds tokens: each gets one id and is recognised anywhere in a text. New ids follow the highest one; tokens of the
   * vocabulary keep theirs.
   *
   * @param tokens texts of the tokens; case, accents and spaces matter.
   * @param options whether the tokens are special.
   * @returns a new tokenizer; this one does not change.
   * @throws IlrecError when a token is empty, or the vocabulary has gaps, where Hugging Face's tokenizers would give
   * other ids.
   */
  addTokens(tokens: readonly string[], { special = false }: AddTokensOptions = {}): TextTokenizer {
    const added = new Map(addedTokensOf(this.json).map((token) => [token.content, token]));
    let next = this.vocabSize;
    for (const content of tokens) {
      if (content === '')
        throw new IlrecError('TextTokenizer.addTokens: tokens must not be empty, got ""; leave it out');
      if (added.has(content)) continue;
      const id = this.idOf.get(content) ?? next++;
      added.set(content, { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special });
    }
    const sorted = [...added.values()].sort((a, b) => a.id - b.id);
    const expected = nextIdOf(this.json);
    if (next > this.vocabSize && expected !== this.vocabSize) {
      throw new IlrecError(
        `TextTokenizer.addTokens: the vocabulary must have no gaps, got ${this.vocabSize} as the first free id ` +
          `where Hugging Face's tokenizers would give ${expected}; give the gaps tokens first`,
      );
    }
    const decoder = Object.fromEntries(sorted.map(({ id, ...rest }) => [String(id), rest]));
    return new TextTokenizer(
      { ...this.json, added_tokens: sorted },
      {
        ...this.config,
        added_tokens_decoder: { ...(this.config.added_tokens_decoder as object | undefined), ...decoder },
      },
    );
  }

  /**
   * Returns the contents of `tokenizer.json` and `tokenizer_config.json`, for `fromJSON`, Hugging Face's tokenizers and
   * transformers.
   *
   * @returns copies of both.
   */
  toJSON(): { tokenizer: TokenizerJson; config: TokenizerJson } {
    return { tokenizer: structuredClone(this.json), config: structuredClone(this.config) };
  }

  /** The id of a token that the config names, as a text or as an object with `content`. */
  private namedToken(name: string): number | null {
    const value = this.config[name];
    const content = typeof value === 'object' && value !== null ? (value as { content?: unknown }).content : value;
    return typeof content === 'string' ? (this.idOf.get(content) ?? null) : null;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function modelOf(json: TokenizerJson): { type?: string; vocab: Record<string, number> | [string, number][] } {
  return json.model as { type?: string; vocab: Record<string, number> | [string, number][] };
}

function addedTokensOf(json: TokenizerJson): readonly AddedToken[] {
  const added = json.added_tokens ?? [];
  if (!Array.isArray(added) || !added.every(isObject))
    throw new IlrecError(
      'TextTokenizer.fromJSON: added_tokens must be a list of objects, got another value; use another copy of ' +
        'tokenizer.json',
    );
  return added as readonly AddedToken[];
}

/** Tokens by id and ids by token. In a Unigram model the id is the position. */
function vocabularyOf(json: TokenizerJson): { tokens: (string | undefined)[]; idOf: Map<string, number> } {
  const { vocab } = modelOf(json);
  const pairs: [string, number][] = Array.isArray(vocab)
    ? vocab.map(([token], id) => [token, id])
    : Object.entries(vocab);
  const tokens: (string | undefined)[] = [];
  const idOf = new Map<string, number>();
  for (const [token, id] of [
    ...pairs,
    ...addedTokensOf(json).map(({ content, id }): [string, number] => [content, id]),
  ]) {
    if (!Number.isInteger(id) || id < 0)
      throw new IlrecError(
        `TextTokenizer.fromJSON: token ids must be 0 or above, got ${String(id)} for "${token}"; use another ` +
          'copy of tokenizer.json',
      );
    if (tokens[id] !== undefined && tokens[id] !== token) {
      throw new IlrecError(
        `TextTokenizer.fromJSON: each id must belong to one token, got ${id} for "${tokens[id]}" and "${token}"; ` +
          'use another copy of tokenizer.json',
      );
    }
    tokens[id] = token;
    idOf.set(token, id);
  }
  return { tokens, idOf };
}

/**
 * The id that Hugging Face's tokenizers give the next added token. They count the ids of added tokens instead of
 * reading them from the file.
 */
function nextIdOf(json: TokenizerJson): number {
  const { vocab } = modelOf(json);
  const count = Array.isArray(vocab) ? vocab.length : Object.keys(vocab).length;
  return addedTokensOf(json).reduce((next, { id }) => Math.max(next, id + 1), count);
}
