import type { InteractionData } from '../data/types';
import { createRandom, type Random } from '../random';
import { positivePmi } from './co_occurrence';
import type { SparseMatrix } from './sparse_matrix';
import { titleFeatures } from './title_features';
import { truncatedSvd } from './truncated_svd';

/** Vectors of a catalogue, [numItems, dim] row by row. */
export interface ItemVectors { values: Float32Array; dim: number }

const RANK = 64;

/**
 * Makes item vectors from the interactions and, where any is known, the titles.
 *
 * Interactions: truncated SVD (U·√S) of the positive PMI within the training sequences, the last two interactions of each user left out.
 * Titles: the same of hashed words and trigrams. Both parts are scaled to length 1 per item and concatenated; an item without a part has zeros there.
 * @param seed of the random projections.
 * @returns [N, 64 or 128], fewer columns for catalogues of fewer items.
 */
export function makeItemVectors({ sequences, itemIds, titles }: Pick<InteractionData, 'sequences' | 'itemIds' | 'titles'>, seed = 0): ItemVectors {
  const random = createRandom(seed);
  const train = sequences.map((sequence) => sequence.subarray(0, Math.max(0, sequence.length - 2)));
  const parts = [embed(positivePmi(train, itemIds.length), random)];
  if (titles?.some((title) => title !== null)) parts.push(embed(titleFeatures(titles), random));
  const dim = parts.reduce((sum, part) => sum + part.dim, 0);
  const values = new Float32Array(itemIds.length * dim);
  let column = 0;
  for (const part of parts) {
    for (let item = 0; item < itemIds.length; item++) values.set(part.values.subarray(item * part.dim, (item + 1) * part.dim), item * dim + column);
    column += part.dim;
  }
  return { values, dim };
}

/** U·√S of a matrix, rows of length 1 or 0. */
function embed(matrix: SparseMatrix, random: Random): ItemVectors {
  const { left, singularValues, rank } = truncatedSvd(matrix, RANK, random);
  const values = new Float32Array(left.length);
  for (let row = 0; row < left.length; row += rank) {
    let energy = 0;
    for (let j = 0; j < rank; j++) {
      values[row + j] = left[row + j] * Math.sqrt(singularValues[j]);
      energy += values[row + j] ** 2;
    }
    if (energy > 0) for (let j = 0; j < rank; j++) values[row + j] /= Math.sqrt(energy);
  }
  return { values, dim: rank };
}
