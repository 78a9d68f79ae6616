import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import '../register'; // in a bundle nothing else does
import { IlrecError } from '../errors';
import type { CausalDecoder, DecoderState } from '../generation/decoder';
import { LayerNorm, LMHead, PositionEmbedding, RMSNorm, TokenEmbedding } from '../layers';
import { type CachedBlock, isCachedBlock } from '../layers/cached_block';
import { projectOntoVocabulary } from '../layers/projection';
import { attention, causalMask, MASKED_SCORE } from '../ops/attention';

/** Keys and values of one block: those of the prompt once per user, those of generated tokens once per beam. */
interface BlockCache {
  /** [B, K, T, F], T the longest prompt. */
  promptKey: tf.Tensor4D;
  promptValue: tf.Tensor4D;
  /** [B*W, K, S, F], S the tokens generated so far; null before the first. */
  beamKey: tf.Tensor4D | null;
  beamValue: tf.Tensor4D | null;
}

interface State extends DecoderState {
  readonly lengths: Int32Array;
  /** [B, 1, 1, T], MASKED_SCORE at padding; null when all prompts have the same length. */
  readonly padding: tf.Tensor4D | null;
  readonly caches: BlockCache[];
  generated: number;
  hidden: tf.Tensor2D;
}

/**
 * Makes a decoder with a key-value cache, for models of `causalLM`, `gpt2` and `loadPretrained`, also after saving and
 * loading. Keys and values of the prompt are stored once per user, for any beam width.
 *
 * @param model the model; its weights are read at every step, so it may be trained further between calls.
 * @returns the decoder, for `constrainedBeamSearch` and `generate`. Its `prefill` throws an IlrecError for a prompt
 * without tokens.
 * @throws IlrecError when the model is not built from this package's layers.
 * @example
 * ```ts
 * import { buildPrefixTrie, causalLM, constrainedBeamSearch, createCausalDecoder } from 'tfjs-ilrec';
 *
 * const model = causalLM({ vocabSize: 10, hiddenSize: 8, numHiddenLayers: 2 });
 * const trie = buildPrefixTrie([Int32Array.of(3, 5), Int32Array.of(3, 6), Int32Array.of(4, 5)]); // the items' tokens
 * const options = { beamWidth: 3, listLength: 3 };
 * const [{ items }] = await constrainedBeamSearch(createCausalDecoder(model), trie, [[1, 2]], options);
 * console.log([...items].sort()); // [ 0, 1, 2 ]
 * ```
 */
export function createCausalDecoder(model: tfl.LayersModel): CausalDecoder {
  return new CausalLMDecoder(model);
}

class CausalLMDecoder implements CausalDecoder {
  readonly vocabSize: number;
  private readonly embedding: TokenEmbedding;
  private readonly positions: PositionEmbedding | null;
  private readonly blocks: CachedBlock[];
  private readonly norm: RMSNorm | LayerNorm;
  private readonly head: TokenEmbedding | LMHead;

  constructor(model: tfl.LayersModel) {
    const embedding = model.layers.find((layer) => layer instanceof TokenEmbedding);
    const norm = model.layers.find((layer) => layer instanceof RMSNorm || layer instanceof LayerNorm);
    this.blocks = model.layers.filter(isCachedBlock);
    if (embedding === undefined || norm === undefined || this.blocks.length === 0) {
      const seen = model.layers.map((layer) => layer.getClassName()).join(', ');
      throw new IlrecError(
        `createCausalDecoder: the model must be made by causalLM or loadPretrained, got layers ${seen}`,
      );
    }
    this.embedding = embedding;
    this.positions = model.layers.find((layer) => layer instanceof PositionEmbedding) ?? null;
    this.norm = norm;
    this.head = model.layers.find((layer) => layer instanceof LMHead) ?? embedding;
    this.vocabSize = this.head.vocabSize;
  }

