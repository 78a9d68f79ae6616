import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { layerNorm } from '../ops/layer_norm';
import { HistoryEmbedding, type HistoryEmbeddingArgs } from './history_embedding';
import { type CallArgs, onlyInput } from './layer_types';

/** Arguments of `SASRecEmbedding`; the table of positions has a row more than `maxHistory`, for the start. */
export interface SASRecEmbeddingArgs extends HistoryEmbeddingArgs {
  /** Added to the variance by the norm. Default 1e-6. */
  layerNormEps?: number;
}

/**
 * Embeds items and positions, normalised: item numbers + 1 as int32 [B, T] to [B, T, D]. A 0 starts each row and pads
 * its right end.
 */
export class SASRecEmbedding extends HistoryEmbedding {
  static override readonly className = 'ILRecSASRecEmbedding';
  private readonly layerNormEps: number;
  private positions!: tfl.LayerVariable;
  private gamma!: tfl.LayerVariable;
  private beta!: tfl.LayerVariable;

  constructor(args: SASRecEmbeddingArgs) {
    super(args);
    this.layerNormEps = args.layerNormEps ?? 1e-6;
  }

  override build(): void {
    const { maxHistory, hiddenSize } = this.args;
    this.addTable();
    this.positions = this.addWeight('position_embedding', [maxHistory + 1, hiddenSize], 'float32', this.normal(1));
    this.gamma = this.addWeight('norm_gamma', [hiddenSize], 'float32', tfl.initializers.ones());
    this.beta = this.addWeight('norm_beta', [hiddenSize], 'float32', tfl.initializers.zeros());
    this.addHead();
    this.built = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: CallArgs): tf.Tensor {
    return tf.tidy(() => {
      const ids = onlyInput(inputs, 'ILRecSASRecEmbedding'); // [B, T]
      const [, length] = ids.shape;
      const { maxHistory, hiddenSize } = this.args;
      if (length > maxHistory + 1) {
        throw new IlrecError(
          `ILRecSASRecEmbedding: a row holds the start and at most ${maxHistory} items, got ${length} ids; cut ` +
            'histories to maxHistory',
        );
      }
      const positions = tf.slice(this.positions.read() as tf.Tensor2D, [0, 0], [length, hiddenSize]); // [T, D]
      const sum = tf.add(this.embed(ids), positions); // [B, T, D]
      const gamma = this.gamma.read() as tf.Tensor1D;
      return this.drop(layerNorm(sum, gamma, this.beta.read() as tf.Tensor1D, this.layerNormEps), kwargs);
    });
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), layerNormEps: this.layerNormEps };
  }
}
