/**
 * A matrix of compressed rows. Row r has `values[rowStart[r]..rowStart[r + 1])`; `columns` has the column of each
 * value.
 */
export interface SparseMatrix {
  numRows: number;
  numColumns: number;
  /** [numRows + 1] */
  rowStart: Int32Array;
  columns: Int32Array;
  values: Float64Array;
}

/** Builds a `SparseMatrix` row by row. */
export class SparseMatrixBuilder {
  private readonly columns: number[] = [];
  private readonly values: number[] = [];
  private readonly rowStart: number[] = [0];

  constructor(private readonly numColumns: number) {}

  /** Adds an entry to the current row. */
  add(column: number, value: number): void {
    this.columns.push(column);
    this.values.push(value);
  }

  /** Ends the current row. */
  endRow(): void {
    this.rowStart.push(this.columns.length);
  }

  build(): SparseMatrix {
    return {
      numRows: this.rowStart.length - 1,
      numColumns: this.numColumns,
      rowStart: Int32Array.from(this.rowStart),
      columns: Int32Array.from(this.columns),
      values: Float64Array.from(this.values),
    };
  }
}

/** A·X. @param x [numColumns, width] row by row. @returns [numRows, width] */
export function multiply(
  { numRows, rowStart, columns, values }: SparseMatrix,
  x: Float64Array,
  width: number,
): Float64Array {
  const out = new Float64Array(numRows * width);
  for (let row = 0; row < numRows; row++) {
    for (let e = rowStart[row]; e < rowStart[row + 1]; e++) {
      const value = values[e];
      const from = columns[e] * width;
      for (let j = 0, to = row * width; j < width; j++, to++) out[to] += value * x[from + j];
    }
  }
  return out;
}

/** Aᵀ·X. @param x [numRows, width] row by row. @returns [numColumns, width] */
export function multiplyTransposed(
  { numRows, numColumns, rowStart, columns, values }: SparseMatrix,
  x: Float64Array,
  width: number,
): Float64Array {
  const out = new Float64Array(numColumns * width);
  for (let row = 0; row < numRows; row++) {
    for (let e = rowStart[row]; e < rowStart[row + 1]; e++) {
      const value = values[e];
      const to = columns[e] * width;
      for (let j = 0, from = row * width; j < width; j++, from++) out[to + j] += value * x[from];
    }
  }
  return out;
}
