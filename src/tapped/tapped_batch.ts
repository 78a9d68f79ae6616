import * as tf from '@tensorflow/tfjs-core';
import { UnnamedError } from '../errors';
import type { RewardContext } from '../losses/reward';
import { responsePositions, type ResponsePositions } from '../ops/response_rows';
import type { Capture, ModelTaps } from '../taps';
import { type VocabularyProjection, vocabSizeOf } from '../vocabulary/vocabulary_projection';
import { checkLabels, labelsOf, rowsAt } from './response_labels';

/**
 * One batch as the loss of a tapped method sees it: its P response positions, and what the tapped model computed there.
 *
 * What concerns S tapped layers is one matrix [S * P, ...], layer after layer, shallow to deep: the form that
 * `ilrecObjective` and `streamingObjective` take. The tensors belong to the loss's tidy.
 */
export interface TappedBatch {
  /** S, the number of tapped layers before the last. */
  readonly numLayers: number;
  /** Labels of the response positions, int32 [P]. */
  readonly labels: tf.Tensor1D;
  /** Flat indices into [B * T] of the response positions, ascending, [P]. */
  readonly positions: Int32Array;
  /** `labels` on the CPU, [P]. */
  readonly labelIds: Int32Array;
  /** Labels of all positions, [B * T] row by row. */
  readonly allLabels: Int32Array;
  /** B. */
  readonly batchSize: number;
  /** T. */
  readonly sequenceLength: number;
  /** Whether the pass was a training pass; otherwise it was an evaluation. */
  readonly training: boolean;
  /** Training steps done before this one. */
  readonly step: number;
  /** Token ids of the model's input, [B * T] row by row; needs the option `inputIds`. */
  readonly inputIds: Int32Array;
  /**
   * The head as one matrix, for losses that never make logits; null when the head is more than one matrix. Throws when
   * a label is not a token.
   */
  readonly head: VocabularyProjection | null;
  /** What the head reads of the last layer, [P, D]. Gradient flows. */
  finalHidden(): tf.Tensor2D;
  /** Logits of the last layer, [P, V]. Gradient flows. Throws when a label is not a token. */
  finalLogits(): tf.Tensor2D;
  /** Outputs of the tapped layers, before the final norm, [S * P, D]. Gradient flows. Needs the option `numLayers`. */
  hiddenStates(): tf.Tensor2D;
  /**
   * What the head reads of the tapped layers, after the final norm, [S * P, D]. Gradient flows.
   *
   * @param hiddenStates [S * P, D]. Default `hiddenStates()`.
   */
  earlyExitHidden(hiddenStates?: tf.Tensor2D): tf.Tensor2D;
  /**
   * Logits of the tapped layers, through the final norm and the head, [S * P, V]. Gradient flows.
   *
   * @param hiddenStates [S * P, D]. Default `hiddenStates()`.
   */
  earlyExitLogits(hiddenStates?: tf.Tensor2D): tf.Tensor2D;
}

/** A batch with what its labels tell. */
export abstract class LabelledBatch implements TappedBatch {
  readonly positions: Int32Array;
  readonly labelIds: Int32Array;
  readonly allLabels: Int32Array;
  readonly labels: tf.Tensor1D;
  readonly batchSize: number;
  readonly sequenceLength: number;
  private readonly found: ResponsePositions;
  private readonly labelRows: tf.Tensor; // [B, T]

  /**
   * @param labels as the loss gets them, [B, T] or [B, T, 1].
   * @param states [B, T, D].
   * @throws UnnamedError when the labels have another shape than the states, or one is not a whole number.
   */
  constructor(
    labels: tf.Tensor,
    states: tf.Tensor3D,
    private readonly ignoreIndex: number,
  ) {
    this.labelRows = labelsOf(labels, states);
    this.found = responsePositions(this.labelRows, ignoreIndex);
    [this.batchSize, this.sequenceLength] = this.labelRows.shape as [number, number];
    this.positions = this.found.positions;
    this.allLabels = this.found.allLabels;
    this.labels = this.found.labels;
    this.labelIds = this.positions.map((position) => this.allLabels[position]);
  }

