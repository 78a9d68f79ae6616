import { IlrecError } from '../errors';
import type { TextTokenizer } from './text_tokenizer';

/** Options of `encodeTitles`. */
export interface EncodeTitlesOptions {
  /**
   * Tokens that a title must not contain, in addition to the tokenizer's special tokens: those that stand for items.
   * Default none.
   */
  reservedTokens?: readonly string[];
  /** Most tokens of a title, at least 1; longer titles are cut. Default no limit. */
  maxTitleTokens?: number;
}

/**
 * Normalizes a title: Unicode NFC, runs of white space and control characters become one space, spaces at the ends are
 * removed, lone surrogates become U+FFFD.
 *
 * @param title text in any script.
 * @returns the normalized title; empty for null, undefined and titles without visible characters.
 * @example
 * ```ts
 * import { normalizeTitle } from 'tfjs-ilrec';
 *
 * console.log(normalizeTitle('  Red\n lipstick ')); // Red lipstick
 * ```
 */
export function normalizeTitle(title: string | null | undefined): string {
  return (title ?? '')
    .replace(/\p{Surrogate}/gu, '\uFFFD')
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .normalize('NFC');
}

/**
 * Encodes titles. Each title is encoded alone, so that it has the same tokens everywhere.
 *
 * The text of a special or reserved token inside a title ("</s>") is encoded as ordinary text. So no title can end a
 * response or name an item.
 *
 * @param tokenizer the checkpoint's tokenizer.
 * @param titles one per item, [N]; null or undefined for an item without a title.
 * @param options reserved tokens and the longest title.
 * @returns token ids of each title, [N]; null for an empty title.
 * @throws IlrecError when maxTitleTokens is not a positive integer, a title has no token, or a special token in a title
 * cannot be split.
 * @example
 * ```ts
 * import { encodeTitles, TextTokenizer, trainByteLevelBpe } from 'tfjs-ilrec';
 *
 * const json = trainByteLevelBpe(['red lipstick'], { vocabSize: 256 }); // one token per byte
 * const tokenizer = TextTokenizer.fromJSON(json);
 * const tokens = encodeTitles(tokenizer, ['red lipstick', null, 'red'], { maxTitleTokens: 5 });
 * console.log(tokens.map((title) => title?.length)); // [ 5, undefined, 3 ]
 * ```
 */
export function encodeTitles(
  tokenizer: TextTokenizer,
  titles: readonly (string | null | undefined)[],
  { reservedTokens = [], maxTitleTokens = Infinity }: EncodeTitlesOptions = {},
): (Int32Array | null)[] {
  if (!(maxTitleTokens >= 1) || (maxTitleTokens !== Infinity && !Number.isInteger(maxTitleTokens))) {
    throw new IlrecError(`encodeTitles: maxTitleTokens must be a positive integer, got ${maxTitleTokens}`);
  }
  const isReserved = reservedTest(tokenizer, reservedTokens);
  return titles.map((title, item) => {
    const text = normalizeTitle(title);
    if (text === '') return null;
    const tokens = encodePlainText(tokenizer, text, isReserved, item);
    if (tokens.length === 0)
      throw new IlrecError(
        `encodeTitles: a title must have at least one token, got none for ${JSON.stringify(text)} of item ` +
          `${item}; use a tokenizer that knows its script`,
      );
    return tokens.length > maxTitleTokens ? tokens.slice(0, maxTitleTokens) : tokens;
  });
}

/**
 * Encodes a text with its special and reserved tokens as ordinary text: split after their first character, they are no
 * longer recognised.
 */
function encodePlainText(
  tokenizer: TextTokenizer,
  text: string,
  isReserved: (id: number) => boolean,
  item: number,
): Int32Array {
  const tokens = tokenizer.encode(text);
  const found = new Set(Array.from(tokens.filter(isReserved), (id) => tokenizer.idToToken(id) ?? ''));
  if (found.size === 0) return tokens;
  const pieces = cutInside(text, [...found]).map((piece) => tokenizer.encode(piece));
  const whole = Int32Array.from(pieces.flatMap((piece) => [...piece]));
  const left = whole.find(isReserved);
  if (left !== undefined) {
    throw new IlrecError(
      `encodeTitles: a title must not hold a special token, got ${JSON.stringify(tokenizer.idToToken(left))} in ` +
        `${JSON.stringify(text)} of item ${item}; change the title`,
    );
  }
  return whole;
}

/** Splits a text after the first character of each occurrence of the words. */
function cutInside(text: string, words: readonly string[]): string[] {
  const cuts = new Set<number>();
  for (const word of words) {
    for (let at = text.indexOf(word); at >= 0 && word !== ''; at = text.indexOf(word, at + 1))
      cuts.add(at + String.fromCodePoint(word.codePointAt(0) as number).length);
  }
  const places = [0, ...[...cuts].sort((a, b) => a - b), text.length];
  return places
    .slice(1)
    .map((end, i) => text.slice(places[i], end))
    .filter((piece) => piece !== '');
}

/**
 * Makes a test for tokens that are reserved or special, that is, skipped by `decode` with `skipSpecialTokens`.
 * Remembers each id's answer.
 */
function reservedTest(tokenizer: TextTokenizer, reservedTokens: readonly string[]): (id: number) => boolean {
  const known = new Map<number, boolean>();
  for (const id of [tokenizer.bosTokenId, tokenizer.eosTokenId, tokenizer.padTokenId])
    if (id !== null) known.set(id, true);
  for (const token of reservedTokens) {
    const id = tokenizer.tokenToId(token);
    if (id !== undefined && id !== null) known.set(id, true);
  }
  return (id) => {
    let reserved = known.get(id);
    if (reserved === undefined) {
      reserved =
        tokenizer.decode([id], { skipSpecialTokens: true }) === '' &&
        tokenizer.decode([id], { skipSpecialTokens: false }) !== '';
      known.set(id, reserved);
    }
    return reserved;
  };
}
