import * as tf from '@tensorflow/tfjs-core';
import { ofTokensOnDevice, runHeadKernel, sumsOfTokens, withRowsOfTokens } from '../../vocabulary/device_head';
import { hiddenSizeOf, type VocabularyProjection, vocabSizeOf } from '../../vocabulary/vocabulary_projection';
import { tileWidth } from '../../vocabulary/vocabulary_tiles';
import type { IlrecObjectiveOptions } from '../ilrec_objective';
import type { DeviceExpectations } from './device_expectations';
import type { DeviceFound } from './device_find';
import { intermediateGradient } from './gradients';
import type { HeadGradient } from '../../vocabulary/head_gradient';
import { KINDS } from './penalise';
import type { StreamingObjectiveInputs, Trained } from './types';

/** `gradientsOf` on the device. */
export function gradientsOnDevice(
  inputs: StreamingObjectiveInputs,
  options: IlrecObjectiveOptions,
  found: DeviceFound,
  trains: Trained,
): tf.Tensor[] {
  const { finalHidden, intermediateHidden } = inputs;
  const gradients: tf.Tensor[] = [finalGradient(inputs, options, found)];
  if (intermediateHidden !== null)
    gradients.push(intermediateGradient(finalHidden.shape[0], intermediateHidden.shape, options, found.compared.rows));
  if (!trains.weight && !trains.bias) return gradients;
  const { weight, bias } = gradientOfHead(inputs, options, found, trains);
  return [...gradients, ...[weight, bias].filter((each) => each !== null)];
}

/** dH_L [P, D]. */
function finalGradient(
  { finalHidden, head }: StreamingObjectiveInputs,
  { rewardWeight }: IlrecObjectiveOptions,
  { labels, expectations, rows, changes, again, reward }: DeviceFound,
): tf.Tensor2D {
  const [numRows, size] = finalHidden.shape;
  const expected = tf.slice(expectations.rows as tf.Tensor2D, [0, 0], [numRows, size]); // E_L
  const logTotals = tf.slice(rows, [0, 3], [numRows, 1]);
  const read = again === null ? tf.scalar(1) : tf.sub(1, again.unread);
  const scales = tf.add(tf.mul(tf.exp(tf.neg(logTotals)), read), reward === null ? 0 : rewardWeight); // e^(lse - lse') + mu
  let gradient = tf.sub(tf.mul(expected, scales), sumsOfTokens(head, labels, tf.ones([numRows, 1])));
  if (changes !== null) gradient = tf.add(gradient, sumsOfTokens(head, changes.tokens, changes.factors));
  if (again !== null) gradient = tf.add(gradient, again.sums as tf.Tensor2D);
  if (reward !== null)
    gradient = tf.sub(gradient, tf.mul(sumsOfTokens(head, reward.tokens, reward.shares), rewardWeight));
  return tf.div(gradient, numRows);
}

function gradientOfHead(
  { finalHidden, intermediateHidden, head }: StreamingObjectiveInputs,
  options: IlrecObjectiveOptions,
  found: DeviceFound,
  trains: Trained,
): HeadGradient {
  const { itemTokens, distillationWeight, penaltyWeight, penalty, rewardWeight } = options;
  const { ensembleHidden, expectations, compared, known, rows, reward } = found;
  const students = distillationWeight !== 0 && itemTokens === undefined ? intermediateHidden : null;
  const penalised = penaltyWeight === 0 ? null : ensembleHidden;
  const soft = reward === null ? null : { tokens: reward.tokens, shares: reward.shares };
  const final = {
    inputs: { known, found: rows, ...soft },
    attrs: { penaltyWeight, kind: KINDS[penalty], rewardWeight: reward === null ? 0 : rewardWeight },
  };
  const whole = readGradient(
    head,
    { finalHidden, students, penalised },
    expectations,
    distillationWeight,
    final,
    trains,
  );
  if (intermediateHidden === null || distillationWeight === 0 || itemTokens === undefined) return whole;

  const tokens = tf.tensor1d(Int32Array.from(itemTokens), 'int32');
  const slice = readGradient(
    ofTokensOnDevice(head, tokens),
    { finalHidden, students: intermediateHidden, penalised: null },
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
  readonly students: tf.Tensor2D | null;
  readonly penalised: tf.Tensor2D | null;
}

/** @param final what flows to the final layer's logits; null where they only teach. */
function readGradient(
  head: VocabularyProjection,
  { finalHidden, students, penalised }: HiddenRows,
  { all }: DeviceExpectations,
  distillationWeight: number,
  final: { inputs: tf.NamedTensorMap; attrs: Record<string, number> } | null,
  trains: Trained,
): HeadGradient {
  const hidden = tf.concat(
    [finalHidden, students, penalised].filter((each) => each !== null),
    0,
  );
  const numStudents = students?.shape[0] ?? 0;
  const place = {
    width: tileWidth(hidden.shape[0], vocabSizeOf(head), hiddenSizeOf(head)),
    numFinal: finalHidden.shape[0],
    numStudents,
  };
  const asked = {
    studentWeight: distillationWeight / Math.max(1, numStudents),
    trainsWeight: trains.weight ? 1 : 0,
    trainsBias: trains.bias ? 1 : 0,
  };
  const gradients = runHeadKernel(
    'ILRecHeadGradient',
    head,
    { hidden, normalisers: all, ...final?.inputs },
    { ...place, ...asked, ...final?.attrs },
  );
  return {
    weight: trains.weight ? (gradients.shift() as tf.Tensor2D) : null,
    bias: trains.bias ? (gradients.shift() as tf.Tensor1D) : null,
  };
}
