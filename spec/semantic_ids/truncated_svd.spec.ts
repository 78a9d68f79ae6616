import { expect } from 'chai';
import { createRandom } from '../../src/random';
import {
  multiply,
  multiplyTransposed,
  SparseMatrixBuilder,
  type SparseMatrix,
} from '../../src/semantic_ids/sparse_matrix';
import { truncatedEigen, truncatedSvd, type Embedding } from '../../src/semantic_ids/truncated_svd';

const sparse = (rows: number[][]): SparseMatrix => {
  const builder = new SparseMatrixBuilder(rows[0].length);
  for (const row of rows) {
    row.forEach((value, column) => {
      if (value !== 0) builder.add(column, value);
    });
    builder.endRow();
  }
  return builder.build();
};

describe('sparse products', () => {
  it('multiply from both sides', () => {
    const a = sparse([
      [0, 2, 0],
      [3, 0, -1],
    ]);
    expect([...multiply(a, Float64Array.of(1, 10, 2, 20, 3, 30), 2)]).to.deep.equal([4, 40, 0, 0]); // 2·2, 3·1 - 1·3
    expect([...multiplyTransposed(a, Float64Array.of(1, 10, 2, 20), 2)]).to.deep.equal([6, 60, 2, 20, -2, -20]);
  });
});

/** The dot products of all rows, [rows, rows]. */
const grams = ({ values, rank }: Embedding): number[][] => {
  const rows = Array.from({ length: values.length / rank }, (_, i) => [...values.subarray(i * rank, (i + 1) * rank)]);
  return rows.map((a) => rows.map((b) => a.reduce((sum, x, j) => sum + x * b[j], 0)));
};

describe('truncatedSvd', () => {
  it('gives U·√S of a diagonal matrix, largest first', () => {
    const { values, rank } = truncatedSvd(
      sparse([
        [0, 3, 0, 0],
        [5, 0, 0, 0],
        [0, 0, 0, 0],
      ]),
      2,
      createRandom(0),
    );
    expect(rank).to.equal(2);
    expect([...values].map((x) => Math.abs(x).toFixed(6))).to.deep.equal([
      '0.000000',
      Math.sqrt(3).toFixed(6),
      Math.sqrt(5).toFixed(6),
      '0.000000',
      '0.000000',
      '0.000000',
    ]);
  });
  it('gives rows whose dot products squared as a matrix are A·Aᵀ, for a matrix of the wanted rank', () => {
    const random = createRandom(2);
    const [rows, columns, inner] = [23, 17, 3];
    const p = Array.from({ length: rows }, () => Array.from({ length: inner }, () => random.normal()));
    const q = Array.from({ length: inner }, () => Array.from({ length: columns }, () => random.normal()));
    const a = p.map((row) =>
      Array.from({ length: columns }, (_, j) => row.reduce((sum, x, k) => sum + x * q[k][j], 0)),
    );
    const root = grams(truncatedSvd(sparse(a), 5, random)); // U·S·Uᵀ
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < rows; j++) {
        expect(root[i].reduce((sum, x, k) => sum + x * root[k][j], 0)).to.be.closeTo(
          a[i].reduce((sum, x, k) => sum + x * a[j][k], 0),
          1e-6,
        );
      }
  });
  it('takes an empty matrix and one of a single entry', () => {
    expect([
      ...truncatedSvd(
        sparse([
          [0, 0],
          [0, 0],
        ]),
        2,
        createRandom(0),
      ).values,
    ]).to.deep.equal([0, 0, 0, 0]);
    expect(Math.abs(truncatedSvd(sparse([[4]]), 64, createRandom(0)).values[0])).to.be.closeTo(2, 1e-12);
  });
});

describe('truncatedEigen', () => {
  it('keeps the positive part of the spectrum', () => {
    // [[0, 1], [1, 0]]: 1 along (1, 1) and -1 along (1, -1); the positive part alone is [[.5, .5], [.5, .5]]
    for (const row of grams(
      truncatedEigen(
        sparse([
          [0, 1],
          [1, 0],
        ]),
        2,
        createRandom(0),
      ),
    ))
      for (const x of row) expect(x).to.be.closeTo(0.5, 1e-9);
  });
  it('gives back a positive semi-definite matrix', () => {
    const rows = [
      [2, 1, 0],
      [1, 3, 1],
      [0, 1, 2],
    ];
    grams(truncatedEigen(sparse(rows), 3, createRandom(0))).forEach((row, i) =>
      row.forEach((x, j) => expect(x).to.be.closeTo(rows[i][j], 1e-9)),
    );
  });
});