  prefill(prompts: readonly ArrayLike<number>[], beamWidth: number): DecoderState {
    const empty = prompts.findIndex((prompt) => prompt.length === 0);
    if (prompts.length === 0 || empty >= 0)
      throw new IlrecError(
        `createCausalDecoder: every prompt must have at least one token, got none at prompt ${Math.max(0, empty)}`,
      );
    const lengths = Int32Array.from(prompts, (prompt) => prompt.length);
    const length = lengths.reduce((a, b) => Math.max(a, b));
    const batchSize = prompts.length;
    const ids = new Int32Array(batchSize * length);
    prompts.forEach((prompt, row) => ids.set(prompt, row * length));
    const padding = lengths.every((count) => count === length) ? null : paddingOf(lengths, length);
    const caches: BlockCache[] = [];
    const hidden = tf.tidy(() => {
      const tables = this.blocks[0].positionTables(
        Array.from({ length }, (_, at) => at),
        [length],
      );
      const masks = new Map<number | null, tf.Tensor2D>(); // by sliding window
      const embedded = this.embed(ids, [batchSize, length]); // [B, T, D]
      let x = this.positions === null ? embedded : this.positions.call(embedded, {});
      this.blocks.forEach((block, layer) => {
        const { slidingWindow } = block;
        const { query, key, value } = block.queryKeyValue(x, tables);
        caches.push({
          promptKey: tf.keep(tf.clone(key)),
          promptValue: tf.keep(tf.clone(value)),
          beamKey: null,
          beamValue: null,
        });
        if (layer < this.blocks.length - 1) {
          if (!masks.has(slidingWindow)) masks.set(slidingWindow, causalMask(length, slidingWindow));
          x = block.finish(x, attention(query, key, value, masks.get(slidingWindow) as tf.Tensor2D));
        } else {
          const mask = promptMask({ lengths, padding, generated: -1 }, length, slidingWindow) ?? tf.scalar(0);
          x = block.finish(lastRows(x, lengths), attention(lastRows(query, lengths), key, value, mask)); // [B, 1, D]
        }
      });
      return this.norm.call(tf.reshape(x, [batchSize, -1]), {}) as tf.Tensor2D; // [B, D]
    });
    const state: State = { batchSize, beamWidth, lengths, padding, caches, generated: 0, hidden };
    return state;
  }

  hidden(state: DecoderState): tf.Tensor2D {
    return own(state).hidden;
  }

  step(opaque: DecoderState, tokens: Int32Array, parents: Int32Array): void {
    const state = own(opaque);
    const { batchSize, beamWidth, lengths, generated } = state;
    const hidden = tf.tidy(() => {
      const positions = Int32Array.from(tokens, (_, at) => lengths[Math.floor(at / beamWidth)] + generated);
      const tables = this.blocks[0].positionTables(positions, [batchSize * beamWidth, 1, 1]); // per beam
      const continued = tf.tensor1d(
        parents.map((parent, row) => row - (row % beamWidth) + parent),
        'int32',
      ); // row of each beam's parent, [B*W]
      const embedded = this.embed(tokens, [batchSize * beamWidth, 1]); // [B*W, 1, D]
      let x = this.positions === null ? embedded : this.positions.addAt(embedded, positions);
      this.blocks.forEach((block, layer) => {
        const { query, key, value } = block.queryKeyValue(x, tables); // [B*W, H or K, 1, F]
        const cache = state.caches[layer];
        extend(cache, 'beamKey', key, continued);
        extend(cache, 'beamValue', value, continued);
        x = block.finish(x, attendCached(query, cache, state, block.slidingWindow));
      });
      return this.norm.call(tf.reshape(x, [batchSize * beamWidth, -1]), {}) as tf.Tensor2D;
    });
    state.hidden.dispose();
    state.hidden = hidden;
    state.generated++;
  }

  project(hidden: tf.Tensor2D, tokens?: Int32Array): tf.Tensor2D {
    return projectOntoVocabulary(this.head, hidden, { tokens }) as tf.Tensor2D;
  }

  dispose(opaque: DecoderState): void {
    const state = own(opaque);
    state.hidden.dispose();
    state.padding?.dispose();
    for (const cache of state.caches)
      tf.dispose([cache.promptKey, cache.promptValue, cache.beamKey ?? [], cache.beamValue ?? []]);
  }

  private embed(ids: Int32Array, shape: [number, number]): tf.Tensor {
    return this.embedding.call(tf.tensor2d(ids, shape, 'int32'), {});
  }
}

/** Reorders the beams' cached entries to follow their parents, and appends the new token's entry [B*W, K, 1, F]. */
function extend(cache: BlockCache, side: 'beamKey' | 'beamValue', entry: tf.Tensor4D, continued: tf.Tensor1D): void {
  const before = cache[side];
  const all = before === null ? entry : tf.concat([tf.gather(before, continued), entry], 2); // [B*W, K, S, F]
  before?.dispose();
  cache[side] = tf.keep(tf.clone(all));
}

/**
 * Attention of one query per beam, [B*W, H, 1, F], over the user's prompt and the beam's own tokens, one softmax over
 * both.
 */
