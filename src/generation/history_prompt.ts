import { IlrecError } from '../errors';

/**
 * What `historyPrompt` writes with: a `SemanticIdTokenizer` (or just its start token and item tokens), or an item
 * language with its own templates.
 */
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
 * Writes the prompt of a history: the start token, then the tokens of its newest items, oldest first. An empty history
 * gives the start token alone. An item language writes its own template and may show fewer items.
 *
 * @param tokenizer a `SemanticIdTokenizer`, or any object with `bosTokenId` and `itemTokens`, or an item language.
 * @param history item numbers, oldest first.
 * @param maxHistory newest items to show, 0 or more. Default all.
 * @returns token ids, [T].
 * @throws IlrecError when an item is not in the catalogue.
 * @example
 * ```ts
 * import { historyPrompt } from 'tfjs-ilrec';
 *
 * const tokenizer = { bosTokenId: 1, itemTokens: [[3, 5], [3, 6], [4, 5]] };
 * console.log(historyPrompt(tokenizer, [0, 2, 1], 2)); // Int32Array(5) [ 1, 4, 5, 3, 6 ]
 * ```
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
      throw new IlrecError(`historyPrompt: items must be item numbers in [0, ${itemTokens.length}), got ${history[i]}`);
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
