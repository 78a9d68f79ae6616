import { IlrecError } from '../errors';
import type { Random } from '../random';
import { kMeans } from './k_means';

const CAPACITY = 3; // a code has at most this many times its even share of the items

/** The codes of a residual quantisation. */
export interface ResidualCodes {
  /** Per item, one code per level. */
  codes: number[][];
  /** Share of the vectors' variance that remains after each level, 0 to 1. */
  residual: number[];
}

/**
 * Quantises vectors level by level: k-means of the vectors, then k-means of their differences from the centroids, and
 * so on. No code has more than three times its even share of the items.
 *
 * @param vectors [N, dim] row by row; not changed.
 * @param levels 1 or more.
 * @param codebookSize codes per level, 1 to N.
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
      `makeSemanticIds: codebookSize must be an integer from 1 to the number of items (${numItems}), got ` +
        `${codebookSize}; ${defaultCodebookSize(numItems)} is the default`,
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

/**
 * A power of two near 1.5 times the root of the number of items, at most 256 and at most that number: 32 for 400 items,
 * 256 for 10,000.
 */
export function defaultCodebookSize(numItems: number): number {
  return Math.min(256, numItems, 2 ** Math.ceil(Math.log2(1.5 * Math.sqrt(numItems))));
}

/** Sum of the squared distances from the mean. */
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
