import { IlrecError } from '../errors';

/** A token that a text is searched for before the vocabulary is used, as tokenizer.json lists it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Whether it must not touch a letter, a digit or "_". */
  readonly single_word: boolean;
  /** Whether it takes the spaces before it along. */
  readonly lstrip: boolean;
  /** Whether it takes the spaces behind it along. */
  readonly rstrip: boolean;
  /** Whether it is searched for in the normalised text, normalised itself. */
  readonly normalized: boolean;
  /** Whether `decode` can leave it out. */
  readonly special: boolean;
}

/** A part of a text between added tokens. */
export interface TextSpan {
  readonly text: string;
  /** Where it starts in the text that was split. */
  readonly start: number;
}

interface Node {
  readonly next: Map<string, Node>;
  token: AddedToken | null;
}

const WORD = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const SPACE = /\p{White_Space}/u; // \s of JavaScript differs: it has U+FEFF and lacks U+0085

/**
 * Finds added tokens in texts: from left to right the longest one, as Hugging Face's tokenizers do. A single word that
 * touches another is passed over, and no shorter token is looked for in its place.
 */
export class AddedTokenMatcher {
  private readonly root: Node = { next: new Map(), token: null };

  /** @param tokens the tokens, each with the text to look for. Of equal texts the last one counts. */
  constructor(tokens: readonly (readonly [text: string, token: AddedToken])[]) {
    for (const [text, token] of tokens) {
      let node = this.root;
      for (const unit of text.split('')) {
        let next = node.next.get(unit);
        if (next === undefined) node.next.set(unit, (next = { next: new Map(), token: null }));
        node = next;
      }
      if (node !== this.root) node.token = token;
    }
  }

  /** The tokens in a text, and the texts between them, which are never empty. */
  split(text: string): (AddedToken | TextSpan)[] {
    if (this.root.next.size === 0) return text === '' ? [] : [{ text, start: 0 }];
    const parts: (AddedToken | TextSpan)[] = [];
    let done = 0; // everything before is in `parts`
    let at = 0;
    while (at < text.length) {
      const found = this.longestAt(text, at);
      if (found === null) {
        at++;
        continue;
      }
      const [token, end] = found;
      const touches = isWord(lastCharacter(text, at)) || isWord(firstCharacter(text, end));
      if (!(token.single_word && touches)) {
        let [from, to] = [at, end];
        if (token.lstrip) while (from > done && SPACE.test(text[from - 1])) from--;
        if (token.rstrip) while (to < text.length && SPACE.test(text[to])) to++;
        if (done < from) parts.push({ text: text.slice(done, from), start: done });
        parts.push(token);
        done = to;
      }
      at = end;
    }
    if (done < text.length) parts.push({ text: text.slice(done), start: done });
    return parts;
  }

  private longestAt(text: string, start: number): readonly [AddedToken, number] | null {
    let node: Node | undefined = this.root;
    let found: readonly [AddedToken, number] | null = null;
    for (let at = start; at < text.length && (node = node.next.get(text[at])) !== undefined; at++)
      if (node.token !== null) found = [node.token, at + 1];
    return found;
  }
}

/**
 * The added tokens of a tokenizer.json.
 *
 * @throws IlrecError when the list is damaged.
 */
export function addedTokensOf(json: Readonly<Record<string, unknown>>): readonly AddedToken[] {
  const added = json.added_tokens ?? [];
  if (!Array.isArray(added) || !added.every((token) => typeof token === 'object' && token !== null))
    throw new IlrecError(
      'TextTokenizer.fromJSON: added_tokens must be a list of objects, got another value; use another copy of ' +
        'tokenizer.json',
    );
  return added as readonly AddedToken[];
}

/** Fields that tokenizer_config.json may hold a special token in, in the order in which transformers adds them. */
const SPECIAL_TOKENS = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'];

/**
 * The added tokens of both files, as transformers makes them: those of tokenizer.json, then those that only
 * tokenizer_config.json has, in `added_tokens_decoder` or as special tokens. Where both have a token, the flags of
 * `added_tokens_decoder` count.
 *
 * @param vocabulary ids of the model's tokens.
 * @throws IlrecError when a token has another id than Hugging Face's tokenizers would give it.
 */
export function mergeAddedTokens(
  json: Readonly<Record<string, unknown>>,
  config: Readonly<Record<string, unknown>>,
  vocabulary: ReadonlyMap<string, number>,
): AddedToken[] {
  const merged = new Map<string, AddedToken>();
  let next = vocabulary.size;
  const add = (token: Partial<AddedToken> & { content: string }, file: string): void => {
    const id = vocabulary.get(token.content) ?? merged.get(token.content)?.id ?? next;
    if (token.id !== undefined && token.id !== id)
      throw new IlrecError(
        `TextTokenizer.fromJSON: "${token.content}" in ${file} must have id ${id}, which Hugging Face's tokenizers ` +
          `give it whatever the file says, got ${String(token.id)}; use the files of one checkpoint`,
      );
    merged.set(token.content, { ...plain(token.special ?? false), ...token, id });
    next = Math.max(next, id + 1);
  };
  for (const token of addedTokensOf(json)) add(token, 'added_tokens of tokenizer.json');
  const decoder = Object.entries(config.added_tokens_decoder ?? {}) as [string, AddedToken][];
  for (const [id, token] of decoder.sort(([a], [b]) => Number(a) - Number(b)))
    add({ ...token, id: Number(id) }, 'added_tokens_decoder of tokenizer_config.json');
  const named = SPECIAL_TOKENS.map((name) => config[name]);
  const lists = [config.additional_special_tokens, config.extra_special_tokens];
  for (const value of [...named, ...lists.flatMap((list) => Object.values(list ?? {}))]) {
    const token = typeof value === 'string' ? { content: value } : (value as Partial<AddedToken> | null | undefined);
    if (typeof token?.content !== 'string' || token.content === '') continue;
    const { content, lstrip = false, rstrip = false, single_word = false } = token;
    const known = merged.get(content);
    if (known !== undefined) merged.set(content, { ...known, special: true });
    else add({ content, lstrip, rstrip, single_word, normalized: false, special: true }, 'tokenizer_config.json');
  }
  return [...merged.values()];
}

function plain(special: boolean): Omit<AddedToken, 'id' | 'content'> {
  return { single_word: false, lstrip: false, rstrip: false, normalized: !special, special };
}

function firstCharacter(text: string, at: number): string {
  return at < text.length ? String.fromCodePoint(text.codePointAt(at) as number) : '';
}

/** The character before a position. */
function lastCharacter(text: string, end: number): string {
  const isPair = end > 1 && /[\udc00-\udfff]/.test(text[end - 1]) && /[\ud800-\udbff]/.test(text[end - 2]);
  return text.slice(Math.max(0, end - (isPair ? 2 : 1)), end);
}

function isWord(character: string): boolean {
  return WORD.test(character);
}
