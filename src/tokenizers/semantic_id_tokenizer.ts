import { IlrecError } from '../errors';

/** Every vocabulary starts with these tokens, ids 0, 1 and 2. */
const SPECIAL_TOKENS = ['<pad>', '<bos>', '<eos>'] as const;
const JSON_VERSION = 1;

/** The result of `toJSON`: the vocabulary and each item's token ids. */
export interface SemanticIdTokenizerJson {
  version: number;
  vocabulary: string[];
  items: number[][];
}

/**
 * Maps items to the tokens of their semantic ids.
 *
 * The vocabulary is `<pad>`, `<bos>`, `<eos>` and the items' tokens, ordered by level, then code. It has no unused
 * tokens.
 *
 * @example
 * ```ts
 * import { SemanticIdTokenizer } from 'tfjs-ilrec';
 *
 * const tokenizer = SemanticIdTokenizer.fromSemanticIds([
 *   ['<a_0>', '<b_1>'],
 *   ['<a_0>', '<b_2>'],
 * ]);
 * console.log(tokenizer.vocabSize, tokenizer.itemTokens); // 6 [ Int32Array(2) [ 3, 4 ], Int32Array(2) [ 3, 5 ] ]
 * console.log(tokenizer.tokenToString(5)); // <b_2>
 * ```
 */
export class SemanticIdTokenizer {
  readonly padTokenId = 0;
  readonly bosTokenId = 1;
  readonly eosTokenId = 2;
  /** Token ids of each item, coarse to fine, [N]. Read only. */
  readonly itemTokens: Int32Array[];
  private readonly vocabulary: readonly string[];
  private readonly idOf: ReadonlyMap<string, number>;

  private constructor(vocabulary: readonly string[], itemTokens: Int32Array[]) {
    this.vocabulary = vocabulary;
    this.itemTokens = itemTokens;
    this.idOf = new Map(vocabulary.map((token, id) => [token, id]));
  }

  /**
   * Makes a tokenizer for a catalogue.
   *
   * @param semanticIds tokens of each item, coarse to fine, [N]. Lengths may differ, and items may share an id.
   * @returns the tokenizer.
   * @throws IlrecError when there is no item, an item has no token, or a token is one of the three special ones.
   */
  static fromSemanticIds(semanticIds: readonly (readonly string[])[]): SemanticIdTokenizer {
    if ((semanticIds?.length ?? 0) === 0)
      throw new IlrecError(
        'SemanticIdTokenizer.fromSemanticIds: there must be at least one item, got none; give one semantic id per item',
      );
    const levelOf = new Map<string, number>(); // the first level a token is seen at
    semanticIds.forEach((tokens, item) => {
      if (tokens.length === 0)
        throw new IlrecError(
          `SemanticIdTokenizer.fromSemanticIds: item ${item} must have at least one token, got none; give it a ` +
            'semantic id',
        );
      tokens.forEach((token, level) => levelOf.set(token, Math.min(level, levelOf.get(token) ?? level)));
    });
    for (const special of SPECIAL_TOKENS) {
      if (levelOf.has(special))
        throw new IlrecError(
          `SemanticIdTokenizer.fromSemanticIds: ${SPECIAL_TOKENS.join(', ')} must not be used in semantic ids, ` +
            `got "${special}"; rename it`,
        );
    }
    const keyed = [...levelOf].map(([token, level]) => ({ token, level, code: codeOf(token) }));
    keyed.sort((a, b) => a.level - b.level || a.code - b.code || (a.token < b.token ? -1 : 1));
    const vocabulary = [...SPECIAL_TOKENS, ...keyed.map(({ token }) => token)];
    const idOf = new Map(vocabulary.map((token, id) => [token, id]));
    return new SemanticIdTokenizer(
      vocabulary,
      semanticIds.map((tokens) => Int32Array.from(tokens, (token) => idOf.get(token) as number)),
    );
  }

  /**
   * Restores a tokenizer from `toJSON`'s result.
   *
   * @param json the value, or its copy from a file.
   * @returns the tokenizer.
   * @throws IlrecError when the version differs, or an item has token ids outside the vocabulary.
   */
  static fromJSON(json: SemanticIdTokenizerJson): SemanticIdTokenizer {
    if (json.version !== JSON_VERSION) {
      throw new IlrecError(
        `SemanticIdTokenizer.fromJSON: version must be ${JSON_VERSION}, got ${String(json.version)}; make the ` +
          'tokenizer again with this release of tfjs-ilrec',
      );
    }
    const bad = json.items.findIndex(
      (tokens) =>
        tokens.length === 0 ||
        tokens.some((id) => !(Number.isInteger(id) && id >= SPECIAL_TOKENS.length && id < json.vocabulary.length)),
    );
    if (bad >= 0) {
      throw new IlrecError(
        `SemanticIdTokenizer.fromJSON: item ${bad} must have token ids from ${SPECIAL_TOKENS.length} to ` +
          `${json.vocabulary.length - 1}, got [${json.items[bad].join(', ')}]; make the tokenizer again`,
      );
    }
    return new SemanticIdTokenizer(
      json.vocabulary,
      json.items.map((tokens) => Int32Array.from(tokens)),
    );
  }

  /**
   * Returns the vocabulary and the items' tokens as plain data.
   *
   * @returns a value for `JSON.stringify` and `fromJSON`.
   */
  toJSON(): SemanticIdTokenizerJson {
    return {
      version: JSON_VERSION,
      vocabulary: [...this.vocabulary],
      items: this.itemTokens.map((tokens) => [...tokens]),
    };
  }

  /** V, number of tokens, with the special ones. */
  get vocabSize(): number {
    return this.vocabulary.length;
  }

  /** N, number of items. */
  get numItems(): number {
    return this.itemTokens.length;
  }

  /** Number of tokens of the longest semantic id. */
  get maxItemTokens(): number {
    return this.itemTokens.reduce((longest, tokens) => Math.max(longest, tokens.length), 0);
  }

  /**
   * Returns the token ids of an item.
   *
   * @param item item number, in [0, N).
   * @returns token ids, coarse to fine; the same array as in `itemTokens`.
   * @throws IlrecError when there is no such item.
   */
  encode(item: number): Int32Array {
    const tokens = this.itemTokens[item];
    if (tokens === undefined)
      throw new IlrecError(
        `SemanticIdTokenizer.encode: item must be an item number from 0 to ${this.numItems - 1}, got ${item}; ` +
          'look it up in itemIds',
      );
    return tokens;
  }

  /**
   * Returns the text of a token.
   *
   * @param id token id, in [0, V).
   * @returns for example "<a_3>".
   * @throws IlrecError when there is no such token.
   */
  tokenToString(id: number): string {
    const token = this.vocabulary[id];
    if (token === undefined)
      throw new IlrecError(
        `SemanticIdTokenizer.tokenToString: id must be from 0 to ${this.vocabSize - 1}, got ${id}; use the ` +
          'tokenizer the model was trained with',
      );
    return token;
  }

  /**
   * Returns the id of a token.
   *
   * @param token its text, for example "<a_3>".
   * @returns the token id, undefined when the vocabulary does not have it.
   */
  stringToToken(token: string): number | undefined {
    return this.idOf.get(token);
  }
}

/** The last number in a token's text: 7 for "<b_7>", 0 when it has no number. */
function codeOf(token: string): number {
  const digits = /(\d+)\D*$/.exec(token);
  return digits === null ? 0 : Number(digits[1]);
}
