import type { Random } from '../random';
import { multiply, multiplyTransposed, type SparseMatrix } from './sparse_matrix';
import { symmetricEigen } from './symmetric_eigen';

const OVERSAMPLING = 8;
const POWER_ITERATIONS = 3;
const RANK_TOLERANCE = 1e-10; // eigenvalues below this share of the largest count as zero

/**
 * Randomised truncated SVD A ≈ U·S·Vᵀ (Halko, Martinsson and Tropp 2011, power iterations with orthonormalisation).
 *
 * @param rank wanted; at most the smaller side of A counts.
 * @returns `left` U [numRows, rank] row by row (columns of a rank that A does not have are zero) and `singularValues` S [rank], descending.
 */
export function truncatedSvd(matrix: SparseMatrix, rank: number, random: Random): { left: Float64Array; singularValues: Float64Array; rank: number } {
  const { numRows, numColumns } = matrix;
  const kept = Math.min(rank, numRows, numColumns);
  const width = Math.min(kept + OVERSAMPLING, numRows, numColumns);
  const omega = Float64Array.from({ length: numColumns * width }, () => random.normal());
  let basis = orthonormal(multiply(matrix, omega, width), width); // [numRows, width]
  for (let i = 0; i < POWER_ITERATIONS; i++) {
    const right = orthonormal(multiplyTransposed(matrix, basis, width), width); // [numColumns, width]
    basis = orthonormal(multiply(matrix, right, width), width);
  }
  const projected = multiplyTransposed(matrix, basis, width); // Aᵀ·Q, [numColumns, width]
  const { values, vectors } = symmetricEigen(gram(projected, width), width);
  const rotated = rotate(basis, vectors, width); // [numRows, width]
  const left = new Float64Array(numRows * kept);
  for (let row = 0; row < numRows; row++) for (let j = 0; j < kept; j++) left[row * kept + j] = rotated[row * width + j];
  const floor = RANK_TOLERANCE * Math.max(values[0] ?? 0, 0);
  const singularValues = Float64Array.from({ length: kept }, (_, j) => (values[j] > floor ? Math.sqrt(values[j]) : 0));
  return { left, singularValues, rank: kept };
}

/** Columns that span those of x, orthonormal; directions x does not have become zero columns. @param x [rows, width] */
function orthonormal(x: Float64Array, width: number): Float64Array {
  const { values, vectors } = symmetricEigen(gram(x, width), width);
  const floor = RANK_TOLERANCE * Math.max(values[0] ?? 0, 0);
  for (let j = 0; j < width; j++) {
    const scale = values[j] > floor ? 1 / Math.sqrt(values[j]) : 0;
    for (let i = 0; i < width; i++) vectors[i * width + j] *= scale;
  }
  return rotate(x, vectors, width);
}

/** xᵀ·x, [width, width] */
function gram(x: Float64Array, width: number): Float64Array {
  const out = new Float64Array(width * width);
  for (let row = 0; row < x.length; row += width) {
    for (let i = 0; i < width; i++) {
      const value = x[row + i];
      if (value !== 0) for (let j = 0; j <= i; j++) out[i * width + j] += value * x[row + j];
    }
  }
  for (let i = 0; i < width; i++) for (let j = 0; j < i; j++) out[j * width + i] = out[i * width + j];
  return out;
}

/** x·m. @param x [rows, width] @param m [width, width] */
function rotate(x: Float64Array, m: Float64Array, width: number): Float64Array {
  const out = new Float64Array(x.length);
  for (let row = 0; row < x.length; row += width) {
    for (let i = 0; i < width; i++) {
      const value = x[row + i];
      if (value !== 0) for (let j = 0; j < width; j++) out[row + j] += value * m[i * width + j];
    }
  }
  return out;
}
