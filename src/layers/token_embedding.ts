import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { calledAs } from '../errors';
import { initializerSeed } from '../ops/dropout';
import { checkTokenIds } from '../ops/token_ids';
import { callGroups } from './call_groups';
import { type CallArgs, type LayerArgs, onlyInput, type Shape } from './layer_types';
import { type ProjectionDelta, projectOntoVocabulary, type VocabularyHead } from './projection';

/** Arguments of `TokenEmbedding`. */
export interface TokenEmbeddingArgs extends LayerArgs {
  /** V, number of token ids. */
  vocabSize: number;
  /** D. */
  hiddenSize: number;
  /** Token that the following layers mask out. Default none. */
  padTokenId?: number | null;
  /** Standard deviation of the initial weights, 0 for zeros. Default 0.02. */
  initializerRange?: number;
  /** Seed of the initial weights. Default 0. */
  seed?: number;
}

/**
 * Embeds token ids [B, T] as [B, T, D]; called on hidden states [B, T, D], it is the tied language-model head and
 * returns logits [B, T, V].
 *
 * In a functional model the second call of the layer is the tied head. Saving and loading work as for any shared layer,
 * and `model.dispose()` frees the weight.
 *
 * @param args see `TokenEmbeddingArgs`.
 * @throws IlrecError when it is called on a token id that is not in the vocabulary. On WebGPU, ids that were computed on
 *   the device are not checked.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { TokenEmbedding } from 'tfjs-ilrec';
 *
 * const embedding = new TokenEmbedding({ vocabSize: 7, hiddenSize: 8 });
 * const hidden = embedding.apply(tf.tensor2d([[1, 2, 3]], [1, 3], 'int32')) as tf.Tensor;
 * console.log(hidden.shape); // [ 1, 3, 8 ]
 * console.log((embedding.apply(hidden) as tf.Tensor).shape); // [ 1, 3, 7 ]
 * ```
 */
export class TokenEmbedding extends tfl.layers.Layer implements VocabularyHead {
  static readonly className: string = 'ILRecTokenEmbedding';
  readonly projections: readonly string[] = ['weight'];
  projectionDelta: ProjectionDelta | null = null;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  /** null: only `ItemEmbedding` has one. */
  get bias(): tf.Tensor1D | null {
    return null;
  }
  private readonly padTokenId: number | null;
  private readonly initializerRange: number;
  private readonly seed: number;
  protected embeddings!: tfl.LayerVariable;
  private disposedGraphs = 0;

  constructor(args: TokenEmbeddingArgs) {
    super(args);
    this.vocabSize = args.vocabSize;
    this.hiddenSize = args.hiddenSize;
    this.padTokenId = args.padTokenId ?? null;
    this.initializerRange = args.initializerRange ?? 0.02;
    this.seed = args.seed ?? 0;
    this.supportsMasking = true;
  }

  override build(): void {
    const { initializerRange, seed } = this;
    const initializer =
      initializerRange === 0
        ? tfl.initializers.zeros()
        : tfl.initializers.randomNormal({ mean: 0, stddev: initializerRange, seed: initializerSeed(seed) });
    this.embeddings = this.addWeight('weight', [this.vocabSize, this.hiddenSize], 'float32', initializer);
    this.built = true;
  }

  /** [V, D]; owned by the layer. */
  get weight(): tf.Tensor2D {
    return this.embeddings.read() as tf.Tensor2D;
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape.length === 2 ? [...inputShape, this.hiddenSize] : [...inputShape.slice(0, -1), this.vocabSize];
  }

  override computeMask(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor | tf.Tensor[] {
    const ids = onlyInput(inputs, 'ILRecTokenEmbedding');
    // tfjs's own layers return null for "no mask" too, though their types do not say so
    const none = null as unknown as tf.Tensor;
    return this.padTokenId === null || ids.rank !== 2 ? none : tf.notEqual(ids, this.padTokenId);
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: CallArgs): tf.Tensor {
    const x = onlyInput(inputs, 'ILRecTokenEmbedding');
    if (x.rank !== 2) return projectOntoVocabulary(this, x, { training: kwargs.training === true }); // [B, T, V]
    calledAs('ILRecTokenEmbedding', () => checkTokenIds(x, this.vocabSize));
    return tf.tidy(() => {
      const flat = tf.gather(this.weight, tf.reshape(tf.cast(x, 'int32'), [-1])); // [B*T, D]
      return tf.reshape(flat, [...x.shape, this.hiddenSize]);
    });
  }

  /**
   * Frees the weights when the last graph that calls the layer is disposed. tfjs counts calls, of which a tied embedding
   * has two, and `model.dispose()` takes back one.
   */
  override dispose(): ReturnType<tfl.layers.Layer['dispose']> {
    const graphsLeft = callGroups(this).length - this.disposedGraphs - 1;
    if (graphsLeft > 0) {
      this.disposedGraphs++;
      return { refCountAfterDispose: graphsLeft, numDisposedVariables: 0 };
    }
    let result = super.dispose();
    while (result.refCountAfterDispose > 0) result = super.dispose();
    return result;
  }

  override getConfig(): tf.serialization.ConfigDict {
    const { vocabSize, hiddenSize, padTokenId, initializerRange, seed } = this;
    return { ...super.getConfig(), vocabSize, hiddenSize, padTokenId, initializerRange, seed };
  }
}