  abstract readonly numLayers: number;
  abstract readonly training: boolean;
  abstract readonly step: number;
  abstract readonly inputIds: Int32Array;
  abstract readonly head: VocabularyProjection | null;
  abstract finalHidden(): tf.Tensor2D;
  abstract finalLogits(): tf.Tensor2D;
  abstract hiddenStates(): tf.Tensor2D;
  abstract earlyExitHidden(hiddenStates?: tf.Tensor2D): tf.Tensor2D;
  abstract earlyExitLogits(hiddenStates?: tf.Tensor2D): tf.Tensor2D;
  /**
   * 0, but connected to the weights, for a batch without response positions: it trains nothing and still has gradients.
   */
  abstract zero(): tf.Scalar;

  /** Rows [P, ...] of a tensor [B, T, ...]. */
  protected readonly rowsOf = (tensor: tf.Tensor): tf.Tensor => rowsAt(this.found, tensor, this.labelRows);

  /** Rows of several layers, layer after layer, [S * P, D]. */
  protected rowsOfLayers(hiddenStates: readonly tf.Tensor3D[]): tf.Tensor2D {
    if (hiddenStates.length === 0)
      throw new UnnamedError('no layer before the last is tapped; make the method with `numLayers` above 0');
    return tf.concat(
      hiddenStates.map((states) => this.found.rowsOf(states)),
      0,
    );
  }

  /** @throws UnnamedError when a label is not a token. */
  protected checkLabels(vocabSize: number): void {
    checkLabels(this.found, vocabSize, this.ignoreIndex);
  }
}

export interface TappedBatchOptions {
  readonly taps: ModelTaps;
  readonly capture: Capture;
  /** As the loss gets them, [B, T] or [B, T, 1]. */
  readonly labels: tf.Tensor;
  readonly ignoreIndex: number;
  readonly step: number;
}

/** What the taps caught of a pass; see `TappedBatch`. Errors of its methods lack the name of the method. */
export class ResponseBatch extends LabelledBatch {
  readonly numLayers: number;
  readonly training: boolean;
  readonly step: number;
  private readonly taps: ModelTaps;
  private readonly capture: Capture;

  /** @throws UnnamedError when the labels have another shape than the pass. */
  constructor({ taps, capture, labels, ignoreIndex, step }: TappedBatchOptions) {
    super(labels, capture.headInput, ignoreIndex);
    this.numLayers = capture.hiddenStates.length;
    this.training = capture.training;
    this.step = step;
    this.taps = taps;
    this.capture = capture;
  }

  get inputIds(): Int32Array {
    const { inputIds } = this.capture;
    if (inputIds === null)
      throw new UnnamedError('the token ids are not kept; make the method with `inputIds: true` to read them');
    return tf.tidy(() => tf.cast(inputIds, 'int32').dataSync<'int32'>());
  }

  get head(): VocabularyProjection | null {
    const head = this.taps.projection;
    if (head !== null) this.checkLabels(vocabSizeOf(head));
    return head;
  }

  finalHidden(): tf.Tensor2D {
    return this.rowsOf(this.capture.headInput) as tf.Tensor2D;
  }

  finalLogits(): tf.Tensor2D {
    const logits = this.taps.finalLogits(this.capture, this.rowsOf);
    this.checkLabels(logits.shape[1]);
    return logits;
  }

  hiddenStates(): tf.Tensor2D {
    return this.rowsOfLayers(this.capture.hiddenStates);
  }

  earlyExitHidden(hiddenStates = this.hiddenStates()): tf.Tensor2D {
    return this.taps.headInputs(hiddenStates, this.capture, this.rowsOf);
  }

  earlyExitLogits(hiddenStates = this.hiddenStates()): tf.Tensor2D {
    return this.taps.earlyExitLogits(hiddenStates, this.capture, this.rowsOf);
  }

  zero(): tf.Scalar {
    const first = (tensor: tf.Tensor): tf.Tensor => tf.slice(tf.reshape(tensor, [-1, ...tensor.shape.slice(2)]), 0, 1);
    return tf.mul(tf.sum(this.taps.finalLogits(this.capture, first)), 0) as tf.Scalar;
  }
}

/** What a reward reads of a batch. The method must keep the token ids. */
export function rewardContext(batch: TappedBatch, vocabSize: number): RewardContext {
  const { inputIds, allLabels: labels, batchSize, sequenceLength, positions } = batch;
  return { inputIds, labels, batchSize, sequenceLength, positions, vocabSize };
}
