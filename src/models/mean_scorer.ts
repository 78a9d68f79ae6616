import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import { withoutTape } from '../ops/without_tape';
import { type ItemScorer, scorePrefixes } from './item_scorer';

/**
 * Makes a scorer of several: the mean of their log-probabilities, as an ensemble or as a teacher.
 *
 * ```
 * score(i | h) = mean over models m of log softmax(score_m(. | h))(i)
 * ```
 *
 * @param scorers one or more of the same catalogue.
 * @returns the scorer.
 * @throws IlrecError when there is none, or their catalogues differ in size.
 * @example
 * ```ts
 * import { markovScorer, meanScorer, popularityScorer } from 'tfjs-ilrec';
 *
 * const histories = [[0, 1], [0, 2], [0, 1]];
 * const both = meanScorer([markovScorer(histories, 3), popularityScorer(histories, 3)]);
 * console.log(both.score([[0]]).shape); // [ 1, 3 ]
 * ```
 */
export function meanScorer(scorers: readonly ItemScorer[]): ItemScorer {
  if (scorers.length === 0) throw new IlrecError('meanScorer: there must be at least one scorer, got none');
  const [{ numItems }] = scorers;
  const other = scorers.find((scorer) => scorer.numItems !== numItems);
  if (other !== undefined)
    throw new IlrecError(
      `meanScorer: all scorers must have ${numItems} items, got ${other.numItems} in "${other.name}"`,
    );
  const meanOf = (scoresOf: (scorer: ItemScorer) => tf.Tensor2D): tf.Tensor2D =>
    withoutTape(() => {
      const logs = scorers.map((scorer) => tf.logSoftmax(scoresOf(scorer))); // [R, N] each
      return tf.div(tf.addN(logs), scorers.length) as tf.Tensor2D;
    });
  return {
    name: `mean of ${scorers.map(({ name }) => name).join(', ')}`,
    numItems,
    score: (histories) => meanOf((scorer) => scorer.score(histories)),
    scorePrefixes: (histories, rows, lengths) => meanOf((scorer) => scorePrefixes(scorer, histories, rows, lengths)),
  };
}
