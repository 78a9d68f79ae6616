import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import { withoutTape } from '../ops/without_tape';
import { type ItemScorer, scorePrefixes } from './item_scorer';

/** Options of `meanScorer`. */
export interface MeanScorerOptions {
  /** Weight of each scorer, at least 0, one of them above; their sum does not matter. Default the same for all. */
  weights?: readonly number[];
}

/**
 * Makes a scorer of several: the mean of their log-probabilities, as an ensemble or as a teacher.
 *
 * ```
 * score(i | h) = mean over models m of log softmax(score_m(. | h))(i)       weighted, if weights are given
 * ```
 *
 * @param scorers one or more of the same catalogue.
 * @param options see `MeanScorerOptions`.
 * @returns the scorer.
 * @throws IlrecError when there is none, their catalogues differ in size, or the weights do not fit.
 * @example
 * ```ts
 * import { markovScorer, meanScorer, popularityScorer } from 'tfjs-ilrec';
 *
 * const histories = [[0, 1], [0, 2], [0, 1]];
 * const both = meanScorer([markovScorer(histories, 3), popularityScorer(histories, 3)]);
 * console.log(both.score([[0]]).shape); // [ 1, 3 ]
 * ```
 */
export function meanScorer(scorers: readonly ItemScorer[], { weights }: MeanScorerOptions = {}): ItemScorer {
  if (scorers.length === 0) throw new IlrecError('meanScorer: there must be at least one scorer, got none');
  const [{ numItems }] = scorers;
  const other = scorers.find((scorer) => scorer.numItems !== numItems);
  if (other !== undefined)
    throw new IlrecError(
      `meanScorer: all scorers must have ${numItems} items, got ${other.numItems} in "${other.name}"`,
    );
  if (weights !== undefined && (weights.length !== scorers.length || !areWeights(weights)))
    throw new IlrecError(
      `meanScorer: weights must be ${scorers.length} numbers of at least 0, one of them above, got ` +
        `[${weights.join(', ')}]`,
    );
  const total = weights?.reduce((sum, weight) => sum + weight) ?? scorers.length;
  const shares = scorers.map((_, m) => (weights?.[m] ?? 1) / total);
  const counted = scorers.map((scorer, m) => ({ scorer, share: shares[m] })).filter(({ share }) => share > 0);
  const meanOf = (scoresOf: (scorer: ItemScorer) => tf.Tensor2D): tf.Tensor2D =>
    withoutTape(() => {
      const logs = counted.map(({ scorer, share }) => tf.mul(tf.logSoftmax(scoresOf(scorer)), share)); // [R, N] each
      return tf.addN(logs) as tf.Tensor2D;
    });
  const names = scorers.map(({ name }, m) =>
    weights === undefined ? name : `${name} (${Number(shares[m].toFixed(6))})`,
  );
  return {
    name: `mean of ${names.join(', ')}`,
    numItems,
    score: (histories) => meanOf((scorer) => scorer.score(histories)),
    scorePrefixes: (histories, rows, lengths) => meanOf((scorer) => scorePrefixes(scorer, histories, rows, lengths)),
  };
}

function areWeights(weights: readonly number[]): boolean {
  return weights.every((weight) => weight >= 0 && Number.isFinite(weight)) && weights.some((weight) => weight > 0);
}
