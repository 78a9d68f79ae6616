import type { InteractionData } from '../data/types';
import { createRandom } from '../random';
import { positivePmi } from './co_occurrence';
import { titleFeatures } from './title_features';
import { truncatedEigen, truncatedSvd, type Embedding } from './truncated_svd';

/** Vectors of a catalogue, [numItems, dim] row by row. */
export interface ItemVectors {
  values: Float32Array;
  dim: number;
}

const RANK = 64;

/**
 * Makes item vectors from the interactions and, where any is known, the titles.
 *
 * Interactions: the leading eigenvectors (U·√Λ) of the positive PMI within the training sequences, the last two interactions of each user
 * left out. Titles: the leading singular vectors (U·√S) of hashed words and trigrams. Both parts are scaled to length 1 per item and concatenated; an item without a part has zeros there.
 * @param seed of the random projections.
 * @returns [N, 64 or 128], fewer columns for catalogues of fewer items.
 */
export function makeItemVectors(
  { sequences, itemIds, titles }: Pick<InteractionData, 'sequences' | 'itemIds' | 'titles'>,
  seed = 0,
): ItemVectors {
  const random = createRandom(seed);
  const train = sequences.map((sequence) => sequence.subarray(0, Math.max(0, sequence.length - 2)));
  const parts = [unitRows(truncatedEigen(positivePmi(train, itemIds.length), RANK, random))];
  if (titles?.some((title) => title !== null)) parts.push(unitRows(truncatedSvd(titleFeatures(titles), RANK, random)));
  const dim = parts.reduce((sum, part) => sum + part.dim, 0);
  const values = new Float32Array(itemIds.length * dim);
  let column = 0;
  for (const part of parts) {
    for (let item = 0; item < itemIds.length; item++)
      values.set(part.values.subarray(item * part.dim, (item + 1) * part.dim), item * dim + column);
    column += part.dim;
  }
  return { values, dim };
}

/** Rows scaled to length 1; rows of zeros stay. */
function unitRows({ values, rank }: Embedding): ItemVectors {
  const out = Float32Array.from(values);
  for (let row = 0; row < out.length; row += rank) {
    let energy = 0;
    for (let j = 0; j < rank; j++) energy += values[row + j] ** 2;
    if (energy > 0) for (let j = 0; j < rank; j++) out[row + j] = values[row + j] / Math.sqrt(energy);
  }
  return { values: out, dim: rank };
}
