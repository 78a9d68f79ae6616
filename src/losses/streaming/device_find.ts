import * as tf from '@tensorflow/tfjs-core';
import { logitsOfTokens, ofTokensOnDevice, runHeadKernel } from '../../vocabulary/device_head';
import { hiddenSizeOf, vocabSizeOf } from '../../vocabulary/vocabulary_projection';
import { tileWidth } from '../../vocabulary/vocabulary_tiles';
import type { IlrecObjectiveOptions } from '../ilrec_objective';
import { type DeviceExpectations, streamOnDevice } from './device_expectations';
import { negativesOnDevice } from './device_negatives';
import { type DeviceReward, rewardOnDevice } from './device_reward';
import { KEPT_IN_ALL, KEPT_OF_ROW, MARGIN, meanOfLayers } from './find';
import { KINDS } from './penalise';
import type { StreamingObjectiveInputs, Trained } from './types';

/** `Found` on the device. */
export interface DeviceFound {
  /** y, int32 [P, 1]. */
  readonly labels: tf.Tensor2D;
  /** z^L(y), [P, 1]. */
  readonly labelLogits: tf.Tensor2D;
  /** What z~ is the logit of, [P, D]; null without negatives. */
  readonly ensembleHidden: tf.Tensor2D | null;
  readonly expectations: DeviceExpectations;
  /** Of the slice of item tokens, where CPD compares on one; else those of the whole vocabulary. */
  readonly compared: DeviceExpectations;
  /** log sum e^z of z^L and z~, threshold and label, [P, 4]. */
  readonly known: tf.Tensor2D;
  /** |N_t|, sum of p^L and of p~ over N_t, and lse' - lse, [P, 4]. */
  readonly rows: tf.Tensor2D;
  /** What the penalty adds at some tokens, [P, C]; null without negatives. */
  readonly changes: { readonly tokens: tf.Tensor2D; readonly factors: tf.Tensor2D } | null;
  /** Which rows were read again, [P, 1], and their sums over the vocabulary of p' dz'/dz W, [P, D]; null without negatives. */
  readonly again: { readonly unread: tf.Tensor2D; readonly sums: tf.Tensor2D | null } | null;
  readonly reward: DeviceReward | null;
}

/** `find` without a value that is read back: which rows need the second reading, only the device knows. */
export function findOnDevice(
  { finalHidden, intermediateHidden, head, labels: targets, reward }: StreamingObjectiveInputs,
  options: IlrecObjectiveOptions,
  trains: Trained,
): DeviceFound {
  const { thresholdScale, thresholdReference, distillationWeight, rewardWeight, itemTokens, penaltyWeight, penalty } =
    options;
  const numRows = finalHidden.shape[0];
  const distils = intermediateHidden !== null && distillationWeight !== 0;
  const ensembleHidden = intermediateHidden === null ? null : meanOfLayers(intermediateHidden, numRows); // [P, D]
  const labels = tf.tensor2d(targets, [numRows, 1], 'int32');
  const labelColumn = tf.tensor2d(Float32Array.from(targets), [numRows, 1]);
  const labelLogits = logitsOfTokens(head, finalHidden, labels); // [P, 1]
  const blendedLabels = ensembleHidden === null ? null : logitsOfTokens(head, ensembleHidden, labels);

  const usesEnsemble = thresholdReference === 'ensemble';
  const capacity = Math.min(KEPT_OF_ROW, Math.ceil(KEPT_IN_ALL / numRows), vocabSizeOf(head));
  const search =
    blendedLabels === null
      ? null
      : {
          labels: tf.concat([labelColumn, labelLogits, blendedLabels], 1),
          capacity,
          logScale: Math.log(thresholdScale) - MARGIN,
          usesEnsemble,
        };
  const students = distils && itemTokens === undefined ? intermediateHidden : null;
  const expected = trains.hidden ? 'all' : students === null ? 'none' : 'final';
  const expectations = streamOnDevice(
    head,
    { final: finalHidden, students, ensemble: students === null ? ensembleHidden : null },
    search,
    expected,
  );
  let compared = expectations;
  if (distils && itemTokens !== undefined) {
    const slice = ofTokensOnDevice(head, tf.tensor1d(Int32Array.from(itemTokens), 'int32'));
    compared = streamOnDevice(
      slice,
      { final: finalHidden, students: intermediateHidden, ensemble: null },
      null,
      trains.hidden ? 'all' : 'final',
    );
  }

  const { final, ensemble, candidates } = expectations;
  const none = tf.zeros([numRows, 1]);
  const common = { labels, labelLogits, ensembleHidden, expectations, compared };
  const withReward = (thresholds: tf.Tensor2D | null): DeviceReward | null =>
    reward === null || rewardWeight === 0
      ? null
      : rewardOnDevice(reward, targets, head, finalHidden, ensembleHidden, final, thresholds);
  if (ensembleHidden === null || blendedLabels === null || ensemble === null || candidates === null) {
    return {
      ...common,
      known: tf.concat([final, none, none, labelColumn], 1) as tf.Tensor2D,
      rows: tf.zeros([numRows, 4]),
      changes: null,
      again: null,
      reward: withReward(null),
    };
  }
  const reference = usesEnsemble ? blendedLabels : tf.add(tf.sub(labelLogits, final), ensemble);
  const thresholds = tf.add(reference, Math.log(thresholdScale)) as tf.Tensor2D; // log(tau) and the normaliser of z~
  const known = tf.concat([final, ensemble, thresholds, labelColumn], 1) as tf.Tensor2D;
  const negatives = negativesOnDevice(candidates, { final, ensemble, thresholds }, penaltyWeight, penalty);
  const width = tileWidth(2 * numRows, vocabSizeOf(head), hiddenSizeOf(head));
  const [rows, sums] = runHeadKernel(
    'ILRecReadAgain',
    head,
    { hidden: tf.concat([finalHidden, ensembleHidden], 0), known, marks: negatives.unread },
    { width, penaltyWeight, kind: KINDS[penalty], withSums: trains.hidden ? 1 : 0 },
  ) as tf.Tensor2D[];
  return {
    ...common,
    known,
    rows: tf.add(negatives.rows, rows),
    changes: { tokens: candidates.tokens, factors: negatives.changes },
    again: { unread: negatives.unread, sums: trains.hidden ? sums : null },
    reward: withReward(thresholds),
  };
}
