/** Rows and columns of a block; source and target of a block fit together into the first-level cache. */
const BLOCK = 32;

/**
 * Writes rows `first`, `first + 1`, ... of a matrix [rows, width] into its transpose [width, rows]. Works in blocks,
 * because long strides miss every cache.
 *
 * @param part the rows, one after another.
 * @param transposed gets them as columns.
 */
export function transposeRows(
  part: Float32Array,
  width: number,
  transposed: Float32Array,
  rows: number,
  first = 0,
): void {
  const count = width === 0 ? 0 : part.length / width;
  for (let rowBlock = 0; rowBlock < count; rowBlock += BLOCK) {
    const rowEnd = Math.min(count, rowBlock + BLOCK);
    for (let columnBlock = 0; columnBlock < width; columnBlock += BLOCK) {
      const columnEnd = Math.min(width, columnBlock + BLOCK);
      for (let column = columnBlock; column < columnEnd; column++) {
        for (let row = rowBlock; row < rowEnd; row++)
          transposed[column * rows + first + row] = part[row * width + column];
      }
    }
  }
}
