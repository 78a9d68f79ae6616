import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { createRandom, restoreRandom } from '../src/random';
import { forEachBackend } from './support/backends';

describe('createRandom', () => {
  it('gives the same numbers for the same seed and others for another', () => {
    const draw = (seed: number): number[] => {
      const r = createRandom(seed);
      return [r.next(), r.int(1000), r.normal()];
    };
    expect(draw(3)).to.deep.equal(draw(3));
    expect(draw(3)).to.not.deep.equal(draw(4));
  });
  it('continues from a saved state', () => {
    const random = createRandom(5);
    random.next();
    const copy = restoreRandom(random.state());
    expect(copy.next()).to.equal(random.next());
  });
  it('shuffles into a permutation', () => {
    const shuffled = createRandom(1).shuffle([0, 1, 2, 3, 4, 5, 6]);
    expect([...shuffled].sort()).to.deep.equal([0, 1, 2, 3, 4, 5, 6]);
    expect(shuffled).to.not.deep.equal([0, 1, 2, 3, 4, 5, 6]);
  });
  forEachBackend((backend) => {
    it('runs on the backend asked for', () => expect(tf.getBackend()).to.equal(backend));
  });
});
