import { IlrecError } from '../errors';
import type { TextTokenizer } from './text_tokenizer';

export interface EncodeTitlesOptions {
  /** Tokens that a title must not hold beside the tokenizer's special ones: those that stand for items. Default none. */
  reservedTokens?: readonly string[];
  /** Tokens of a title that count, at least 1; what comes after is cut off. Default all. */
  maxTitleTokens?: number;
}

/**
 * A title as it is written: NFC, each run of white space and control characters one space, none at the ends, half of a surrogate pair U+FFFD.
 * Empty for null, undefined and titles of nothing else.
 */
export function normalizeTitle(title: string | null | undefined): string {
  return (title ?? '')
    .replace(/\p{Surrogate}/gu, '\uFFFD')
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .normalize('NFC');
}

/**
 * The tokens of each title, encoded by itself, so that it has the same ones wherever it stands. A title that holds the text of a special or
 * reserved token ("</s>") is written with the tokens of that text, so that no title can end a response or name an item.
 *
 * @returns per title its tokens, null where the title is empty, [N].
 * @throws IlrecError when a title has no token, or holds a token that cannot be taken apart.
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
        `encodeTitles: a title must have at least one token, got none for ${JSON.stringify(text)} of item ${item}; use a tokenizer that knows its script`,
      );
    return tokens.length > maxTitleTokens ? tokens.slice(0, maxTitleTokens) : tokens;
  });
}

/** Encodes text in which special and reserved tokens are text too: cut after their first character, they are no longer found. */
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
      `encodeTitles: a title must not hold a special token, got ${JSON.stringify(tokenizer.idToToken(left))} in ${JSON.stringify(text)} of item ${item}; change the title`,
    );
  }
  return whole;
}

/** The pieces of a text that is cut after the first character of each of the words in it. */
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

/** Whether a token is special to the tokenizer (left out when it decodes without those) or reserved; each id is looked at once. */
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
