import type { InteractionData } from '../data/types';
import { createRandom } from '../random';
import { positivePmi } from './co_occurrence';
import { titleFeatures } from './title_features';
import { truncatedEigen, truncatedSvd, type Embedding } from './truncated_svd';

/** One vector per item of a catalogue. */
export interface ItemVectors {
  /** [N, dim] row by row. */
  values: Float32Array;
  /** Numbers per vector. */
  dim: number;
}

const RANK = 64;

/**
 * Makes item vectors from the interactions and, if there are any, the titles.
 *
 * The part of the interactions is the leading eigenvectors (U·√Λ) of the positive PMI within the training sequences,
 * which are the sequences without each user's last two items. The part of the titles is the leading singular vectors
 * (U·√S) of hashed words and trigrams. Each part of each item is scaled to length 1, and the parts are concatenated. An
 * item without interactions or title has zeros there.
 *
 * @param data sequences, item ids and titles, as a reader or `demoCatalogue` returns them.
 * @param seed seed of the random projections. Default 0.
 * @returns vectors of 64 numbers, or 128 with titles; fewer for catalogues of fewer items.
 * @example
 * ```ts
 * import { demoCatalogue, makeItemVectors } from 'tfjs-ilrec';
 *
 * const { values, dim } = makeItemVectors(demoCatalogue({ numItems: 40, numUsers: 60 }));
 * console.log(dim, values.length); // 80 3200
 * ```
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

/** Scales each row to length 1, except rows of zeros. */
function unitRows({ values, rank }: Embedding): ItemVectors {
  const out = Float32Array.from(values);
  for (let row = 0; row < out.length; row += rank) {
    let energy = 0;
    for (let j = 0; j < rank; j++) energy += values[row + j] ** 2;
    if (energy > 0) for (let j = 0; j < rank; j++) out[row + j] = values[row + j] / Math.sqrt(energy);
  }
  return { values: out, dim: rank };
}
