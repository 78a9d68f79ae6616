import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { relativePositionBucket, type RelativePositionOptions } from '../../src/ops/relative_position_bucket';
import { repository } from '../support/installed_package';

interface Golden {
  readonly cases: readonly (RelativePositionOptions & { readonly buckets: readonly number[] })[];
}

describe('relativePositionBucket', () => {
  const bucketsOf = (positions: readonly number[], options: RelativePositionOptions): number[] =>
    positions.map((position) => relativePositionBucket(position, options));

  it('gives near keys a bucket each and others a logarithmic one, on either side', () => {
    // 4 buckets a side, 2 of them exact; distances 2 to 5 are below 2 * sqrt(16 / 2) = 5.7 and share bucket 2
    const options = { bidirectional: true, numBuckets: 8, maxDistance: 16 };
    expect(bucketsOf([0, -1, -2, -5, -6, -16, -99], options)).to.deep.equal([0, 1, 2, 2, 3, 3, 3]);
    expect(bucketsOf([1, 2, 5, 6, 99], options)).to.deep.equal([5, 6, 6, 7, 7]);
  });

  it('has all buckets behind the query, and puts later keys into the first, where it only looks back', () => {
    const options = { bidirectional: false, numBuckets: 4, maxDistance: 8 };
    expect(bucketsOf([3, 0, -1, -2, -3, -4, -8], options)).to.deep.equal([0, 0, 1, 2, 2, 3, 3]);
  });

  it("has transformers' buckets (spec/golden/make_t5.py)", () => {
    const path = join(repository, 'spec', 'golden', 't5', 'buckets.json');
    const { cases } = JSON.parse(readFileSync(path, 'utf8')) as Golden;
    expect(cases).to.have.length(8);
    const positions = Array.from({ length: 401 }, (_, i) => i - 200);
    for (const { buckets, ...options } of cases) expect(bucketsOf(positions, options)).to.deep.equal(buckets);
  });
});
