import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { dropout, mixSeeds } from '../ops/dropout';
import { layerNorm } from '../ops/layer_norm';
import { type CallArgs, type LayerArgs, onlyInput, type Shape } from './layer_types';

/**
 * The weight of the repeat bias is stored divided by 10: Adam moves all weights by about the same step, and the bias
 * has to go further than others.
 */
const REPEAT_BIAS_UNIT = 10;

/** Arguments of `SASRecEmbedding`. */
export interface SASRecEmbeddingArgs extends LayerArgs {
  /** N, items of the catalogue. */
  numItems: number;
  /** Longest history that is read, in items; the table of positions has one more row, for the start. */
  maxHistory: number;
  /** D. */
  hiddenSize: number;
  /** Whether the input embeddings also score the items; otherwise scoring has its own table. Default true. */
  tieItemEmbeddings?: boolean;
  /** Whether a learned bias is added to the scores of items already in the history. Default true. */
  useRepeatBias?: boolean;
  /** Dropout of the embedded items, in [0, 1). Default 0. */
  hiddenDropout?: number;
  /** Added to the variance. Default 1e-6. */
  layerNormEps?: number;
  /** Standard deviation of the initial weights. Default 0.02. */
  initializerRange?: number;
  /** Seed of weights and dropout. Default 0. */
  seed?: number;
}

/**
 * Embeds items and positions, normalised: item numbers + 1 as int32 [B, T] to [B, T, D]. A 0 starts each row and pads
 * its right end.
 *
 * The layer also owns the weights of the head, which the loss and the scorer apply: the item table and the repeat bias.
 */
export class SASRecEmbedding extends tfl.layers.Layer {
  static readonly className = 'ILRecSASRecEmbedding';
  /** Number of training calls so far; see `setDropoutStep`. */
  dropoutStep = 0;
  readonly numItems: number;
  readonly maxHistory: number;
  private readonly args: SASRecEmbeddingArgs;
  private table!: tfl.LayerVariable;
  private head?: tfl.LayerVariable;
  private repeat?: tfl.LayerVariable;
  private positions!: tfl.LayerVariable;
  private gamma!: tfl.LayerVariable;
  private beta!: tfl.LayerVariable;

  constructor(args: SASRecEmbeddingArgs) {
    super(args);
    this.args = { ...args };
    this.numItems = args.numItems;
    this.maxHistory = args.maxHistory;
  }

  override build(): void {
    const {
      numItems,
      maxHistory,
      hiddenSize,
      tieItemEmbeddings = true,
      useRepeatBias = true,
      initializerRange = 0.02,
      seed = 0,
    } = this.args;
    const normal = (site: number): ReturnType<typeof tfl.initializers.randomNormal> =>
      tfl.initializers.randomNormal({ mean: 0, stddev: initializerRange, seed: mixSeeds(seed, site) });
    this.table = this.addWeight('item_embedding', [numItems + 1, hiddenSize], 'float32', normal(0));
    this.positions = this.addWeight('position_embedding', [maxHistory + 1, hiddenSize], 'float32', normal(1));
    this.gamma = this.addWeight('norm_gamma', [hiddenSize], 'float32', tfl.initializers.ones());
    this.beta = this.addWeight('norm_beta', [hiddenSize], 'float32', tfl.initializers.zeros());
    if (useRepeatBias) this.repeat = this.addWeight('repeat_bias', [1], 'float32', tfl.initializers.zeros());
    if (!tieItemEmbeddings) this.head = this.addWeight('head', [numItems, hiddenSize], 'float32', normal(2));
    this.built = true;
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
      const ids = onlyInput(inputs, 'ILRecSASRecEmbedding'); // [B, T]
      const [batch, length] = ids.shape;
      const { maxHistory, hiddenSize, hiddenDropout = 0, layerNormEps, seed = 0 } = this.args;
      if (length > maxHistory + 1) {
        throw new IlrecError(
          `ILRecSASRecEmbedding: a row holds the start and at most ${maxHistory} items, got ${length} ids; cut ` +
            'histories to maxHistory',
        );
      }
      const items = tf.reshape(tf.gather(this.table.read(), tf.reshape(tf.cast(ids, 'int32'), [-1])), [
        batch,
        length,
        hiddenSize,
      ]); // [B, T, D]
      const positions = tf.slice(this.positions.read() as tf.Tensor2D, [0, 0], [length, hiddenSize]); // [T, D]
      const normed = layerNorm(
        tf.add(items, positions),
        this.gamma.read() as tf.Tensor1D,
        this.beta.read() as tf.Tensor1D,
        layerNormEps,
      );
      return kwargs.training === true ? dropout(normed, hiddenDropout, mixSeeds(seed, this.dropoutStep++)) : normed;
    });
  }

  override getConfig(): tf.serialization.ConfigDict {
    const {
      numItems,
      maxHistory,
      hiddenSize,
      tieItemEmbeddings = true,
      useRepeatBias = true,
      hiddenDropout = 0,
    } = this.args;
    const { layerNormEps = 1e-6, initializerRange = 0.02, seed = 0 } = this.args;
    const own = {
      numItems,
      maxHistory,
      hiddenSize,
      tieItemEmbeddings,
      useRepeatBias,
      hiddenDropout,
      layerNormEps,
      initializerRange,
      seed,
    };
    return { ...super.getConfig(), ...own };
  }
}
