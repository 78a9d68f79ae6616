import type { Random } from '../random';
import { multiply, multiplyTransposed, type SparseMatrix } from './sparse_matrix';
import { symmetricEigen } from './symmetric_eigen';

const OVERSAMPLING = 8;
const POWER_ITERATIONS = 3;
const RANK_TOLERANCE = 1e-10; // eigenvalues below this share of the largest count as zero

/** The leading directions of a matrix, each scaled by the root of its singular value or eigenvalue. */
export interface Embedding {
  /** [numRows, rank] row by row. */
  values: Float64Array;
  rank: number;
}

/**
 * U·√S of the randomised truncated SVD A ≈ U·S·Vᵀ (Halko, Martinsson and Tropp 2011; power iterations with
 * orthonormalisation).
 *
 * @param rank wanted columns, limited to the smaller side of A. Columns beyond the rank of A are zero.
 */
export function truncatedSvd(matrix: SparseMatrix, rank: number, random: Random): Embedding {
  const { basis, width } = rangeBasis(matrix, rank, random);
  const projected = multiplyTransposed(matrix, basis, width); // Aᵀ·Q, [numColumns, width]
  const { values, vectors } = symmetricEigen(gram(projected, width), width); // S² and Qᵀ·U
  return scaled(
    rotate(basis, vectors, width),
    values.map((value) => Math.sqrt(Math.max(value, 0))),
    width,
    Math.min(rank, width),
  );
}

/**
 * U·√Λ of the largest positive eigenvalues of a symmetric matrix A ≈ U·Λ·Uᵀ, also randomised.
 *
 * Dot products of the rows approximate the entries of A. Negative eigenvalues count as zero, because dot products
 * cannot represent them: with them, two items that occur only with each other would be orthogonal.
 */
export function truncatedEigen(matrix: SparseMatrix, rank: number, random: Random): Embedding {
  const { basis, width } = rangeBasis(matrix, Math.ceil(1.5 * rank), random); // some eigenvalues are negative
  const { values, vectors } = symmetricEigen(product(basis, multiply(matrix, basis, width), width), width); // Qᵀ·A·Q
  return scaled(rotate(basis, vectors, width), values, width, Math.min(rank, width));
}

/** Orthonormal columns Q whose span nearly contains the columns of A, [numRows, width]. */
function rangeBasis(matrix: SparseMatrix, rank: number, random: Random): { basis: Float64Array; width: number } {
  const { numRows, numColumns } = matrix;
  const width = Math.min(rank + OVERSAMPLING, numRows, numColumns);
  const omega = Float64Array.from({ length: numColumns * width }, () => random.normal());
  let basis = orthonormal(multiply(matrix, omega, width), width); // [numRows, width]
  for (let i = 0; i < POWER_ITERATIONS; i++) {
    const right = orthonormal(multiplyTransposed(matrix, basis, width), width); // [numColumns, width]
    basis = orthonormal(multiply(matrix, right, width), width);
  }
  return { basis, width };
}

/**
 * The first `rank` columns of `directions` [rows, width], each times the root of its value. A column is zero if its
 * value is not clearly positive.
 */
function scaled(directions: Float64Array, values: Float64Array, width: number, rank: number): Embedding {
  const numRows = width === 0 ? 0 : directions.length / width;
  const out = new Float64Array(numRows * rank);
  for (let j = 0; j < rank; j++) {
    const scale = values[j] > RANK_TOLERANCE * values[0] ? Math.sqrt(values[j]) : 0;
    for (let row = 0; row < numRows; row++) out[row * rank + j] = directions[row * width + j] * scale;
  }
  return { values: out, rank };
}

/** Orthonormal columns with the span of those of x; missing directions become zero columns. @param x [rows, width] */
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
  return product(x, x, width);
}

/** xᵀ·y, [width, width], which must be symmetric. @param x [rows, width] @param y [rows, width] */
function product(x: Float64Array, y: Float64Array, width: number): Float64Array {
  const out = new Float64Array(width * width);
  for (let row = 0; row < x.length; row += width) {
    for (let i = 0; i < width; i++) {
      const value = x[row + i];
      if (value !== 0) for (let j = 0; j <= i; j++) out[i * width + j] += value * y[row + j];
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
