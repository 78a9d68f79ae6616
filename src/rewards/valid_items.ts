import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import type { PrefixTrie } from '../generation/prefix_trie';
import type { RewardContext } from '../losses/reward';
import { type PromptHistory, walkTrie } from './trie_walk';

/** Options of `validItems`. */
export interface ValidItemsOptions {
  /** The items' token sequences: `buildPrefixTrie` makes it. */
  trie: PrefixTrie;
  /** Tokens after which a row holds another user's items. Default none. */
  separators?: readonly number[];
  /** For text prompts: reads the history from the tokens up to and including the first response position. */
  historyOf?: PromptHistory;
}

/**
 * Says which tokens may follow at each response position: what is added to the logits, 0 or about minus infinity,
 * [P, V]. The caller disposes the result.
 */
export interface TokenRestriction {
  (context: RewardContext): tf.Tensor2D;
  /** How many tokens can begin an item, for MSL's adaptive temperature. */
  readonly numFirstTokens?: number;
}

/** Added to the logit of a token that no item continues with. */
const IMPOSSIBLE = -1e9;

/**
 * Restricts a softmax over tokens to those with which an item of the catalogue can go on, as constrained decoding does:
 * the loss is then spent on choosing between items (MSL, "masked softmax loss").
 *
 * ```
 * z'(v) = z(v) where prefix + v begins an item, else minus infinity
 * ```
 * A position whose label continues no item is not restricted.
 *
 * @param options see `ValidItemsOptions`.
 * @returns for the option `restrictTo` of `sft()` and `ilrec()`.
 * @throws IlrecError when a token of the trie is not in the model's vocabulary; the restriction throws it when called.
 * @example
 * ```ts
 * import { buildPrefixTrie, validItems } from 'tfjs-ilrec';
 *
 * const restriction = validItems({ trie: buildPrefixTrie([[3, 5], [3, 6], [4, 5]]) });
 * const added = restriction({
 *   inputIds: Int32Array.of(1, 3),
 *   labels: Int32Array.of(-100, 5), // after 3, an item goes on with 5 or 6
 *   batchSize: 1,
 *   sequenceLength: 2,
 *   positions: Int32Array.of(1),
 *   vocabSize: 7,
 * });
 * console.log(Array.from(added.dataSync().keys()).filter((token) => added.dataSync()[token] === 0)); // [ 5, 6 ]
 * ```
 */
export function validItems({ trie, separators = [], historyOf }: ValidItemsOptions): TokenRestriction {
  const separatorSet = new Set(separators);
  const highest = trie.childToken.reduce((most, token) => Math.max(most, token), 0);
  const restriction = (context: RewardContext): tf.Tensor2D => {
    const { positions, vocabSize } = context;
    if (highest >= vocabSize)
      throw new IlrecError(
        `validItems: the trie's tokens must be below the vocabulary size ${vocabSize}, got ${highest}; build trie and ` +
          'model from the same tokenizer',
      );
    const { nodes } = walkTrie(trie, context, separatorSet, historyOf);
    const added = new Float32Array(positions.length * vocabSize);
    nodes.forEach((node, p) => {
      if (node < 0) return;
      const row = added.subarray(p * vocabSize, (p + 1) * vocabSize).fill(IMPOSSIBLE);
      for (let edge = trie.childStart[node]; edge < trie.childStart[node + 1]; edge++) row[trie.childToken[edge]] = 0;
    });
    return tf.tensor2d(added, [positions.length, vocabSize]);
  };
  return Object.assign(restriction, { numFirstTokens: trie.childStart[1] });
}

/** The tokens that may follow, 1 or 0, [P, V], from what a restriction adds to the logits. */
export function allowedTokensOf(added: tf.Tensor2D): tf.Tensor2D {
  return tf.cast(tf.greater(added, IMPOSSIBLE / 2), 'float32') as tf.Tensor2D;
}
