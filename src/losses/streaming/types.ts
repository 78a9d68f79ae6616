import type * as tf from '@tensorflow/tfjs-core';
import type { SparseFactors } from '../../vocabulary/sparse_rows';
import type { TrainedParts, VocabularyProjection } from '../../vocabulary/vocabulary_projection';
import type { IlrecObjectiveOptions } from '../ilrec_objective';
import type { RewardEntries } from '../reward';
import type { NegativeRule, RowNegatives } from './negatives';
import type { LayerReading } from './read_layers';
import type { RewardRows } from './reward_rows';

/** What the objective reads at the response positions of a batch: hidden states instead of logits. */
export interface StreamingObjectiveInputs {
  /** What the head reads at the response rows, [P, D]. */
  readonly finalHidden: tf.Tensor2D;
  /**
   * The same of the layers of S, layer after layer, [S * P, D]; null when there is no intermediate layer or no term
   * uses one.
   */
  readonly intermediateHidden: tf.Tensor2D | null;
  readonly head: VocabularyProjection;
  /** y, [P], each in [0, V). */
  readonly labels: Int32Array;
  /** c without its zeros; null when mu is 0. */
  readonly reward: RewardEntries | null;
}

/** The options with the old name of one of them resolved. */
export type Coefficients = Omit<IlrecObjectiveOptions, 'itemTokens'>;

/** Which gradients are asked for. */
export interface Trained extends TrainedParts {
  readonly hidden: boolean;
}

/** Everything that the readings of the head have found. */
export interface Found {
  readonly rule: NegativeRule;
  /** z^L(y), [P]. */
  readonly labelLogits: Float32Array;
  /** Hidden states whose logits are z~, [P, D]; null without negatives. */
  readonly ensembleHidden: tf.Tensor2D | null;
  readonly reading: LayerReading;
  /** The reading on which CPD compares the layers: that of `distillationTokens`, else `reading`. */
  readonly compared: LayerReading;
  /** [P] */
  readonly negatives: readonly RowNegatives[];
  /** What the penalty adds to E_p[W] e^-logTotal, for the rows whose negatives were in the buffer. */
  readonly changes: SparseFactors;
  /** Rows that were read again, [R], and their sums over the vocabulary of p' dz'/dz W, [R, D]. */
  readonly reread: { readonly places: readonly number[]; readonly sums: tf.Tensor2D | null };
  readonly reward: RewardRows | null;
}

/** The objective and its terms, on the CPU. */
export interface StreamedTerms {
  readonly total: number;
  readonly crossEntropy: number;
  readonly cpo: number;
  readonly cpd: number;
  readonly crr: number;
  readonly numNegatives: number;
  readonly penaltyMass: number;
  readonly klPerLayer: number[];
}
