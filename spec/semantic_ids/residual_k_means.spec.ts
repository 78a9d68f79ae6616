import { expect } from 'chai';
import { createRandom } from '../../src/random';
import { kMeans } from '../../src/semantic_ids/k_means';
import { defaultCodebookSize, residualKMeans } from '../../src/semantic_ids/residual_k_means';

const gaussian = (numPoints: number, dim: number, seed: number): Float32Array => {
  const random = createRandom(seed);
  return Float32Array.from({ length: numPoints * dim }, () => random.normal());
};

describe('kMeans', () => {
  it('finds clusters that lie apart, and their means', () => {
    const points = Float32Array.of(0, 0, 0, 2, 100, 0, 100, 2, 0, 100, 0, 102);
    const { centroids, assignment } = kMeans(points, 2, 3, createRandom(0));
    expect(assignment[0]).to.equal(assignment[1]);
    expect(new Set(assignment).size).to.equal(3);
    expect([...centroids.slice(assignment[0] * 2, assignment[0] * 2 + 2)]).to.deep.equal([0, 1]);
  });
  it('assigns each point to its nearest centroid and uses every cluster', () => {
    const [numPoints, dim, k] = [211, 5, 23];
    const points = gaussian(numPoints, dim, 3);
    const { assignment } = kMeans(points, dim, k, createRandom(4));
    expect(new Set(assignment).size).to.equal(k);
    // The means of the final clusters are the centroids of the next step: almost every point is nearest to its own.
    const means = Array.from({ length: k }, (_, c) => {
      const members = Array.from(assignment.keys()).filter((i) => assignment[i] === c);
      return Array.from(
        { length: dim },
        (_, j) => members.reduce((sum, i) => sum + points[i * dim + j], 0) / members.length,
      );
    });
    const distance = (i: number, c: number): number =>
      means[c].reduce((sum, x, j) => sum + (points[i * dim + j] - x) ** 2, 0);
    const settled = Array.from(assignment.keys()).filter((i) =>
      means.every((_, c) => distance(i, assignment[i]) <= distance(i, c) + 1e-9),
    ).length;
    expect(settled).to.be.at.least(0.98 * numPoints);
  });
  it('leaves clusters empty only where there are fewer different points', () => {
    const points = Float32Array.of(1, 1, 1, 1, 5, 5, 9);
    expect(new Set(kMeans(points, 1, 7, createRandom(0)).assignment).size).to.equal(3);
    expect([...kMeans(Float32Array.of(4, 4), 2, 1, createRandom(0)).assignment]).to.deep.equal([0]);
  });
  it('keeps clusters within their capacity, the nearest points first', () => {
    const [numPoints, dim, k] = [211, 5, 23];
    const { assignment } = kMeans(gaussian(numPoints, dim, 3), dim, k, createRandom(4), 12);
    const sizes = Array.from({ length: k }, (_, c) => assignment.filter((cluster) => cluster === c).length);
    expect(Math.max(...sizes)).to.be.at.most(12);
    expect(
      [...kMeans(Float32Array.of(0, 0, 0, 9), 1, 2, createRandom(0), 2).assignment].filter((cluster) => cluster === 0),
    ).to.have.length(2);
  });
  it('is the same for the same seed', () => {
    const points = gaussian(101, 3, 1);
    expect(kMeans(points, 3, 11, createRandom(5))).to.deep.equal(kMeans(points, 3, 11, createRandom(5)));
  });
});

describe('residualKMeans', () => {
  it('leaves less over at each level', () => {
    const { codes, residual } = residualKMeans(gaussian(307, 7, 0), 7, 4, 13, createRandom(0));
    expect(codes.every((code) => code.length === 4 && code.every((c) => c >= 0 && c < 13))).to.equal(true);
    for (let level = 1; level < 4; level++) expect(residual[level]).to.be.lessThan(residual[level - 1]);
    expect(residual[0]).to.be.within(0, 1);
  });
  it('gives a sum of two codebooks back exactly', () => {
    // coarse -100, 0, 100 plus fine -1, 1: two levels of 3 codes leave nothing over
    const vectors = Float32Array.from([-100, 0, 100].flatMap((coarse) => [coarse - 1, coarse + 1]));
    expect(residualKMeans(vectors, 1, 2, 3, createRandom(1)).residual[1]).to.be.closeTo(0, 1e-12);
  });
  it('takes equal vectors and a single item', () => {
    expect(residualKMeans(new Float32Array(6).fill(2), 2, 2, 3, createRandom(0))).to.deep.equal({
      codes: [
        [0, 0],
        [0, 0],
        [0, 0],
      ],
      residual: [0, 0],
    });
    expect(residualKMeans(Float32Array.of(3), 1, 1, 1, createRandom(0)).codes).to.deep.equal([[0]]);
  });
  it('refuses a codebook larger than the catalogue', () => {
    expect(() => residualKMeans(new Float32Array(40), 1, 3, 256, createRandom(0))).to.throw(
      'makeSemanticIds: codebookSize must be an integer from 1 to the number of items (40), got 256; 16 is the default',
    );
  });
  it('has a default for every size', () => {
    expect([1, 2, 40, 400, 3_686, 9_922, 1e6].map(defaultCodebookSize)).to.deep.equal([1, 2, 16, 32, 128, 256, 256]);
  });
});
