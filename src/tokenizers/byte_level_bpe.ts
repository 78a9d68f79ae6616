import { ByteLevelPreTokenizer } from '@huggingface/tokenizers';
import { IlrecError } from '../errors';
import { byteCharacters } from './byte_characters';
import { PairQueue } from './pair_queue';
import type { TokenizerJson } from './text_tokenizer';

/** Options of `trainByteLevelBpe`. */
export interface TrainByteLevelBpeOptions {
  /** V, number of tokens: special tokens, 256 bytes and merges. Texts with few repetitions give fewer. */
  readonly vocabSize: number;
  /** Special tokens such as `<pad>` and `<eos>`; they get the ids from 0 on. Default none. */
  readonly specialTokens?: readonly string[];
  /** How often a pair must occur to be merged. Default 2. */
  readonly minFrequency?: number;
}

interface Word {
  /** Token ids; merging replaces them. */
  symbols: number[];
  readonly count: number;
}

const MAX_VOCABULARY = 2 ** 20;

/**
 * Trains a byte-level BPE tokenizer like GPT-2's (Sennrich et al., arXiv 1508.07909; Radford et al., 2019).
 *
 * Texts are split into words and words into bytes. Then the most frequent pair of neighbours within words becomes a new
 * token, again and again, until the vocabulary is full. Ties go to the pair with the lower token ids. Text of any
 * script can be encoded and is decoded unchanged.
 *
 * @param texts training texts; their order does not matter.
 * @param options size of the vocabulary, special tokens and the smallest count of a merged pair.
 * @returns content of a tokenizer.json, for `TextTokenizer.fromJSON` and for Hugging Face's tokenizers.
 * @throws IlrecError when vocabSize is not an integer, too small for bytes and special tokens or above 2^20, or when a
 * special token is empty, a single byte or given twice.
 * @example
 * ```ts
 * import { TextTokenizer, trainByteLevelBpe } from 'tfjs-ilrec';
 *
 * const json = trainByteLevelBpe(['red lipstick', 'red nail polish'], { vocabSize: 300, specialTokens: ['<eos>'] });
 * const tokenizer = TextTokenizer.fromJSON(json, { eos_token: '<eos>' });
 * console.log(tokenizer.eosTokenId, tokenizer.decode(tokenizer.encode('red lips'))); // 0 red lips
 * ```
 */
export function trainByteLevelBpe(texts: Iterable<string>, options: TrainByteLevelBpeOptions): TokenizerJson {
  const { vocabSize, specialTokens = [], minFrequency = 2 } = options ?? {};
  const alphabet = byteCharacters().sort();
  const smallest = specialTokens.length + alphabet.length;
  if (!(Number.isInteger(vocabSize) && vocabSize >= smallest && vocabSize <= MAX_VOCABULARY)) {
    throw new IlrecError(
      `trainByteLevelBpe: vocabSize must be an integer from ${smallest} (${specialTokens.length} special tokens ` +
        `and 256 bytes) to ${MAX_VOCABULARY}, got ${vocabSize}`,
    );
  }
  const invalid = specialTokens.find(
    (token, i) => token === '' || alphabet.includes(token) || specialTokens.indexOf(token) !== i,
  );
  if (invalid !== undefined)
    throw new IlrecError(
      `trainByteLevelBpe: specialTokens must be different texts of more than one byte, got "${invalid}"; rename it`,
    );

  const tokens = [...specialTokens, ...alphabet];
  const idOf = new Map(tokens.map((token, id) => [token, id]));
  const words = wordsOf(texts, idOf);
  const merges = mergePairs(words, tokens, idOf, vocabSize, Math.max(1, minFrequency));
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}

/** The distinct words of the texts as byte tokens, with their counts. */
function wordsOf(texts: Iterable<string>, idOf: ReadonlyMap<string, number>): Word[] {
  const cut = new ByteLevelPreTokenizer({ type: 'ByteLevel', add_prefix_space: false, use_regex: true });
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const word of cut.pre_tokenize(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].map(([word, count]) => ({
    symbols: Array.from(word, (character) => idOf.get(character) as number),
    count,
  }));
}

/**
 * Merges pairs until the vocabulary is full or no pair is frequent enough, and adds the new tokens to `tokens` and
 * `idOf`.
 *
 * @returns the merged pairs, in order.
 */
function mergePairs(
  words: readonly Word[],
  tokens: string[],
  idOf: Map<string, number>,
  vocabSize: number,
  minFrequency: number,
): [string, string][] {
  const counts = new Map<number, number>();
  const where = new Map<number, Set<number>>(); // indices of the words that may contain the pair
  const count = (index: number, sign: 1 | -1, touched: Set<number>): void => {
    const { symbols, count: times } = words[index];
    for (let i = 0; i + 1 < symbols.length; i++) {
      const pair = symbols[i] * MAX_VOCABULARY + symbols[i + 1];
      counts.set(pair, (counts.get(pair) ?? 0) + sign * times);
      touched.add(pair);
      if (sign > 0) where.set(pair, (where.get(pair) ?? new Set()).add(index));
    }
  };
  const all = new Set<number>();
  words.forEach((_, index) => count(index, 1, all));
  const queue = new PairQueue(counts);
  for (const pair of all) queue.push(pair);

  const merges: [string, string][] = [];
  while (tokens.length < vocabSize) {
    const best = queue.pop();
    if (best === null || best.count < minFrequency) break;
    const [left, right] = [Math.floor(best.pair / MAX_VOCABULARY), best.pair % MAX_VOCABULARY];
    const token = tokens[left] + tokens[right];
    let id = idOf.get(token); // two different merges may give the same token
    if (id === undefined) {
      id = tokens.push(token) - 1;
      idOf.set(token, id);
    }
    merges.push([tokens[left], tokens[right]]);
    const touched = new Set<number>();
    for (const index of where.get(best.pair) ?? []) {
      count(index, -1, touched);
      words[index].symbols = merged(words[index].symbols, left, right, id);
      count(index, 1, touched);
    }
    where.delete(best.pair);
    for (const pair of touched) queue.push(pair);
  }
  return merges;
}

function merged(symbols: readonly number[], left: number, right: number, id: number): number[] {
  const result: number[] = [];
  for (let i = 0; i < symbols.length; i++) {
    const isPair = symbols[i] === left && symbols[i + 1] === right;
    result.push(isPair ? id : symbols[i]);
    if (isPair) i++;
  }
  return result;
}
