import { expect } from 'chai';
import { createRandom } from '../../src/random';
import { symmetricEigen } from '../../src/semantic_ids/symmetric_eigen';

describe('symmetricEigen', () => {
  it('finds the eigenvalues of a 2 by 2 matrix', () => {
    // [[2, 1], [1, 2]]: 3 along (1, 1), 1 along (1, -1)
    const { values, vectors } = symmetricEigen(Float64Array.of(2, 1, 1, 2), 2);
    expect([...values].map((x) => x.toFixed(12))).to.deep.equal(['3.000000000000', '1.000000000000']);
    expect(vectors[0] / vectors[2]).to.be.closeTo(1, 1e-12);
    expect(vectors[1] / vectors[3]).to.be.closeTo(-1, 1e-12);
  });
  it('gives A·v = value·v with orthonormal v, values descending', () => {
    const n = 13;
    const random = createRandom(1);
    const a = new Float64Array(n * n);
    for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = random.normal();
    const { values, vectors } = symmetricEigen(a, n);
    for (let j = 0; j < n; j++) {
      if (j > 0) expect(values[j]).to.be.at.most(values[j - 1]);
      for (let i = 0; i < n; i++) {
        let product = 0;
        let dot = 0;
        for (let m = 0; m < n; m++) {
          product += a[i * n + m] * vectors[m * n + j];
          dot += vectors[m * n + i] * vectors[m * n + j];
        }
        expect(product).to.be.closeTo(values[j] * vectors[i * n + j], 1e-9);
        expect(dot).to.be.closeTo(i === j ? 1 : 0, 1e-9);
      }
    }
  });
  it('takes a matrix of zeros and one of size zero', () => {
    expect([...symmetricEigen(new Float64Array(9), 3).values]).to.deep.equal([0, 0, 0]);
    expect(symmetricEigen(new Float64Array(0), 0).values).to.have.length(0);
  });
});
