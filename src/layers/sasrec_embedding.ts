import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { dropout, mixSeeds } from '../ops/dropout';
import { layerNorm } from '../ops/layer_norm';
import { type CallArgs, type LayerArgs, onlyInput, type Shape } from './layer_types';

/** The weight of the repeat bias is kept in tens, so that an optimiser whose steps are of one size for all weights moves it fast enough. */
const REPEAT_BIAS_UNIT = 10;

export interface SASRecEmbeddingArgs extends LayerArgs {
  /** N, items of the catalogue. */
  numItems: number;
  /** Most items of a history that are read; the table of positions has one row more, for the start. */
  maxHistory: number;
  /** D. */
  hiddenSize: number;
  /** Whether items are scored with the embeddings that they are read with, instead of a table of their own. Default true. */
  tieItemEmbeddings?: boolean;
  /** Whether a learned bias is added to the scores of the items that the history holds already. Default true. */
  useRepeatBias?: boolean;
  /** Dropout of the embedded items. Default 0. */
  hiddenDropout?: number;
  /** Added to the variance. Default 1e-6. */
  layerNormEps?: number;
  /** Standard deviation of the initial weights. Default 0.02. */
  initializerRange?: number;
  /** Seed of weights and dropout. Default 0. */
  seed?: number;
}

/**
 * Item plus position embedding, normalised: item numbers + 1 as int32 [B, T] to [B, T, D]; 0 opens a row and pads its right end. The layer also
 * holds what the head needs, which the loss and the scorer apply: the table of items and the repeat bias.
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

  /** What a hidden state is multiplied with to score the items, [N, D]; a new tensor, through which gradient flows. */
  itemTable(): tf.Tensor2D {
    const { numItems, hiddenSize } = this.args;
    if (this.head !== undefined) return tf.clone(this.head.read()) as tf.Tensor2D;
    return tf.slice(this.table.read() as tf.Tensor2D, [1, 0], [numItems, hiddenSize]);
  }

  /** Added to the score of every item that the history holds already, [1]; a new tensor, through which gradient flows. Null where there is none. */
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
        throw new Error(
          `ILRecSASRecEmbedding: a row holds the start and at most ${maxHistory} items, got ${length} ids; cut histories to maxHistory`,
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
