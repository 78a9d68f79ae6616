import type * as tf from '@tensorflow/tfjs-core';
import type { VocabularyProjection } from '../../vocabulary/vocabulary_projection';
import type { RewardEntries } from '../reward';
import type { Expectations } from '../../vocabulary/expectations';
import type { RowThresholds } from './negatives';
import type { SparseFactors } from '../../vocabulary/sparse_rows';
import type { PenalisedRow } from './penalty';
import type { RewardRows } from './reward_rows';

/** What the response positions of a batch give the objective: hidden states instead of logits. */
export interface StreamingObjectiveInputs {
  /** What the head reads at the response rows, [P, D]. */
  readonly finalHidden: tf.Tensor2D;
  /** The same of the layers of S, layer after layer, [S * P, D]; null when there is no intermediate layer or no term uses one. */
  readonly intermediateHidden: tf.Tensor2D | null;
  readonly head: VocabularyProjection;
  /** y, [P], each in [0, V). */
  readonly labels: Int32Array;
  /** c without its zeros; null when mu is 0. */
  readonly reward: RewardEntries | null;
}

/** What gradients are asked for. */
export interface Trained {
  readonly hidden: boolean;
  readonly weight: boolean;
  readonly bias: boolean;
}

/** Everything that the passes over the vocabulary and the sums over rows have found. */
export interface Found {
  readonly at: RowThresholds;
  /** z^L(y), [P]. */
  readonly labelLogits: Float32Array;
  /** What z~ is the logit of, [P, D]; null without negatives. */
  readonly ensembleHidden: tf.Tensor2D | null;
  readonly expectations: Expectations;
  /** Of the slice of item tokens, where CPD compares on one; else those of the whole vocabulary. */
  readonly compared: Expectations;
  readonly rows: readonly PenalisedRow[];
  readonly changes: SparseFactors;
  /** Rows that were read again, and their sums [R, D]. */
  readonly again: { readonly places: readonly number[]; readonly sums: tf.Tensor2D | null };
  readonly reward: RewardRows | null;
}

/** The objective and its parts, on the CPU. */
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
