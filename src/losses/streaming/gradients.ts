import * as tf from '@tensorflow/tfjs-core';
import { headGradient, type HeadGradient, sortedByToken, tileOfEntries } from '../../vocabulary/head_gradient';
import { type SparseFactors, sumsOfEntries } from '../../vocabulary/sparse_rows';
import { ofTokens } from '../../vocabulary/head_of_tokens';
import { type VocabularyProjection, vocabSizeOf } from '../../vocabulary/vocabulary_projection';
import { penalise } from './penalise';
import { rulesOf } from './penalised_pass';
import type { LayerReading } from './read_layers';
import type { Coefficients, Found, StreamingObjectiveInputs, Trained } from './types';

/**
 * Gradients of the total: of the final hidden states, the intermediate ones, the head's weight and its bias, as far as
 * each is there and trained.
 */
export function gradientsOf(
  inputs: StreamingObjectiveInputs,
  options: Coefficients,
  found: Found,
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
  for (const each of [weight, bias]) if (each !== null) gradients.push(each);
  return gradients;
}

/** dH_L [P, D]. */
function finalGradient(
  { finalHidden, head }: StreamingObjectiveInputs,
  { rewardWeight }: Coefficients,
  found: Found,
): tf.Tensor2D {
  const [numRows, size] = finalHidden.shape;
  const { reread, negatives, changes } = found;
  const isReread = new Set(reread.places);
  const mu = found.reward === null ? 0 : rewardWeight;
  const expected = tf.slice(found.reading.expectations as tf.Tensor2D, [0, 0], [numRows, size]); // E_L
  const scales = tf.tensor2d(
    Float32Array.from(negatives, ({ logTotal }, row) => ((isReread.has(row) ? 0 : Math.exp(-logTotal)) + mu) / numRows),
    [numRows, 1],
  );
  const entries = labelsAndReward(found, mu);
  const sparse = sumsOfEntries(
    head,
    {
      rows: [...entries.rows, ...changes.rows],
      tokens: [...entries.tokens, ...changes.tokens],
      factors: [...entries.factors, ...changes.factors.map((factor) => factor / numRows)],
    },
    numRows,
  );
  const gradient = tf.add(tf.mul(expected, scales), sparse) as tf.Tensor2D;
  if (reread.sums === null) return gradient;
  return tf.add(
    gradient,
    tf.unsortedSegmentSum(tf.div(reread.sums, numRows), tf.tensor1d([...reread.places], 'int32'), numRows),
  );
}

/** dH_l [S * P, D]. @param expectations E_p[W] of the final rows and then of the layers', [P + S * P, D]. */
export function intermediateGradient(
  numRows: number,
  [total, size]: [number, number],
  { distillationWeight }: Coefficients,
  expectations: tf.Tensor2D | null,
): tf.Tensor2D {
  if (distillationWeight === 0) return tf.zeros([total, size]);
  const [expected, students] = tf.split(expectations as tf.Tensor2D, [numRows, total], 0);
  const differences = tf.sub(tf.reshape(students, [total / numRows, numRows, size]), expected); // E_l - E_L
  return tf.reshape(tf.mul(differences, distillationWeight / total), [total, size]);
}

/** What the labels and the reward take away from the gradient of the final logits, divided by P, sorted by token. */
function labelsAndReward({ rule: { labels }, reward }: Found, mu: number): SparseFactors {
  const numRows = labels.length;
  const shares = reward?.shares ?? { rows: [], tokens: [], factors: [] };
  const places = Array.from(labels.keys());
  return sortedByToken({
    rows: [...places, ...shares.rows],
    tokens: [...labels, ...shares.tokens],
    factors: [...places.map(() => -1 / numRows), ...shares.factors.map((share) => (-mu * share) / numRows)],
  });
}

