import { Tokenizer } from '@huggingface/tokenizers';
import { IlrecError } from '../errors';
import { type AddedToken, addedTokensOf, AddedTokenMatcher, mergeAddedTokens } from './added_tokens';
import { correctDecoder, correctNormalizer } from './library_corrections';
import {
  portableNormalizer,
  portablePreTokenizer,
  type SpecialIds,
  specialIdsOf,
  type TokenizerPart,
  withPrefixSpace,
} from './tokenizer_parts';
import { modelOf, nextIdOf, type TokenizerJson, vocabularyOf } from './tokenizer_vocabulary';

export type { TokenizerJson };

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

/** Kinds of models; of others the library would guess the kind. */
const MODELS: readonly unknown[] = ['BPE', 'WordPiece', 'WordLevel', 'Unigram'];
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
  /** Ids that `decode` can leave out. As in Hugging Face's tokenizers, normalising must not change their text. */
  private readonly specials: ReadonlySet<number>;
  private readonly template: SpecialIds;
  private readonly cleansUp: boolean;
  /** Finds added tokens in a text, and those that are normalised in a normalised text. */
  private readonly matchers: readonly [AddedTokenMatcher, AddedTokenMatcher];
  /** What `decode` writes for added tokens whose text is normalised. */
  private readonly writtenAs: ReadonlyMap<number, string>;

  private constructor(
    private readonly json: TokenizerJson,
    private readonly config: TokenizerJson,
  ) {
    const added = addedTokensOf(json);
    this.tokenizer = partsOfLibrary(json, config);
    this.template = specialIdsOf(json.post_processor as TokenizerPart | null);
    correctDecoder(this.tokenizer.decoder);
    correctNormalizer(this.tokenizer.normalizer);
    const normalised = added
      .filter(({ normalized }) => normalized)
      .map((token) => [this.normalise(token.content), token] as const);
    const raw = added.filter(({ normalized }) => !normalized).map((token) => [token.content, token] as const);
    this.matchers = [new AddedTokenMatcher(raw), new AddedTokenMatcher(normalised)];
    this.writtenAs = new Map(normalised.map(([text, { id }]) => [id, text]));
    const isWrittenAlike = ({ id, content }: AddedToken): boolean => (this.writtenAs.get(id) ?? content) === content;
    this.specials = new Set(added.filter((token) => token.special && isWrittenAlike(token)).map(({ id }) => id));
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
   * @throws IlrecError when there is no vocabulary, a part is damaged, of an unknown kind or one that
   * @huggingface/tokenizers computes otherwise than Hugging Face's tokenizers, two tokens have one id, an added token has
   * another id than tokenizers would give it, or both files contradict each other.
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
    if (type !== undefined && !MODELS.includes(type))
      throw new IlrecError(
        `TextTokenizer.fromJSON: model of tokenizer.json must be one of ${MODELS.join(', ')}, got ` +
          `${JSON.stringify(type)}; use a checkpoint with such a tokenizer`,
      );
    const whole = { ...tokenizerJson, ...absent, model: type === undefined ? model : { ...model, type } };
    const { idOf } = vocabularyOf({ model: whole.model }); // of the model alone
    const added = { ...whole, added_tokens: mergeAddedTokens(whole, tokenizerConfig, idOf) };
    return new TextTokenizer(
      structuredClone(withPrefixSpace(added, tokenizerConfig)),
      structuredClone(tokenizerConfig),
    );
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
    const ids: number[] = [];
    for (const part of this.matchers[0].split(text)) {
      if ('id' in part) ids.push(part.id);
      else
        for (const inner of this.matchers[1].split(this.normalise(part.text))) {
          if ('id' in inner) ids.push(inner.id);
          else this.encodePiece(inner.text, part.start + inner.start === 0, ids);
        }
    }
    const { before, after } = this.template;
    return Int32Array.from(addSpecialTokens ? [...before, ...ids, ...after] : ids);
  }

  /**
   * Decodes token ids.
   *
   * @param ids token ids. Ids outside the vocabulary are skipped: a padded embedding has some.
   * @param options whether to skip special tokens.
   * @returns the text.
   */
  decode(ids: ArrayLike<number>, { skipSpecialTokens = false }: DecodeTextOptions = {}): string {
    const tokens = Array.from(ids)
      .filter((id) => this.tokens[id] !== undefined && !(skipSpecialTokens && this.specials.has(id)))
      .map((id) => this.writtenAs.get(id) ?? (this.tokens[id] as string));
    const { decoder } = this.tokenizer;
    const text = decoder === null ? tokens.join(' ') : decoder.decode(tokens);
    return this.cleansUp ? cleanUp(text) : text;
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

  /**
   * Encodes a text without added tokens.
   *
   * @param isFirst whether the whole text starts with it.
   * @param ids to which those of the text are added.
   */
  private encodePiece(text: string, isFirst: boolean, ids: number[]): void {
    const { pre_tokenizer: split, model } = this.tokenizer;
    const pieces = split === null ? [text] : split.pre_tokenize(text, { section_index: isFirst ? 0 : 1 });
    for (const token of model?._call(pieces) ?? []) {
      const id = model?.tokens_to_ids.get(token) ?? model?.unk_token_id;
      if (id === undefined)
        throw new IlrecError(
          'TextTokenizer.encode: the vocabulary must have a token for every piece of the text or an unknown token, ' +
            `got "${token}"; use a tokenizer that covers the text`,
        );
      ids.push(id);
    }
  }

  private normalise(text: string): string {
    return this.tokenizer.normalizer?.normalize(text) ?? text;
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

/** Normalizer, pre-tokenizer, model and decoder, as @huggingface/tokenizers makes them. */
function partsOfLibrary(json: TokenizerJson, config: TokenizerJson): Tokenizer {
  const portable = {
    ...json,
    added_tokens: [], // found here, in front of it
    normalizer: portableNormalizer(json.normalizer as TokenizerPart | null),
    pre_tokenizer: portablePreTokenizer(json.pre_tokenizer as TokenizerPart | null),
    post_processor: null,
  };
  try {
    return new Tokenizer(portable, config);
  } catch (error) {
    throw new IlrecError(
      'TextTokenizer.fromJSON: tokenizer.json must be one that @huggingface/tokenizers reads, got ' +
        `"${error instanceof Error ? error.message : String(error)}"; use the tokenizer.json of the checkpoint`,
    );
  }
}

/** Removes the spaces before punctuation and contractions, as `clean_up_tokenization_spaces` of transformers. */
function cleanUp(text: string): string {
  return text
    .replace(/ ([.?!,])/g, '$1')
    .replaceAll(" ' ", "'")
    .replace(/ (n't|'m|'s|'ve|'re)/g, '$1');
}
