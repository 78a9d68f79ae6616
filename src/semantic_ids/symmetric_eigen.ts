const MAX_SWEEPS = 30;
const TOLERANCE = 1e-22; // off-diagonal energy relative to the whole

/**
 * Eigenvalues and eigenvectors of a symmetric matrix by cyclic Jacobi rotations.
 *
 * @param matrix [n, n] row by row; not changed.
 * @returns eigenvalues in descending order, and vectors [n, n], whose column j belongs to value j.
 */
export function symmetricEigen(matrix: Float64Array, n: number): { values: Float64Array; vectors: Float64Array } {
  const a = matrix.slice();
  const v = new Float64Array(n * n); // row j is the j-th eigenvector until the end
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  const energy = a.reduce((sum, x) => sum + x * x, 0);
  for (let sweep = 0; sweep < MAX_SWEEPS && offDiagonal(a, n) > TOLERANCE * energy; sweep++) {
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, v, n, p, q);
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => a[j * n + j] - a[i * n + i]);
  const values = new Float64Array(n);
  const vectors = new Float64Array(n * n);
  order.forEach((from, to) => {
    values[to] = a[from * n + from];
    for (let i = 0; i < n; i++) vectors[i * n + to] = v[from * n + i];
  });
  return { values, vectors };
}

/** Rotates the plane (p, q) so that a[p, q] becomes zero. */
function rotate(a: Float64Array, v: Float64Array, n: number, p: number, q: number): void {
  const apq = a[p * n + q];
  if (apq === 0) return;
  const theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  for (let i = 0; i < n; i++) {
    // columns p and q
    const ip = a[i * n + p];
    const iq = a[i * n + q];
    a[i * n + p] = c * ip - s * iq;
    a[i * n + q] = s * ip + c * iq;
  }
  for (const m of [a, v]) {
    // rows p and q
    for (let i = 0; i < n; i++) {
      const pi = m[p * n + i];
      const qi = m[q * n + i];
      m[p * n + i] = c * pi - s * qi;
      m[q * n + i] = s * pi + c * qi;
    }
  }
}

function offDiagonal(a: Float64Array, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) if (i !== j) sum += a[i * n + j] * a[i * n + j];
  return sum;
}
