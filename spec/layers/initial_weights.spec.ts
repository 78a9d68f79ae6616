import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { LMHead, TokenEmbedding } from '../../src/layers';
import '../support/backends';

describe('initial weights', () => {
  before(() => tf.setBackend('cpu'));

  const layers: Readonly<Record<string, (seed?: number) => { layer: tfl.layers.Layer; shape: number[] }>> = {
    TokenEmbedding: (seed) => ({ layer: new TokenEmbedding({ vocabSize: 7, hiddenSize: 5, seed }), shape: [2, 3] }),
    LMHead: (seed) => ({ layer: new LMHead({ vocabSize: 7, seed }), shape: [2, 3, 5] }),
  };
  for (const [name, create] of Object.entries(layers)) {
    it(`of ${name} are the same each time with the default seed 0, which tfjs takes for none`, () => {
      const weightsOf = (seed?: number): number[] => {
        const { layer, shape } = create(seed);
        layer.apply(tf.zeros(shape, name === 'TokenEmbedding' ? 'int32' : 'float32'));
        const [weight] = layer.getWeights();
        const values = [...weight.dataSync()];
        layer.dispose();
        return values;
      };
      expect(weightsOf()).to.deep.equal(weightsOf());
      expect(weightsOf(0)).to.deep.equal(weightsOf());
      expect(weightsOf(1)).to.not.deep.equal(weightsOf());
    });
  }
});
