import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import '../../register'; // in a bundle nothing else does
import { IlrecError } from '../../errors';
import type { CausalDecoder, DecoderState } from '../../generation/decoder';
import type { LMHead, RMSNorm, TokenEmbedding } from '../../layers';
import { PaddingMask } from '../../layers/padding_mask';
import { projectOntoVocabulary } from '../../layers/projection';
import { T5Block } from '../../layers/t5_block';
import type { T5PositionBias } from '../../layers/t5_position_bias';
import { attention } from '../../ops/attention';
import { T5_LAYERS } from './t5';

/** Options of `createT5Decoder`. */
export interface T5DecoderOptions {
  /** The token that the decoder begins with. Default the padding token, as in published checkpoints. */
  decoderStartTokenId?: number;
}

/** Keys and values of one decoder block. */
interface BlockCache {
  /** Of the encoder's output, once per prompt, [B, H, S, F]. */
  readonly crossKey: tf.Tensor4D;
  readonly crossValue: tf.Tensor4D;
  /** Of the tokens written, [B, H, 1, F] after `prefill`, then [B * W, H, T, F]; null before. */
  selfKey: tf.Tensor4D | null;
  selfValue: tf.Tensor4D | null;
}

interface State extends DecoderState {
  /** Of the prompts, [B, 1, 1, S]. */
  readonly mask: tf.Tensor4D;
  readonly caches: readonly BlockCache[];
  /** T, tokens of each beam, the start token included. */
  length: number;
  hidden: tf.Tensor2D;
}

/**
 * Makes a decoder with a key-value cache for models of `t5` and `loadT5From`, also after saving and loading. A prompt
 * is what the encoder reads: it runs once, and its keys and values are stored once per prompt, for any beam width.
 *
 * @param model the model; its weights are read at every step, so it may be trained further between calls.
 * @param options the start token.
 * @returns the decoder, for `constrainedBeamSearch` and `generate`. Its `prefill` throws an IlrecError for a prompt
 * without tokens.
 * @throws IlrecError when the model is not made by `t5` or `loadT5From`.
 * @example
 * ```ts
 * import { buildPrefixTrie, constrainedBeamSearch, createT5Decoder, t5 } from 'tfjs-ilrec';
 *
 * const model = t5({ vocabSize: 10, hiddenSize: 8, headDim: 4, intermediateSize: 16, numHiddenLayers: 2 });
 * const trie = buildPrefixTrie([Int32Array.of(3, 5), Int32Array.of(3, 6), Int32Array.of(4, 5)]); // the items' tokens
 * const options = { beamWidth: 3, listLength: 3 };
 * const [{ items }] = await constrainedBeamSearch(createT5Decoder(model), trie, [[1, 2]], options);
 * console.log([...items].sort()); // [ 0, 1, 2 ]
 * ```
 */
export function createT5Decoder(model: tfl.LayersModel, options: T5DecoderOptions = {}): CausalDecoder {
  return new T5Decoder(model, options);
}

class T5Decoder implements CausalDecoder {
  readonly vocabSize: number;
  private readonly embedding: TokenEmbedding;
  private readonly padding: PaddingMask;
  private readonly encoderBias: T5PositionBias;
  private readonly encoderBlocks: T5Block[];
  private readonly encoderNorm: RMSNorm;
  private readonly decoderBias: T5PositionBias;
  private readonly decoderBlocks: T5Block[];
  private readonly decoderNorm: RMSNorm;
  /** Multiplies the hidden states; null where logits are not scaled. */
  private readonly scale: tfl.layers.Layer | null;
  private readonly head: TokenEmbedding | LMHead;
  private readonly startTokenId: number;

  constructor(model: tfl.LayersModel, { decoderStartTokenId }: T5DecoderOptions) {
    const named = new Map(model.layers.map((layer) => [layer.name, layer]));
    const blocks = (nameOf: (layer: number) => string): T5Block[] =>
      model.layers.flatMap((_, i) => (named.get(nameOf(i)) as T5Block | undefined) ?? []);
    const padding = named.get(T5_LAYERS.padding);
    this.decoderBlocks = blocks(T5_LAYERS.decoderBlock);
    if (!(padding instanceof PaddingMask && this.decoderBlocks[0] instanceof T5Block)) {
      const seen = model.layers.map((layer) => layer.getClassName()).join(', ');
      throw new IlrecError(`createT5Decoder: the model must be made by t5 or loadT5From, got layers ${seen}`);
    }
    this.padding = padding;
    this.encoderBlocks = blocks(T5_LAYERS.encoderBlock);
    this.embedding = named.get(T5_LAYERS.embedding) as TokenEmbedding;
    this.encoderBias = named.get(T5_LAYERS.encoderBias) as T5PositionBias;
    this.encoderNorm = named.get(T5_LAYERS.encoderNorm) as RMSNorm;
    this.decoderBias = named.get(T5_LAYERS.decoderBias) as T5PositionBias;
    this.decoderNorm = named.get(T5_LAYERS.decoderNorm) as RMSNorm;
    this.scale = named.get(T5_LAYERS.scale) ?? null;
    this.head = (named.get(T5_LAYERS.head) as LMHead | undefined) ?? this.embedding;
    this.vocabSize = this.head.vocabSize;
    this.startTokenId = decoderStartTokenId ?? padding.padTokenId;
  }

