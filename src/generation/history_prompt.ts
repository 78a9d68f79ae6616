import { IlrecError } from '../errors';

/** What writes the prompt of a history: the part of a semantic-id tokenizer that it needs, or an item language, which has templates. */
export type PromptTokenizer = ItemTokens | PromptMaker;

interface ItemTokens {
  readonly bosTokenId: number;
  /** Token ids of each item, [N]. */
  readonly itemTokens: readonly ArrayLike<number>[];
}

interface PromptMaker {
  readonly prompt: (history: ArrayLike<number>) => Int32Array;
}

/**
 * The prompt of a history: the start token, then the tokens of its last `maxHistory` items, oldest first. An empty history is the start token alone.
 * A language writes it after its own template, and may show fewer items.
 *
 * @param maxHistory how many items count, at least 0; default all.
 * @throws IlrecError when an item is not in the catalogue.
 */
export function historyPrompt(
  tokenizer: PromptTokenizer,
  history: ArrayLike<number>,
  maxHistory = Infinity,
): Int32Array {
  const first = Math.max(0, history.length - maxHistory);
  if ('prompt' in tokenizer) return tokenizer.prompt(Array.prototype.slice.call(history, first) as number[]);
  const { bosTokenId, itemTokens } = tokenizer;
  let length = 1;
  for (let i = first; i < history.length; i++) {
    const tokens = itemTokens[history[i]];
    if (tokens === undefined)
      throw new IlrecError(`historyPrompt: items must be integers in [0, ${itemTokens.length}), got ${history[i]}`);
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
