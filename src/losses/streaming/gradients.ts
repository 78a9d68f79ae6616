import * as tf from '@tensorflow/tfjs-core';
import { ofTokens, type VocabularyProjection, vocabSizeOf } from '../../vocabulary/vocabulary_projection';
import type { IlrecObjectiveOptions } from '../ilrec_objective';
import type { Expectations } from '../../vocabulary/expectations';
import { headGradient, type HeadGradient, sortedByToken, tileOfEntries } from '../../vocabulary/head_gradient';
import type { SparseFactors } from '../../vocabulary/sparse_rows';
import { penalise } from './penalise';
import { knownRows } from './penalised_pass';
import { sumsOfEntries } from '../../vocabulary/sparse_rows';
import type { Found, StreamingObjectiveInputs, Trained } from './types';

/** Gradients of the total by the final hidden states, the intermediate ones, the head's weight and its bias, as far as they are there and trained. */
export function gradientsOf(
  inputs: StreamingObjectiveInputs,
  options: IlrecObjectiveOptions,
  found: Found,
  trains: Trained,
): tf.Tensor[] {
  const { intermediateHidden } = inputs;
  const gradients: tf.Tensor[] = [finalGradient(inputs, options, found)];
  if (intermediateHidden !== null)
    gradients.push(
      intermediateGradient(inputs.finalHidden.shape[0], intermediateHidden.shape, options, found.compared.rows),
    );
  if (!trains.weight && !trains.bias) return gradients;
  const { weight, bias } = gradientOfHead(inputs, options, found, trains);
  for (const each of [weight, bias]) if (each !== null) gradients.push(each);
  return gradients;
}

/** dH_L [P, D]. */
function finalGradient(
  { finalHidden, head }: StreamingObjectiveInputs,
  { rewardWeight }: IlrecObjectiveOptions,
  found: Found,
): tf.Tensor2D {
  const [numRows, size] = finalHidden.shape;
  const { again, rows, changes } = found;
  const readAgain = new Set(again.places);
  const mu = found.reward === null ? 0 : rewardWeight;
  const expected = tf.slice(found.expectations.rows as tf.Tensor2D, [0, 0], [numRows, size]); // E_L
  const scales = tf.tensor2d(
    Float32Array.from(rows, ({ logTotal }, row) => ((readAgain.has(row) ? 0 : Math.exp(-logTotal)) + mu) / numRows),
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
  if (again.sums === null) return gradient;
  return tf.add(
    gradient,
    tf.unsortedSegmentSum(tf.div(again.sums, numRows), tf.tensor1d([...again.places], 'int32'), numRows),
  );
}

/** dH_l [S * P, D]. @param compared E_p[W] of the final rows and then of the layers', [P + S * P, D]. */
export function intermediateGradient(
  numRows: number,
  [total, size]: [number, number],
  { distillationWeight }: IlrecObjectiveOptions,
  compared: tf.Tensor2D | null,
): tf.Tensor2D {
  if (distillationWeight === 0) return tf.zeros([total, size]);
  const [expected, students] = tf.split(compared as tf.Tensor2D, [numRows, total], 0);
  const differences = tf.sub(tf.reshape(students, [total / numRows, numRows, size]), expected); // E_l - E_L
  return tf.reshape(tf.mul(differences, distillationWeight / total), [total, size]);
}

/** What the labels and the reward take away from the logits, divided by P, sorted by token. */
function labelsAndReward({ at, reward }: Found, mu: number): SparseFactors {
  const numRows = at.labels.length;
  const soft = reward?.soft ?? { rows: [], tokens: [], factors: [] };
  const places = Array.from(at.labels.keys());
  return sortedByToken({
    rows: [...places, ...soft.rows],
    tokens: [...at.labels, ...soft.tokens],
    factors: [...places.map(() => -1 / numRows), ...soft.factors.map((share) => (-mu * share) / numRows)],
  });
}

function gradientOfHead(
  inputs: StreamingObjectiveInputs,
  options: IlrecObjectiveOptions,
  found: Found,
  trains: Trained,
): HeadGradient {
  const { finalHidden, intermediateHidden, head } = inputs;
  const { itemTokens, distillationWeight, penaltyWeight, penalty, rewardWeight } = options;
  const { at, ensembleHidden, rows, expectations, compared } = found;
  const numRows = finalHidden.shape[0];
  const mu = found.reward === null ? 0 : rewardWeight;
  const students = distillationWeight !== 0 && itemTokens === undefined ? intermediateHidden : null;
  const entries = labelsAndReward(found, mu);
  const column = (values: ArrayLike<number>): tf.Tensor2D => tf.tensor2d(Float32Array.from(values), [values.length, 1]);
  const normalisers = column(at.final); // [P, 1]
  const penalised = column(rows.map(({ logTotal }, row) => at.final[row] + logTotal)); // lse'
  const known =
    ensembleHidden === null || penaltyWeight === 0
      ? null
      : knownRows(at, [...rows.keys()], (row) => rows[row].ensembleMass);
  const hidden = students === null ? finalHidden : tf.concat([finalHidden, students], 0); // [R, D]

  const whole = headGradient(
    head,
    hidden.shape[0],
    (tile) => {
      const logits = tile.logitsOf(hidden); // [R, tile]
      const final = tf.slice(logits, [0, 0], [numRows, tile.size]);
      const plain = tf.exp(tf.sub(final, normalisers)) as tf.Tensor2D; // p^L
      let slopes = plain;
      if (known !== null) {
        const { raised, growth } = penalise(
          final,
          tile.logitsOf(ensembleHidden as tf.Tensor2D),
          known,
          tile.start,
          penaltyWeight,
          penalty,
        );
        slopes = tf.mul(tf.exp(tf.sub(raised, penalised)), growth);
      }
      const ofFinal = tf.add(
        tf.div(tf.add(slopes, tf.mul(plain, mu)), numRows),
        tileOfEntries(entries, numRows, tile.start, tile.size),
      ) as tf.Tensor2D;
      if (students === null) return { factors: ofFinal, hidden };
      return {
        factors: tf.concat(
          [
            ofFinal,
            studentFactors(tf.slice(logits, [numRows, 0], [-1, tile.size]), plain, expectations, distillationWeight),
          ],
          0,
        ),
        hidden,
      };
    },
    trains,
  );
  if (intermediateHidden === null || distillationWeight === 0 || itemTokens === undefined) return whole;

  const tokens = tf.tensor1d(Int32Array.from(itemTokens), 'int32');
  const comparedNormalisers = column(compared.final);
  const slice = headGradient(
    ofTokens(head, tokens),
    intermediateHidden.shape[0] + numRows,
    (tile) => {
      const teacher = tf.exp(tf.sub(tile.logitsOf(finalHidden), comparedNormalisers)) as tf.Tensor2D;
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
  logits: tf.Tensor2D,
  teacher: tf.Tensor2D,
  { students }: Expectations,
  distillationWeight: number,
): tf.Tensor2D {
  const [total, size] = logits.shape;
  const probabilities = tf.exp(tf.sub(logits, tf.tensor2d(Float32Array.from(students), [total, 1])));
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
  const add = <T extends tf.Tensor>(gradient: T, part: tf.Tensor, turned = false): T => {
    const spread = tf.unsortedSegmentSum(part, tokens, vocabSize); // [V, D] or [V]
    return tf.add(gradient, turned ? tf.transpose(spread) : spread);
  };
  return {
    weight: whole.weight === null ? null : add(whole.weight, slice.weight as tf.Tensor2D, head.layout === 'columns'),
    bias: whole.bias === null ? null : add(whole.bias, slice.bias as tf.Tensor1D),
  };
}
