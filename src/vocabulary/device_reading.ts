import * as tf from '@tensorflow/tfjs-core';
import { runHeadKernel } from './device_head';
import { hiddenSizeOf, type VocabularyProjection, vocabSizeOf } from './vocabulary_projection';
import { tileWidth } from './vocabulary_tiles';

/**
 * Asks for the tokens of each of the first P rows that rank near the row's label or above it. A row's ranking logits
 * need not be its own: they belong to another hidden state, or are a mean over other rows.
 */
export interface DeviceCandidateSearch {
  /** Label, its logit and its ranking logit, [P, 3]. */
  readonly labels: tf.Tensor2D;
  /**
   * Hidden states of the ranking logits, [P, D]; null where these are the mean over the groups of P rows that follow
   * the first P rows.
   */
  readonly rankingHidden: tf.Tensor2D | null;
  /** How many tokens of a row are kept. */
  readonly capacity: number;
  /**
   * A token is kept where log p of the ranking exceeds log p of the label by more than this, as far as the vocabulary
   * has been read.
   */
  readonly logScale: number;
  /** Whether p of the label is the ranking's, not the row's own. */
  readonly usesRanking: boolean;
}

/** The tokens that a search has kept, [P, C]; the ranking logit of an unused place is below every logit. */
export interface DeviceCandidates {
  /** int32 */
  readonly tokens: tf.Tensor2D;
  readonly rankingLogits: tf.Tensor2D;
  /** The rows' own logits. */
  readonly logits: tf.Tensor2D;
  /** Every token whose ranking logit is above this was kept, [P, 1]; above every logit where a row did not fit. */
  readonly completeAbove: tf.Tensor2D;
  /** log sum e^z of the ranking logits, [P, 1]. */
  readonly rankingLogSumExp: tf.Tensor2D;
}

export interface DeviceReading {
  /** log sum e^z of each row, [R, 1]. */
  readonly logSumExp: tf.Tensor2D;
  /** E_p[W] of the first rows, [numExpected, D]; null for none. */
  readonly expectations: tf.Tensor2D | null;
  /** Null where no search was asked for. */
  readonly candidates: DeviceCandidates | null;
}

/** `readHead` by one kernel, which also searches for candidates; nothing leaves the device. */
export function readHeadOnDevice(
  head: VocabularyProjection,
  hidden: tf.Tensor2D,
  { numExpected, search = null }: { numExpected: number; search?: DeviceCandidateSearch | null },
): DeviceReading {
  const [numRows] = hidden.shape;
  const rankingHidden = search?.rankingHidden ?? null;
  const all = rankingHidden === null ? hidden : tf.concat([hidden, rankingHidden], 0);
  const numRanked = search === null ? 0 : search.labels.shape[0];
  const [firstRanking, groups] = rankingHidden === null ? [numRanked, numRows / numRanked - 1] : [numRows, 1];
  const [softmax, ...found] = runHeadKernel(
    'ILRecReadHead',
    head,
    { hidden: all, ...(search === null ? {} : { labels: search.labels }) },
    {
      width: tileWidth(all.shape[0], vocabSizeOf(head), hiddenSizeOf(head)),
      numDirect: numRows,
      numExpected,
      ...(search === null
        ? { firstLayer: 0, layers: 0 }
        : {
            firstLayer: firstRanking,
            layers: groups,
            capacity: search.capacity,
            logScale: search.logScale,
            usesEnsemble: search.usesRanking ? 1 : 0,
          }),
    },
  ) as tf.Tensor2D[];
  const [largest, sums] = tf.split(softmax, 3, 1);
  const logSumExp = tf.add(largest, tf.log(sums)) as tf.Tensor2D; // of the rows and then of the ranking logits
  const expectations = numExpected > 0 ? found[0] : null;
  if (search === null) return { logSumExp, expectations, candidates: null };
  const [tokens, rankingLogits, logits, progress] = found.slice(numExpected > 0 ? 1 : 0);
  return {
    logSumExp: tf.slice(logSumExp, [0, 0], [numRows, 1]),
    expectations,
    candidates: {
      tokens,
      rankingLogits,
      logits,
      completeAbove: tf.slice(progress, [0, 1], [numRanked, 1]),
      rankingLogSumExp: tf.slice(logSumExp, [numRows, 0], [numRanked, 1]),
    },
  };
}