function attendCached(
  query: tf.Tensor4D,
  { promptKey, promptValue, beamKey, beamValue }: BlockCache,
  state: State,
  slidingWindow: number | null,
): tf.Tensor4D {
  const { batchSize: B, beamWidth: W } = state;
  const [, H, , F] = query.shape;
  const [, K, T] = promptKey.shape;
  const G = H / K;
  const S = state.generated + 1;
  const scaled = tf.reshape(tf.mul(query, 1 / Math.sqrt(F)), [B, W, K, G, F]);
  const ofPrompt = tf.matMul(
    tf.reshape(tf.transpose(scaled, [0, 2, 1, 3, 4]), [B, K, W * G, F]),
    promptKey,
    false,
    true,
  ); // [B, K, W*G, T]
  const ofBeam = tf.matMul(tf.reshape(scaled, [B * W, K, G, F]), beamKey as tf.Tensor4D, false, true); // [B*W, K, G, S]
  const ofOwn = tf.reshape(tf.transpose(tf.reshape(ofBeam, [B, W, K, G, S]), [0, 2, 1, 3, 4]), [B, K, W * G, S]);
  const scores = tf.concat(
    [masked(ofPrompt, promptMask(state, T, slidingWindow)), masked(ofOwn, beamMask(S, slidingWindow))],
    3,
  ); // [B, K, W*G, T + S]
  const [promptWeights, ownWeights] = tf.split(tf.softmax(scores), [T, S], 3);
  const fromPrompt = tf.transpose(tf.reshape(tf.matMul(promptWeights, promptValue), [B, K, W, G, F]), [0, 2, 1, 3, 4]); // [B, W, K, G, F]
  const beamWeights = tf.transpose(tf.reshape(ownWeights, [B, K, W, G, S]), [0, 2, 1, 3, 4]); // [B, W, K, G, S]
  const fromBeam = tf.matMul(tf.reshape(beamWeights, [B * W, K, G, S]), beamValue as tf.Tensor4D); // [B*W, K, G, F]
  return tf.reshape(tf.add(tf.reshape(fromPrompt, [B * W, K, G, F]), fromBeam), [B * W, H, 1, F]);
}

/** Each prompt's last position, [B, n, T, F] -> [B, n, 1, F] or [B, T, D] -> [B, 1, D]. */
function lastRows<T extends tf.Tensor>(x: T, lengths: Int32Array): T {
  const size = x.shape[x.rank - 1];
  const length = x.shape[x.rank - 2];
  const outer = x.size / (length * size);
  const perPrompt = outer / lengths.length;
  const rows = Int32Array.from({ length: outer }, (_, at) => at * length + lengths[Math.floor(at / perPrompt)] - 1);
  return tf.reshape(tf.gather(tf.reshape(x, [outer * length, size]), tf.tensor1d(rows, 'int32')), [
    ...x.shape.slice(0, -2),
    1,
    size,
  ]) as T;
}

function masked(scores: tf.Tensor, mask: tf.Tensor | null): tf.Tensor {
  return mask === null ? scores : tf.add(scores, mask);
}

/** MASKED_SCORE after the end of each prompt, [B, 1, 1, T]. */
function paddingOf(lengths: Int32Array, length: number): tf.Tensor4D {
  const mask = new Float32Array(lengths.length * length);
  lengths.forEach((count, row) => mask.fill(MASKED_SCORE, row * length + count, (row + 1) * length));
  return tf.tensor4d(mask, [lengths.length, 1, 1, length]);
}

/**
 * MASKED_SCORE at padding and at prompt tokens outside the newest token's window, [B, 1, 1, T]; null without padding
 * and window.
 */
function promptMask(
  { lengths, padding, generated }: Pick<State, 'lengths' | 'padding' | 'generated'>,
  length: number,
  slidingWindow: number | null,
): tf.Tensor4D | null {
  if (slidingWindow === null) return padding;
  const mask = new Float32Array(lengths.length * length);
  lengths.forEach((count, row) =>
    mask.fill(
      MASKED_SCORE,
      row * length,
      row * length + Math.min(length, Math.max(0, count + generated + 1 - slidingWindow)),
    ),
  );
  const window = tf.tensor4d(mask, [lengths.length, 1, 1, length]);
  return padding === null ? window : (tf.add(padding, window) as tf.Tensor4D);
}

/** MASKED_SCORE at generated tokens outside the newest token's window, [S]; null without window. */
function beamMask(size: number, slidingWindow: number | null): tf.Tensor1D | null {
  if (slidingWindow === null) return null;
  return tf.tensor1d(Float32Array.from({ length: size }, (_, at) => (size - at > slidingWindow ? MASKED_SCORE : 0)));
}

function own(state: DecoderState): State {
  return state as State;
}
