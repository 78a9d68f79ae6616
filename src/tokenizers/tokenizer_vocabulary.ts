import { IlrecError } from '../errors';
import { addedTokensOf } from './added_tokens';

/** The content of a `tokenizer.json` or `tokenizer_config.json`. */
export type TokenizerJson = Readonly<Record<string, unknown>>;

/** The model of a tokenizer.json: its kind and its tokens. */
export function modelOf(json: TokenizerJson): { type?: string; vocab: Record<string, number> | [string, number][] } {
  return json.model as { type?: string; vocab: Record<string, number> | [string, number][] };
}

/**
 * Tokens by id and ids by token, added tokens among them. In a Unigram model the id is the position.
 *
 * @throws IlrecError when an id is negative or no integer, or belongs to two tokens.
 */
export function vocabularyOf(json: TokenizerJson): { tokens: (string | undefined)[]; idOf: Map<string, number> } {
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
export function nextIdOf(json: TokenizerJson): number {
  const { vocab } = modelOf(json);
  const count = Array.isArray(vocab) ? vocab.length : Object.keys(vocab).length;
  return addedTokensOf(json).reduce((next, { id }) => Math.max(next, id + 1), count);
}
