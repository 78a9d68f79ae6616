import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import type { CausalDecoder, DecoderState } from '../generation/decoder';
import { LayerNorm, LMHead, PositionEmbedding, RMSNorm, TokenEmbedding } from '../layers';
import { type CachedBlock, isCachedBlock } from '../layers/cached_block';
import { projectOntoVocabulary } from '../layers/projection';
import { attention, causalMask, MASKED_SCORE } from '../ops/attention';

/** Keys and values of one block: the prompt's once per user, the generated tokens' once per beam. */
interface BlockCache {
  /** [B, K, T, F], T = longest prompt. */
  promptKey: tf.Tensor4D;
  promptValue: tf.Tensor4D;
  /** [B, K, W, S, F], S = tokens generated so far; null before the first. */
  beamKey: tf.Tensor5D | null;
  beamValue: tf.Tensor5D | null;
}

interface State extends DecoderState {
  readonly lengths: Int32Array;
  /** [B, 1, 1, T], MASKED_SCORE at padding. */
  readonly promptMask: tf.Tensor4D;
  readonly caches: BlockCache[];
  generated: number;
  hidden: tf.Tensor2D;
}

/**
 * Generation with a key-value cache for a model made by `causalLM` or `loadPretrained` (or one reloaded from it): the prompt's keys and values are held once
 * per user, whatever the beam width.
 *
 * @throws IlrecError when the model is not built of this package's layers.
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
      throw new IlrecError(`createCausalDecoder: the model must be made by causalLM or loadPretrained, got layers ${seen}`);
    }
    this.embedding = embedding;
    this.positions = model.layers.find((layer) => layer instanceof PositionEmbedding) ?? null;
    this.norm = norm;
    this.head = model.layers.find((layer) => layer instanceof LMHead) ?? embedding;
    this.vocabSize = this.head.vocabSize;
  }

  prefill(prompts: readonly ArrayLike<number>[], beamWidth: number): DecoderState {
    const empty = prompts.findIndex((prompt) => prompt.length === 0);
    if (prompts.length === 0 || empty >= 0) throw new IlrecError(`prefill: every prompt needs a token, got none at prompt ${Math.max(0, empty)}`);
    const lengths = Int32Array.from(prompts, (prompt) => prompt.length);
    const length = lengths.reduce((a, b) => Math.max(a, b));
    const batchSize = prompts.length;
    const ids = new Int32Array(batchSize * length);
    const mask = new Float32Array(batchSize * length).fill(MASKED_SCORE);
    prompts.forEach((prompt, row) => {
      ids.set(prompt, row * length);
      mask.fill(0, row * length, row * length + prompt.length);
    });
    const caches: BlockCache[] = [];
    const { hidden, promptMask } = tf.tidy(() => {
      const tables = this.blocks[0].positionTables(Array.from({ length }, (_, at) => at), [length]);
      const embedded = this.embed(ids, [batchSize, length]); // [B, T, D]
      let x = this.positions === null ? embedded : this.positions.call(embedded, {});
      for (const block of this.blocks) {
        const { query, key, value } = block.queryKeyValue(x, tables);
        caches.push({ promptKey: tf.keep(tf.clone(key)), promptValue: tf.keep(tf.clone(value)), beamKey: null, beamValue: null });
        x = block.finish(x, attention(query, key, value, causalMask(length, block.slidingWindow)));
      }
      const last = tf.tensor1d(lengths.map((count, row) => row * length + count - 1), 'int32'); // [B]
      const rows = tf.gather(tf.reshape(x, [batchSize * length, -1]), last) as tf.Tensor2D; // [B, D]
      return { hidden: this.norm.call(rows, {}) as tf.Tensor2D, promptMask: tf.tensor4d(mask, [batchSize, 1, 1, length]) };
    });
    const state: State = { batchSize, beamWidth, lengths, promptMask, caches, generated: 0, hidden };
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
      const embedded = this.embed(tokens, [batchSize * beamWidth, 1]); // [B*W, 1, D]
      let x = this.positions === null ? embedded : this.positions.addAt(embedded, positions);
      this.blocks.forEach((block, layer) => {
        const { query, key, value } = block.queryKeyValue(x, tables); // [B*W, H or K, 1, F]
        const cache = state.caches[layer];
        this.extend(cache, 'beamKey', key, parents, state);
        this.extend(cache, 'beamValue', value, parents, state);
        x = block.finish(x, this.attendCached(query, cache, state, block.slidingWindow));
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
    state.promptMask.dispose();
    for (const cache of state.caches) tf.dispose([cache.promptKey, cache.promptValue, cache.beamKey ?? [], cache.beamValue ?? []]);
  }

  private embed(ids: Int32Array, shape: [number, number]): tf.Tensor {
    return this.embedding.call(tf.tensor2d(ids, shape, 'int32'), {});
  }

  /** Reorders the beams' cached entries to their parents and appends the new token's, [B*W, K, 1, F]. */
  private extend(cache: BlockCache, side: 'beamKey' | 'beamValue', entry: tf.Tensor4D, parents: Int32Array, state: State): void {
    const { batchSize: B, beamWidth: W, generated } = state;
    const [, K, , F] = entry.shape;
    const before = cache[side];
    const added = tf.transpose(tf.reshape(entry, [B, W, K, 1, F]), [0, 2, 1, 3, 4]) as tf.Tensor5D; // [B, K, W, 1, F]
    let all: tf.Tensor = added;
    if (before !== null) {
      const index = new Int32Array(B * K * W);
      for (let row = 0; row < index.length; row++) {
        const user = Math.floor(row / (K * W));
        index[row] = row - (row % W) + parents[user * W + (row % W)];
      }
      const reordered = tf.gather(tf.reshape(before, [B * K * W, generated * F]), tf.tensor1d(index, 'int32'));
      all = tf.concat([tf.reshape(reordered, [B, K, W, generated, F]), added], 3); // [B, K, W, S, F]
      before.dispose();
    }
    cache[side] = tf.keep(tf.clone(all)) as tf.Tensor5D;
  }

  /** Attention of one query per beam over the user's prompt and the beam's own tokens, one softmax over both. */
  private attendCached(query: tf.Tensor4D, cache: BlockCache, state: State, slidingWindow: number | null): tf.Tensor4D {
    const { batchSize: B, beamWidth: W } = state;
    const [, H, , F] = query.shape;
    const [, K, T] = cache.promptKey.shape;
    const G = H / K;
    const S = state.generated + 1;
    const scaled = tf.mul(query, 1 / Math.sqrt(F));
    const grouped = tf.transpose(tf.reshape(scaled, [B, W, K, G, F]), [0, 2, 1, 3, 4]); // [B, K, W, G, F]
    const promptScores = tf.add(tf.matMul(tf.reshape(grouped, [B, K, W * G, F]), cache.promptKey, false, true), promptMask(state, slidingWindow)); // [B, K, W*G, T]
    const beamKeys = tf.reshape(cache.beamKey as tf.Tensor5D, [B * K * W, S, F]);
    const beamScores = tf.matMul(tf.reshape(grouped, [B * K * W, G, F]), beamKeys, false, true); // [B*K*W, G, S]
    const allBeamScores = tf.reshape(beamScores, [B, K, W * G, S]);
    const ownScores = slidingWindow === null ? allBeamScores : tf.add(allBeamScores, beamMask(S, slidingWindow));
    const scores = tf.concat([promptScores, ownScores], 3); // [B, K, W*G, T + S]
    const [promptWeights, beamWeights] = tf.split(tf.softmax(scores), [T, S], 3);
    const fromPrompt = tf.matMul(promptWeights, cache.promptValue); // [B, K, W*G, F]
    const fromBeam = tf.matMul(tf.reshape(beamWeights, [B * K * W, G, S]), tf.reshape(cache.beamValue as tf.Tensor5D, [B * K * W, S, F])); // [B*K*W, G, F]
    const context = tf.add(tf.reshape(fromPrompt, [B, K, W, G, F]), tf.reshape(fromBeam, [B, K, W, G, F]));
    return tf.reshape(tf.transpose(context, [0, 2, 1, 3, 4]), [B * W, H, 1, F]) as tf.Tensor4D;
  }
}

/** MASKED_SCORE at padding and at prompt tokens that the window of the newest token has left, [B, 1, 1, T]. */
function promptMask({ lengths, promptMask: padding, generated }: State, slidingWindow: number | null): tf.Tensor4D {
  if (slidingWindow === null) return padding;
  const [batchSize, , , length] = padding.shape;
  const mask = new Float32Array(batchSize * length);
  lengths.forEach((count, row) => mask.fill(MASKED_SCORE, row * length, row * length + Math.min(length, Math.max(0, count + generated + 1 - slidingWindow))));
  return tf.add(padding, tf.tensor4d(mask, padding.shape));
}

/** The same of the S generated tokens, the newest last, [S]. */
function beamMask(size: number, slidingWindow: number): tf.Tensor1D {
  return tf.tensor1d(Float32Array.from({ length: size }, (_, at) => (size - at > slidingWindow ? MASKED_SCORE : 0)));
}

function own(state: DecoderState): State {
  return state as State;
}
