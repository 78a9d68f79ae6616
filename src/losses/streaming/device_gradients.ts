import * as tf from '@tensorflow/tfjs-core';
import { runHeadKernel, sumsOfTokens, withRowsOfTokens } from '../../vocabulary/device_head';
import type { HeadGradient } from '../../vocabulary/head_gradient';
import { ofTokens } from '../../vocabulary/head_of_tokens';
import { hiddenSizeOf, type VocabularyProjection, vocabSizeOf } from '../../vocabulary/vocabulary_projection';
import { tileWidth } from '../../vocabulary/vocabulary_tiles';
import { PENALTIES } from '../penalty';
import type { DeviceFound } from './device_find';
import type { DeviceLayerReading } from './device_read_layers';
import { intermediateGradient } from './gradients';
import type { Coefficients, StreamingObjectiveInputs, Trained } from './types';

/** `gradientsOf` on the device. */
export function gradientsOnDevice(
  inputs: StreamingObjectiveInputs,
  options: Coefficients,
  found: DeviceFound,
  trains: Trained,
): tf.Tensor[] {
  const { finalHidden, intermediateHidden } = inputs;
  const gradients: tf.Tensor[] = [finalGradient(inputs, options, found)];
  if (intermediateHidden !== null)
    gradients.push(
      intermediateGradient(finalHidden.shape[0], intermediateHidden.shape, options, found.compared.expectations),
    );
  if (!trains.weight && !trains.bias) return gradients;
  const { weight, bias } = gradientOfHead(inputs, options, found, trains);
  return [...gradients, ...[weight, bias].filter((each) => each !== null)];
}

/** dH_L [P, D]. */
function finalGradient(
  { finalHidden, head }: StreamingObjectiveInputs,
  { rewardWeight }: Coefficients,
  { labels, reading, negatives, changes, reread, reward }: DeviceFound,
): tf.Tensor2D {
  const [numRows, size] = finalHidden.shape;
  const expected = tf.slice(reading.expectations as tf.Tensor2D, [0, 0], [numRows, size]); // E_L
  const logTotals = tf.slice(negatives, [0, 3], [numRows, 1]);
  const isRead = reread === null ? tf.scalar(1) : tf.sub(1, reread.isUnread);
  const scales = tf.add(tf.mul(tf.exp(tf.neg(logTotals)), isRead), reward === null ? 0 : rewardWeight); // e^(lse - lse') + mu
  let gradient = tf.sub(tf.mul(expected, scales), sumsOfTokens(head, labels, tf.ones([numRows, 1])));
  if (changes !== null) gradient = tf.add(gradient, sumsOfTokens(head, changes.tokens, changes.factors));
  if (reread !== null) gradient = tf.add(gradient, reread.sums as tf.Tensor2D);
  if (reward !== null)
    gradient = tf.sub(gradient, tf.mul(sumsOfTokens(head, reward.tokens, reward.shares), rewardWeight));
  return tf.div(gradient, numRows);
}

function gradientOfHead(
  { finalHidden, intermediateHidden, head }: StreamingObjectiveInputs,
  options: Coefficients,
  found: DeviceFound,
  trains: Trained,
): HeadGradient {
  const { distillationTokens, distillationWeight, penaltyWeight, penalty, rewardWeight } = options;
  const { ensembleHidden, reading, compared, rule, negatives, reward } = found;
  const studentHidden = distillationWeight !== 0 && distillationTokens === undefined ? intermediateHidden : null;
  const penalised = penaltyWeight === 0 ? null : ensembleHidden;
  const soft = reward === null ? null : { tokens: reward.tokens, shares: reward.shares };
  const ofFinal = {
    inputs: { known: rule, found: negatives, ...soft },
    attrs: { penaltyWeight, kind: PENALTIES[penalty].kind, rewardWeight: reward === null ? 0 : rewardWeight },
  };
  const whole = readGradient(
    head,
    { finalHidden, studentHidden, ensembleHidden: penalised },
    reading,
    distillationWeight,
    ofFinal,
    trains,
  );
  if (intermediateHidden === null || distillationWeight === 0 || distillationTokens === undefined) return whole;

  const tokens = tf.tensor1d(Int32Array.from(distillationTokens), 'int32');
  const slice = readGradient(
    ofTokens(head, tokens),
    { finalHidden, studentHidden: intermediateHidden, ensembleHidden: null },
    compared,
    distillationWeight,
    null,
    trains,
  );
  return {
    weight:
      whole.weight === null ? null : withRowsOfTokens(whole.weight, head.layout, tokens, slice.weight as tf.Tensor2D),
    bias:
      whole.bias === null
        ? null
        : tf.add<tf.Tensor1D>(whole.bias, tf.unsortedSegmentSum(slice.bias as tf.Tensor1D, tokens, vocabSizeOf(head))),
  };
}

interface HiddenRows {
  readonly finalHidden: tf.Tensor2D;
  readonly studentHidden: tf.Tensor2D | null;
  /** Null where nothing is penalised. */
  readonly ensembleHidden: tf.Tensor2D | null;
}

/** @param ofFinal what the gradient of the final logits is made of; null where the final layer is only the teacher. */
function readGradient(
  head: VocabularyProjection,
  { finalHidden, studentHidden, ensembleHidden }: HiddenRows,
  { logSumExp }: DeviceLayerReading,
  distillationWeight: number,
  ofFinal: { inputs: tf.NamedTensorMap; attrs: Record<string, number> } | null,
  trains: Trained,
): HeadGradient {
  const hidden = tf.concat(
    [finalHidden, studentHidden, ensembleHidden].filter((each) => each !== null),
    0,
  );
  const numStudents = studentHidden?.shape[0] ?? 0;
  const gradients = runHeadKernel(
    'ILRecHeadGradient',
    head,
    { hidden, normalisers: logSumExp, ...ofFinal?.inputs },
    {
      width: tileWidth(hidden.shape[0], vocabSizeOf(head), hiddenSizeOf(head)),
      numFinal: finalHidden.shape[0],
      numStudents,
      studentWeight: distillationWeight / Math.max(1, numStudents),
      trainsWeight: trains.weight ? 1 : 0,
      trainsBias: trains.bias ? 1 : 0,
      ...ofFinal?.attrs,
    },
  );
  return {
    weight: trains.weight ? (gradients.shift() as tf.Tensor2D) : null,
    bias: trains.bias ? (gradients.shift() as tf.Tensor1D) : null,
  };
}
