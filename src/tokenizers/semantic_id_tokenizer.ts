import { IlrecError } from '../errors';

/** The three tokens every vocabulary starts with: ids 0, 1 and 2. */
const SPECIAL_TOKENS = ['<pad>', '<bos>', '<eos>'] as const;
const JSON_VERSION = 1;

/** What `toJSON` gives: the vocabulary and each item's token ids. */
export interface SemanticIdTokenizerJson {
  version: number;
  vocabulary: string[];
  items: number[][];
}

/**
 * Turns items into the tokens of their semantic ids and back.
 *
 * The vocabulary is `<pad>`, `<bos>`, `<eos>` and then the items' tokens, ordered by level, then code; it holds no token that no item uses.
 */
export class SemanticIdTokenizer {
  readonly padTokenId = 0;
  readonly bosTokenId = 1;
  readonly eosTokenId = 2;
  /** Token ids per item, coarse to fine. Do not write to them. */
  readonly itemTokens: Int32Array[];
  private readonly vocabulary: readonly string[];
  private readonly idOf: ReadonlyMap<string, number>;

  private constructor(vocabulary: readonly string[], itemTokens: Int32Array[]) {
    this.vocabulary = vocabulary;
    this.itemTokens = itemTokens;
    this.idOf = new Map(vocabulary.map((token, id) => [token, id]));
  }

  /**
   * @param semanticIds per item its tokens, coarse to fine; lengths may differ and items may share one.
   * @throws IlrecError when there is no item, an item has no token, or a token is one of the three special ones.
   */
  static fromSemanticIds(semanticIds: readonly (readonly string[])[]): SemanticIdTokenizer {
    if (semanticIds.length === 0)
      throw new IlrecError(
        'SemanticIdTokenizer.fromSemanticIds: there must be at least one item, got none; give one semantic id per item',
      );
    const levelOf = new Map<string, number>(); // the first level a token is seen at
    semanticIds.forEach((tokens, item) => {
      if (tokens.length === 0)
        throw new IlrecError(
          `SemanticIdTokenizer.fromSemanticIds: item ${item} must have at least one token, got none; give it a semantic id`,
        );
      tokens.forEach((token, level) => levelOf.set(token, Math.min(level, levelOf.get(token) ?? level)));
    });
    for (const special of SPECIAL_TOKENS) {
      if (levelOf.has(special))
        throw new IlrecError(
          `SemanticIdTokenizer.fromSemanticIds: ${SPECIAL_TOKENS.join(', ')} must not be used in semantic ids, got "${special}"; rename it`,
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

  static fromJSON(json: SemanticIdTokenizerJson): SemanticIdTokenizer {
    if (json.version !== JSON_VERSION) {
      throw new IlrecError(
        `SemanticIdTokenizer.fromJSON: version must be ${JSON_VERSION}, got ${String(json.version)}; make the tokenizer again with this release of tfjs-ilrec`,
      );
    }
    const bad = json.items.findIndex(
      (tokens) =>
        tokens.length === 0 ||
        tokens.some((id) => !(Number.isInteger(id) && id >= SPECIAL_TOKENS.length && id < json.vocabulary.length)),
    );
    if (bad >= 0) {
      throw new IlrecError(
        `SemanticIdTokenizer.fromJSON: item ${bad} must have token ids from ${SPECIAL_TOKENS.length} to ${json.vocabulary.length - 1}, got [${json.items[bad].join(', ')}]; make the tokenizer again`,
      );
    }
    return new SemanticIdTokenizer(
      json.vocabulary,
      json.items.map((tokens) => Int32Array.from(tokens)),
    );
  }

  toJSON(): SemanticIdTokenizerJson {
    return {
      version: JSON_VERSION,
      vocabulary: [...this.vocabulary],
      items: this.itemTokens.map((tokens) => [...tokens]),
    };
  }

  /** Special tokens included. */
  get vocabSize(): number {
    return this.vocabulary.length;
  }

  get numItems(): number {
    return this.itemTokens.length;
  }

  /** Tokens of the longest item. */
  get maxItemTokens(): number {
    return this.itemTokens.reduce((longest, tokens) => Math.max(longest, tokens.length), 0);
  }

  /** The token ids of an item, coarse to fine; shared with `itemTokens`. @throws IlrecError when there is no such item. */
  encode(item: number): Int32Array {
    const tokens = this.itemTokens[item];
    if (tokens === undefined)
      throw new IlrecError(
        `SemanticIdTokenizer.encode: item must be an item number from 0 to ${this.numItems - 1}, got ${item}; look it up in itemIds`,
      );
    return tokens;
  }

  /** The text of a token. @throws IlrecError when there is no such token. */
  tokenToString(id: number): string {
    const token = this.vocabulary[id];
    if (token === undefined)
      throw new IlrecError(
        `SemanticIdTokenizer.tokenToString: id must be from 0 to ${this.vocabSize - 1}, got ${id}; use the tokenizer the model was trained with`,
      );
    return token;
  }

  /** The id of a token, undefined where the vocabulary has none such. */
  stringToToken(token: string): number | undefined {
    return this.idOf.get(token);
  }
}

/** The last number in a token's text: 7 for "<b_7>"; 0 where there is none. */
function codeOf(token: string): number {
  const digits = /(\d+)\D*$/.exec(token);
  return digits === null ? 0 : Number(digits[1]);
}
