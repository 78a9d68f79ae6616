import { Tokenizer } from '@huggingface/tokenizers';
import { IlrecError } from '../errors';

/** The content of a `tokenizer.json` or `tokenizer_config.json`. */
export type TokenizerJson = Readonly<Record<string, unknown>>;

export interface EncodeTextOptions {
  /** Adds what the tokenizer's template adds, such as a begin-of-text token. Default false. */
  readonly addSpecialTokens?: boolean;
}

export interface DecodeTextOptions {
  /** Leaves special tokens out of the text. Default false. */
  readonly skipSpecialTokens?: boolean;
}

export interface AddTokensOptions {
  /** Special tokens are left out by `decode(ids, { skipSpecialTokens: true })`. Default false. */
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
 * The tokenizer of a pretrained checkpoint: text to token ids and back, as Hugging Face's tokenizers do it. It never changes; `addTokens` gives a new one.
 */
export class TextTokenizer {
  /** 1 + the highest id. The embedding of a model may have more rows than that. */
  readonly vocabSize: number;
  readonly bosTokenId: number | null;
  readonly eosTokenId: number | null;
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
        `TextTokenizer.fromJSON: tokenizer.json must be one that @huggingface/tokenizers reads, got "${error instanceof Error ? error.message : String(error)}"; use the tokenizer.json of the checkpoint`,
      );
    }
    const { tokens, idOf } = vocabularyOf(json);
    this.tokens = tokens;
    this.idOf = idOf;
    this.vocabSize = tokens.length;
    this.bosTokenId = this.namedToken('bos_token');
    this.eosTokenId = this.namedToken('eos_token');
    this.padTokenId = this.namedToken('pad_token');
    // as transformers, which takes spaces before punctuation away only where the tokenizer is no BPE
    this.cleansUp = config.clean_up_tokenization_spaces === true && modelOf(json).type !== 'BPE';
  }

  /**
   * @param tokenizerJson content of `tokenizer.json`.
   * @param tokenizerConfig content of `tokenizer_config.json`, which names the special tokens. Default empty.
   * @throws IlrecError when a part is of a kind that is not known, or ids are taken twice.
   */
  static fromJSON(tokenizerJson: TokenizerJson, tokenizerConfig: TokenizerJson = {}): TextTokenizer {
    const model = tokenizerJson.model;
    if (typeof model !== 'object' || model === null || !('vocab' in model)) {
      throw new IlrecError(
        'TextTokenizer.fromJSON: tokenizer.json must have a model with a vocab, got none; use the tokenizer.json of the checkpoint',
      );
    }
    const absent = Object.fromEntries(PARTS.filter((part) => !(part in tokenizerJson)).map((part) => [part, null]));
    const type = (model as { type?: unknown }).type ?? ('merges' in model ? 'BPE' : undefined); // old files leave it out
    const whole = {
      ...tokenizerJson,
      ...absent,
      added_tokens: addedTokensOf(tokenizerJson),
      model: type === undefined ? model : { ...model, type },
    };
    return new TextTokenizer(structuredClone(whole), structuredClone(tokenizerConfig));
  }

  /**
   * Token ids of a text, of any length; the empty text has none.
   *
   * @throws IlrecError when the vocabulary has no token for a piece of it and no unknown token either.
   */
  encode(text: string, { addSpecialTokens = false }: EncodeTextOptions = {}): Int32Array {
    const { ids, tokens } = this.tokenizer.encode(text, { add_special_tokens: addSpecialTokens });
    const unknown = (ids as readonly (number | undefined)[]).indexOf(undefined);
    if (unknown >= 0) {
      throw new IlrecError(
        `TextTokenizer.encode: the vocabulary must have a token for every piece of the text or an unknown token, got "${tokens[unknown]}"; use a tokenizer that covers the text`,
      );
    }
    return Int32Array.from(ids);
  }

  /** The text of token ids. Ids that the tokenizer does not know, as a padded embedding has them, give no text. */
  decode(ids: ArrayLike<number>, { skipSpecialTokens = false }: DecodeTextOptions = {}): string {
    const known = Array.from(ids).filter((id) => this.tokens[id] !== undefined);
    if (known.length === 0) return '';
    return this.tokenizer.decode(known, {
      skip_special_tokens: skipSpecialTokens,
      clean_up_tokenization_spaces: this.cleansUp,
    });
  }

  /** The id of a token as the vocabulary spells it, undefined where there is none. */
  tokenToId(token: string): number | undefined {
    return this.idOf.get(token);
  }

  /** A token as the vocabulary spells it, undefined where there is none of that id. */
  idToToken(id: number): string | undefined {
    return this.tokens[id];
  }

  /**
   * A tokenizer in which each of the tokens is one id and splits the text around it. New ids follow the highest one; tokens of the vocabulary keep theirs.
   *
   * @param tokens any texts; case, accents and spaces count.
   * @returns a new tokenizer; this one stays as it is.
   * @throws IlrecError when a token is empty, or the vocabulary has gaps that other programs would fill differently.
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
        `TextTokenizer.addTokens: the vocabulary must have no gaps, got ${this.vocabSize} as the first free id where Hugging Face's tokenizers would give ${expected}; give the gaps tokens first`,
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

  /** What `fromJSON` takes, as Hugging Face's tokenizers and transformers read it too. */
  toJSON(): { tokenizer: TokenizerJson; config: TokenizerJson } {
    return { tokenizer: structuredClone(this.json), config: structuredClone(this.config) };
  }

  /** The id of a token that the config names, as text or as an object with its content. */
  private namedToken(name: string): number | null {
    const value = this.config[name];
    const content = typeof value === 'object' && value !== null ? (value as { content?: unknown }).content : value;
    return typeof content === 'string' ? (this.idOf.get(content) ?? null) : null;
  }
}

function modelOf(json: TokenizerJson): { type?: string; vocab: Record<string, number> | [string, number][] } {
  return json.model as { type?: string; vocab: Record<string, number> | [string, number][] };
}

function addedTokensOf(json: TokenizerJson): readonly AddedToken[] {
  return (json.added_tokens ?? []) as readonly AddedToken[];
}

/** Tokens by id and ids by token; those of a Unigram model are their positions. */
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
        `TextTokenizer.fromJSON: token ids must be 0 or above, got ${String(id)} for "${token}"; use another copy of tokenizer.json`,
      );
    if (tokens[id] !== undefined && tokens[id] !== token) {
      throw new IlrecError(
        `TextTokenizer.fromJSON: each id must belong to one token, got ${id} for "${tokens[id]}" and "${token}"; use another copy of tokenizer.json`,
      );
    }
    tokens[id] = token;
    idOf.set(token, id);
  }
  return { tokens, idOf };
}

/** The id that Hugging Face's tokenizers give the next added token: ids of added tokens are not read from the file but counted again. */
function nextIdOf(json: TokenizerJson): number {
  const { vocab } = modelOf(json);
  const count = Array.isArray(vocab) ? vocab.length : Object.keys(vocab).length;
  return addedTokensOf(json).reduce((next, { id }) => Math.max(next, id + 1), count);
}