  prefill(prompts: readonly ArrayLike<number>[], beamWidth: number): DecoderState {
    const empty = prompts.findIndex((prompt) => prompt.length === 0);
    if (prompts.length === 0 || empty >= 0)
      throw new IlrecError(
        `createT5Decoder: every prompt must have at least one token, got none at prompt ${Math.max(0, empty)}`,
      );
    const batchSize = prompts.length;
    const length = prompts.reduce((most, prompt) => Math.max(most, prompt.length), 0);
    const ids = new Int32Array(batchSize * length).fill(this.padding.padTokenId);
    prompts.forEach((prompt, row) => ids.set(prompt, row * length));
    const caches: BlockCache[] = [];
    const mask = tf.tidy(() => {
      const read = tf.tensor2d(ids, [batchSize, length], 'int32');
      const padding = this.padding.call(read, {}) as tf.Tensor4D; // [B, 1, 1, S]
      const bias = this.encoderBias.call([read, padding], {}); // [B, H, S, S]
      let encoded = this.embedding.call(read, {}); // [B, S, D]
      for (const block of this.encoderBlocks) encoded = block.call([encoded, bias], {});
      encoded = this.encoderNorm.call(encoded, {});
      for (const block of this.decoderBlocks) {
        const { key, value } = block.crossKeyValue(encoded);
        caches.push({ crossKey: tf.keep(key), crossValue: tf.keep(value), selfKey: null, selfValue: null });
      }
      return padding;
    });
    const start = new Int32Array(batchSize).fill(this.startTokenId);
    const hidden = this.advance({ batchSize, mask, caches, length: 1 }, start, null);
    const state: State = { batchSize, beamWidth, mask, caches, length: 1, hidden };
    return state;
  }

  hidden(state: DecoderState): tf.Tensor2D {
    return own(state).hidden;
  }

  step(opaque: DecoderState, tokens: Int32Array, parents: Int32Array): void {
    const state = own(opaque);
    const { batchSize, beamWidth, hidden: before } = state;
    const beamsBefore = before.shape[0] / batchSize; // per prompt
    const continued = parents.map((parent, row) => Math.floor(row / beamWidth) * beamsBefore + parent);
    state.length++;
    state.hidden = this.advance(state, tokens, continued);
    before.dispose();
  }

  project(hidden: tf.Tensor2D, tokens?: Int32Array): tf.Tensor2D {
    return projectOntoVocabulary(this.head, hidden, { tokens }) as tf.Tensor2D;
  }

  dispose(opaque: DecoderState): void {
    const { mask, hidden, caches } = own(opaque);
    tf.dispose([mask, hidden]);
    for (const { crossKey, crossValue, selfKey, selfValue } of caches)
      tf.dispose([crossKey, crossValue, selfKey ?? [], selfValue ?? []]);
  }

  /**
   * Runs the decoder on the newest token of each beam.
   *
   * @param tokens [R], R = B after `prefill`, then B * W.
   * @param continued the row before that each row continues, [R]; null for the start token.
   * @returns hidden states as the head reads them, [R, D].
   */
  private advance(
    { batchSize, mask, caches, length }: Pick<State, 'batchSize' | 'mask' | 'caches' | 'length'>,
    tokens: Int32Array,
    continued: Int32Array | null,
  ): tf.Tensor2D {
    const rows = tokens.length;
    return tf.tidy(() => {
      const bias = this.decoderBias.lastRow(length); // [1, H, 1, T]
      const parents = continued === null ? null : tf.tensor1d(continued, 'int32');
      let x = this.embedding.call(tf.tensor2d(tokens, [rows, 1], 'int32'), {}); // [R, 1, D]
      this.decoderBlocks.forEach((block, layer) => {
        const cache = caches[layer];
        const { query, key, value } = block.selfQueryKeyValue(x); // [R, H, 1, F]
        const allKeys = extended(cache, 'selfKey', key, parents); // [R, H, T, F]
        const allValues = extended(cache, 'selfValue', value, parents);
        x = block.afterSelf(x, attention(query, allKeys, allValues, bias));
        const [, heads, , size] = query.shape;
        const perPrompt = rows / batchSize;
        // the beams of a prompt lie side by side as queries, so that its keys are there once
        const asked = tf.reshape(block.crossQuery(x), [batchSize, perPrompt, heads, size]);
        const queries = tf.transpose(asked, [0, 2, 1, 3]) as tf.Tensor4D; // [B, H, W, F]
        const context = attention(queries, cache.crossKey, cache.crossValue, mask); // [B, H, W, F]
        x = block.afterCross(x, tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [rows, heads, 1, size]));
      });
      const normed = this.decoderNorm.call(tf.reshape(x, [rows, -1]), {});
      return (this.scale === null ? normed : this.scale.call(normed, {})) as tf.Tensor2D;
    });
  }
}

/** Reorders the cached entries to follow their parents, and appends the new token's entry [R, H, 1, F]. */
function extended(
  cache: BlockCache,
  side: 'selfKey' | 'selfValue',
  entry: tf.Tensor4D,
  parents: tf.Tensor1D | null,
): tf.Tensor4D {
  const before = cache[side];
  const all = before === null || parents === null ? entry : tf.concat([tf.gather(before, parents), entry], 2);
  before?.dispose();
  return (cache[side] = tf.keep(tf.clone(all)));
}

function own(state: DecoderState): State {
  return state as State;
}
