import { IlrecError } from '../errors';

/** The part of a semantic-id tokenizer that a prompt needs. */
export interface PromptTokenizer {
  readonly bosTokenId: number;
  /** Token ids of each item, [N]. */
  readonly itemTokens: readonly ArrayLike<number>[];
}

/**
 * The prompt of a history: the start token, then the tokens of its last `maxHistory` items, oldest first. An empty history is the start token alone.
 *
 * @param maxHistory how many items count, at least 0; default all.
 * @throws IlrecError when an item is not in the catalogue.
 */
export function historyPrompt({ bosTokenId, itemTokens }: PromptTokenizer, history: ArrayLike<number>, maxHistory = Infinity): Int32Array {
  const first = Math.max(0, history.length - maxHistory);
  let length = 1;
  for (let i = first; i < history.length; i++) {
    const tokens = itemTokens[history[i]];
    if (tokens === undefined) throw new IlrecError(`historyPrompt: items must be integers in [0, ${itemTokens.length}), got ${history[i]}`);
    length += tokens.length;
  }
  const prompt = new Int32Array(length);
  prompt[0] = bosTokenId;
  let offset = 1;
  for (let i = first; i < history.length; i++) {
    prompt.set(itemTokens[history[i]], offset);
    offset += itemTokens[history[i]].length;
  }
  return prompt;
}
