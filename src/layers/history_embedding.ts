import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { calledAs } from '../errors';
import { dropout, mixSeeds } from '../ops/dropout';
import { checkTokenIds } from '../ops/token_ids';
import { type CallArgs, type LayerArgs, onlyInput, type Shape } from './layer_types';

/**
 * The weight of the repeat bias is stored divided by 10: Adam moves all weights by about the same step, and the bias
 * has to go further than others.
 */
const REPEAT_BIAS_UNIT = 10;

/** Arguments of `HistoryEmbedding`. */
export interface HistoryEmbeddingArgs extends LayerArgs {
  /** N, items of the catalogue. */
  numItems: number;
  /** Longest history that the model reads, in items. */
  maxHistory: number;
  /** D. */
  hiddenSize: number;
  /** Whether the input embeddings also score the items; otherwise scoring has its own table. Default true. */
  tieItemEmbeddings?: boolean;
  /** Whether a learned bias is added to the scores of items already in the history. Default true. */
  useRepeatBias?: boolean;
  /** Dropout of the embedded items, in [0, 1). Default 0. */
  hiddenDropout?: number;
  /** Standard deviation of the initial weights. Default 0.02. */
  initializerRange?: number;
  /** Seed of weights and dropout. Default 0. */
  seed?: number;
}

/**
 * Embeds the items of histories, times sqrt(D): item numbers + 1 as int32 [B, T] to [B, T, D]. A 0 starts each row and
 * pads its right end. (A tied head wants small initial weights, and with those alone the layers above would hardly see
 * the items.)
 *
 * The layer also owns the weights of the head, which the loss and the scorer apply: the item table and the repeat bias.
 */
export class HistoryEmbedding extends tfl.layers.Layer {
  static readonly className: string = 'ILRecHistoryEmbedding';
  /** Number of training calls so far; see `setDropoutStep`. */
  dropoutStep = 0;
  readonly numItems: number;
  readonly maxHistory: number;
  protected readonly args: HistoryEmbeddingArgs;
  private table!: tfl.LayerVariable;
  private head?: tfl.LayerVariable;
  private repeat?: tfl.LayerVariable;

  constructor(args: HistoryEmbeddingArgs) {
    super(args);
    this.args = { ...args };
    this.numItems = args.numItems;
    this.maxHistory = args.maxHistory;
  }

  override build(): void {
    this.addTable();
    this.addHead();
    this.built = true;
  }

  protected addTable(): void {
    const { numItems, hiddenSize } = this.args;
    this.table = this.addWeight('item_embedding', [numItems + 1, hiddenSize], 'float32', this.normal(0));
  }

  protected addHead(): void {
    const { numItems, hiddenSize, tieItemEmbeddings = true, useRepeatBias = true } = this.args;
    if (useRepeatBias) this.repeat = this.addWeight('repeat_bias', [1], 'float32', tfl.initializers.zeros());
    if (!tieItemEmbeddings) this.head = this.addWeight('head', [numItems, hiddenSize], 'float32', this.normal(2));
  }

  /** @param site tells apart the weights of the layer. */
  protected normal(site: number): ReturnType<typeof tfl.initializers.randomNormal> {
    const { initializerRange = 0.02, seed = 0 } = this.args;
    return tfl.initializers.randomNormal({ mean: 0, stddev: initializerRange, seed: mixSeeds(seed, site) });
  }

  /**
   * The table that scores the items: hidden states times its transpose, [N, D]. A new tensor; gradients flow through
   * it.
   */
  itemTable(): tf.Tensor2D {
    const { numItems, hiddenSize } = this.args;
    if (this.head !== undefined) return tf.clone(this.head.read()) as tf.Tensor2D;
    return tf.slice(this.table.read() as tf.Tensor2D, [1, 0], [numItems, hiddenSize]);
  }

  /**
   * The bias of items already in the history, [1], or null when there is none. A new tensor; gradients flow through it.
   */
  repeatBias(): tf.Tensor1D | null {
    return this.repeat === undefined ? null : tf.mul<tf.Tensor1D>(this.repeat.read(), REPEAT_BIAS_UNIT);
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [...inputShape, this.args.hiddenSize];
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: CallArgs): tf.Tensor {
    return tf.tidy(() => {
      const embedded = this.embed(onlyInput(inputs, 'ILRecHistoryEmbedding')); // [B, T, D]
      return this.drop(tf.mul(embedded, Math.sqrt(this.args.hiddenSize)), kwargs);
    });
  }

  /** @param ids [B, T]. @returns [B, T, D]. */
  protected embed(ids: tf.Tensor): tf.Tensor {
    calledAs(this.getClassName(), () => checkTokenIds(ids, this.numItems + 1));
    const flat = tf.reshape(tf.cast(ids, 'int32'), [-1]);
    return tf.reshape(tf.gather(this.table.read(), flat), [...ids.shape, this.args.hiddenSize]);
  }

  protected drop(embedded: tf.Tensor, { training }: CallArgs): tf.Tensor {
    const { hiddenDropout = 0, seed = 0 } = this.args;
    return training === true ? dropout(embedded, hiddenDropout, mixSeeds(seed, this.dropoutStep++)) : embedded;
  }

  override getConfig(): tf.serialization.ConfigDict {
    const { numItems, maxHistory, hiddenSize, tieItemEmbeddings = true, useRepeatBias = true } = this.args;
    const { hiddenDropout = 0, initializerRange = 0.02, seed = 0 } = this.args;
    const head = { tieItemEmbeddings, useRepeatBias };
    const own = { numItems, maxHistory, hiddenSize, ...head, hiddenDropout, initializerRange, seed };
    return { ...super.getConfig(), ...own };
  }
}
