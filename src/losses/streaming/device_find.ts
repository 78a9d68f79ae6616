import * as tf from '@tensorflow/tfjs-core';
import { logitsOfTokens, runHeadKernel } from '../../vocabulary/device_head';
import { ofTokens } from '../../vocabulary/head_of_tokens';
import { hiddenSizeOf, vocabSizeOf } from '../../vocabulary/vocabulary_projection';
import { tileWidth } from '../../vocabulary/vocabulary_tiles';
import { PENALTIES } from '../penalty';
import { negativesOnDevice } from './device_negatives';
import { type DeviceLayerReading, readLayersOnDevice } from './device_read_layers';
import { type DeviceReward, rewardOnDevice } from './device_reward';
import { KEPT_IN_ALL, KEPT_OF_ROW, MARGIN } from './find';
import { meanOfLayers } from './read_layers';
import type { Coefficients, StreamingObjectiveInputs, Trained } from './types';

/** `Found` on the device. */
export interface DeviceFound {
  /** y, int32 [P, 1]. */
  readonly labels: tf.Tensor2D;
  /** z^L(y), [P, 1]. */
  readonly labelLogits: tf.Tensor2D;
  /** Hidden states whose logits are z~, [P, D]; null without negatives. */
  readonly ensembleHidden: tf.Tensor2D | null;
  readonly reading: DeviceLayerReading;
  /** The reading on which CPD compares the layers: that of `distillationTokens`, else `reading`. */
  readonly compared: DeviceLayerReading;
  /** log sum e^z of z^L and of z~, threshold and label, [P, 4]. */
  readonly rule: tf.Tensor2D;
  /** `RowNegatives` in columns, [P, 4]: |N_t|, sum of p^L and of p~ over N_t, lse' - lse. */
  readonly negatives: tf.Tensor2D;
  /** What the penalty adds at some tokens, [P, C]; null without negatives. */
  readonly changes: { readonly tokens: tf.Tensor2D; readonly factors: tf.Tensor2D } | null;
  /**
   * 1 for the rows that were read again, [P, 1], and their sums over the vocabulary of p' dz'/dz W, [P, D]; null
   * without negatives.
   */
  readonly reread: { readonly isUnread: tf.Tensor2D; readonly sums: tf.Tensor2D | null } | null;
  readonly reward: DeviceReward | null;
}

/** `find` without reading a value back: only the device knows which rows need the second reading. */
export function findOnDevice(
  { finalHidden, intermediateHidden, head, labels: targets, reward }: StreamingObjectiveInputs,
  options: Coefficients,
  trains: Trained,
): DeviceFound {
  const { thresholdScale, thresholdReference, distillationWeight, rewardWeight, distillationTokens } = options;
  const { penaltyWeight, penalty } = options;
  const numRows = finalHidden.shape[0];
  const distils = intermediateHidden !== null && distillationWeight !== 0;
  const ensembleHidden = intermediateHidden === null ? null : meanOfLayers(intermediateHidden, numRows); // [P, D]
  const labels = tf.tensor2d(targets, [numRows, 1], 'int32');
  const labelColumn = tf.tensor2d(Float32Array.from(targets), [numRows, 1]);
  const labelLogits = logitsOfTokens(head, finalHidden, labels); // [P, 1]
  const labelEnsembleLogits = ensembleHidden === null ? null : logitsOfTokens(head, ensembleHidden, labels);

  const usesRanking = thresholdReference === 'ensemble';
  const search =
    labelEnsembleLogits === null
      ? null
      : {
          labels: tf.concat([labelColumn, labelLogits, labelEnsembleLogits], 1),
          capacity: Math.min(KEPT_OF_ROW, Math.ceil(KEPT_IN_ALL / numRows), vocabSizeOf(head)),
          logScale: Math.log(thresholdScale) - MARGIN,
          usesRanking,
        };
  const studentHidden = distils && distillationTokens === undefined ? intermediateHidden : null;
  const expected = trains.hidden ? 'all' : studentHidden === null ? 'none' : 'final';
  const reading = readLayersOnDevice(
    head,
    { finalHidden, studentHidden, ensembleHidden: studentHidden === null ? ensembleHidden : null },
    search,
    expected,
  );
  let compared = reading;
  if (distils && distillationTokens !== undefined) {
    const slice = ofTokens(head, tf.tensor1d(Int32Array.from(distillationTokens), 'int32'));
    compared = readLayersOnDevice(
      slice,
      { finalHidden, studentHidden: intermediateHidden, ensembleHidden: null },
      null,
      trains.hidden ? 'all' : 'final',
    );
  }

  const { finalLogSumExp, candidates } = reading;
  const none = tf.zeros([numRows, 1]);
  const common = { labels, labelLogits, ensembleHidden, reading, compared };
  const withReward = (thresholds: tf.Tensor2D | null): DeviceReward | null =>
    reward === null || rewardWeight === 0
      ? null
      : rewardOnDevice(reward, targets, head, { finalHidden, ensembleHidden, finalLogSumExp, thresholds });
  if (ensembleHidden === null || labelEnsembleLogits === null || candidates === null) {
    return {
      ...common,
      rule: tf.concat([finalLogSumExp, none, none, labelColumn], 1) as tf.Tensor2D,
      negatives: tf.zeros([numRows, 4]),
      changes: null,
      reread: null,
      reward: withReward(null),
    };
  }
  const ensembleLogSumExp = candidates.rankingLogSumExp;
  const reference = usesRanking ? labelEnsembleLogits : tf.add(tf.sub(labelLogits, finalLogSumExp), ensembleLogSumExp);
  const thresholds = tf.add(reference, Math.log(thresholdScale)) as tf.Tensor2D; // log(tau) + log sum e^z~
  const rule = tf.concat([finalLogSumExp, ensembleLogSumExp, thresholds, labelColumn], 1) as tf.Tensor2D;
  const { columns, isUnread, changes } = negativesOnDevice(
    candidates,
    { finalLogSumExp, ensembleLogSumExp, thresholds },
    penaltyWeight,
    penalty,
  );
  const width = tileWidth(2 * numRows, vocabSizeOf(head), hiddenSizeOf(head));
  const [rereadColumns, sums] = runHeadKernel(
    'ILRecReadAgain',
    head,
    { hidden: tf.concat([finalHidden, ensembleHidden], 0), known: rule, marks: isUnread },
    { width, penaltyWeight, kind: PENALTIES[penalty].kind, withSums: trains.hidden ? 1 : 0 },
  ) as tf.Tensor2D[];
  return {
    ...common,
    rule,
    negatives: tf.add(columns, rereadColumns),
    changes: { tokens: candidates.tokens, factors: changes },
    reread: { isUnread, sums: trains.hidden ? sums : null },
    reward: withReward(thresholds),
  };
}
