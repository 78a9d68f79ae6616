import { IlrecError } from '../errors';
import type { Random } from '../random';
import { kMeans } from './k_means';

const CAPACITY = 3; // a code holds at most this many times its even share of the items

/** The codes of a residual quantisation. */
export interface ResidualCodes {
  /** Per item, one code per level. */
  codes: number[][];
  /** Share of the vectors' variance left after each level, 0 to 1. */
  residual: number[];
}

/**
 * Quantises vectors level by level: k-means, then k-means of what the centroid leaves over, and so on. No code holds more than three times
 * its even share of the items.
 *
 * @param vectors [numItems, dim] row by row; not changed.
 * @param levels 1 or more.
 * @param codebookSize codes per level, 1 to numItems.
 * @throws IlrecError when the codebook is larger than the catalogue.
 */
export function residualKMeans(
  vectors: Float32Array,
  dim: number,
  levels: number,
  codebookSize: number,
  random: Random,
): ResidualCodes {
  const numItems = vectors.length / dim;
  if (!Number.isInteger(codebookSize) || codebookSize < 1 || codebookSize > numItems) {
    throw new IlrecError(
      `residualKMeans: codebookSize must be an integer from 1 to the number of items (${numItems}), got ${codebookSize}; use ${defaultCodebookSize(numItems)} or so`,
    );
  }
  const left = vectors.slice();
  const codes: number[][] = Array.from({ length: numItems }, () => []);
  const residual: number[] = [];
  const variance = varianceOf(vectors, dim);
  for (let level = 0; level < levels; level++) {
    const { centroids, assignment } = kMeans(
      left,
      dim,
      codebookSize,
      random,
      Math.ceil((CAPACITY * numItems) / codebookSize),
    );
    let energy = 0;
    for (let item = 0; item < numItems; item++) {
      codes[item].push(assignment[item]);
      for (let j = 0; j < dim; j++) {
        left[item * dim + j] -= centroids[assignment[item] * dim + j];
        energy += left[item * dim + j] ** 2;
      }
    }
    residual.push(variance > 0 ? Math.min(1, energy / variance) : 0);
  }
  return { codes, residual };
}

/** A power of two near 1.5 times the root of the number of items: 32 for 400 items, 256 (the most) for 10,000; never more than the items. */
export function defaultCodebookSize(numItems: number): number {
  return Math.min(256, numItems, 2 ** Math.ceil(Math.log2(1.5 * Math.sqrt(numItems))));
}

/** Sum of squared distances from the mean. */
function varianceOf(vectors: Float32Array, dim: number): number {
  const numItems = vectors.length / dim;
  let sum = 0;
  for (let j = 0; j < dim; j++) {
    let mean = 0;
    for (let item = 0; item < numItems; item++) mean += vectors[item * dim + j] / numItems;
    for (let item = 0; item < numItems; item++) sum += (vectors[item * dim + j] - mean) ** 2;
  }
  return sum;
}