function gradientOfHead(
  inputs: StreamingObjectiveInputs,
  options: Coefficients,
  found: Found,
  trains: Trained,
): HeadGradient {
  const { finalHidden, intermediateHidden, head } = inputs;
  const { distillationTokens, distillationWeight, penaltyWeight, penalty, rewardWeight } = options;
  const { rule, ensembleHidden, negatives, reading, compared } = found;
  const numRows = finalHidden.shape[0];
  const mu = found.reward === null ? 0 : rewardWeight;
  const studentHidden = distillationWeight !== 0 && distillationTokens === undefined ? intermediateHidden : null;
  const entries = labelsAndReward(found, mu);
  const finalLogSumExp = column(rule.finalLogSumExp); // lse [P, 1]
  const raisedLogSumExp = column(negatives.map(({ logTotal }, row) => rule.finalLogSumExp[row] + logTotal)); // lse' [P, 1]
  const rules =
    ensembleHidden === null || penaltyWeight === 0
      ? null
      : rulesOf(rule, [...negatives.keys()], (row) => negatives[row].ensembleMass);
  const hidden = studentHidden === null ? finalHidden : tf.concat([finalHidden, studentHidden], 0); // [R, D]

  const whole = headGradient(
    head,
    hidden.shape[0],
    (tile) => {
      const logits = tile.logitsOf(hidden); // [R, tile]
      const finalLogits = tf.slice(logits, [0, 0], [numRows, tile.size]); // z^L [P, tile]
      const probabilities = tf.exp(tf.sub(finalLogits, finalLogSumExp)) as tf.Tensor2D; // p^L
      let slopes = probabilities; // p' dz'/dz
      if (rules !== null) {
        const ensembleLogits = tile.logitsOf(ensembleHidden as tf.Tensor2D); // z~
        const { raised, growth } = penalise(finalLogits, ensembleLogits, rules, tile.start, penaltyWeight, penalty);
        slopes = tf.mul(tf.exp(tf.sub(raised, raisedLogSumExp)), growth);
      }
      const ofFinal = tf.add(
        tf.div(tf.add(slopes, tf.mul(probabilities, mu)), numRows),
        tileOfEntries(entries, numRows, tile.start, tile.size),
      ) as tf.Tensor2D;
      if (studentHidden === null) return { factors: ofFinal, hidden };
      const studentLogits = tf.slice(logits, [numRows, 0], [-1, tile.size]);
      const ofStudents = studentFactors(studentLogits, probabilities, reading, distillationWeight);
      return { factors: tf.concat([ofFinal, ofStudents], 0), hidden };
    },
    trains,
  );
  if (intermediateHidden === null || distillationWeight === 0 || distillationTokens === undefined) return whole;

  const tokens = tf.tensor1d(Int32Array.from(distillationTokens), 'int32');
  const comparedLogSumExp = column(compared.finalLogSumExp);
  const slice = headGradient(
    ofTokens(head, tokens),
    intermediateHidden.shape[0] + numRows,
    (tile) => {
      const teacher = tf.exp(tf.sub(tile.logitsOf(finalHidden), comparedLogSumExp)) as tf.Tensor2D;
      return {
        factors: studentFactors(tile.logitsOf(intermediateHidden), teacher, compared, distillationWeight),
        hidden: intermediateHidden,
      };
    },
    trains,
  );
  return withSlice(head, whole, slice, tokens);
}

/** lambda (p^l - p^L) / (S P) of a tile, [S * P, tile]. @param teacher p^L [P, tile]. */
function studentFactors(
  studentLogits: tf.Tensor2D,
  teacher: tf.Tensor2D,
  { studentLogSumExp }: LayerReading,
  distillationWeight: number,
): tf.Tensor2D {
  const [total, size] = studentLogits.shape;
  const probabilities = tf.exp(tf.sub(studentLogits, column(studentLogSumExp))); // p^l
  const layers = total / teacher.shape[0];
  return tf.reshape(
    tf.mul(tf.sub(tf.reshape(probabilities, [layers, -1, size]), teacher), distillationWeight / total),
    [total, size],
  );
}

/** The gradient of the slice's rows [U, D] added to that of the whole head. */
function withSlice(
  head: VocabularyProjection,
  whole: HeadGradient,
  slice: HeadGradient,
  tokens: tf.Tensor1D,
): HeadGradient {
  const vocabSize = vocabSizeOf(head);
  const add = <T extends tf.Tensor>(gradient: T, part: tf.Tensor, isTransposed = false): T => {
    const spread = tf.unsortedSegmentSum(part, tokens, vocabSize); // [V, D] or [V]
    return tf.add(gradient, isTransposed ? tf.transpose(spread) : spread);
  };
  return {
    weight: whole.weight === null ? null : add(whole.weight, slice.weight as tf.Tensor2D, head.layout === 'columns'),
    bias: whole.bias === null ? null : add(whole.bias, slice.bias as tf.Tensor1D),
  };
}

function column(values: ArrayLike<number>): tf.Tensor2D {
  return tf.tensor2d(Float32Array.from(values), [values.length, 1]);
}
