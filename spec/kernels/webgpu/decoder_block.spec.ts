import * as tf from '@tensorflow/tfjs-core';
import { DecoderBlock } from '../../../src/layers/decoder_block';
import { onWebGpu } from '../../support/backends';
import { floats } from '../against_cpu';
import { expectSameOnBoth } from './on_both';

describe('a decoder block', () => {
  onWebGpu(() => {
    it('of our kernels has the value and the gradients of all weights that cpu gives it', async () => {
      const [B, T, D] = [3, 13, 24];
      await expectSameOnBoth(() => {
        const block = new DecoderBlock({
          numAttentionHeads: 6,
          numKeyValueHeads: 2,
          intermediateSize: 19,
          qkNorm: true,
          initializerRange: 0.3,
        });
        const [x, dy] = [floats([B, T, D], 1), floats([B, T, D], 2)];
        block.build(x.shape);
        const mask = tf.tensor2d([
          [1, ...new Array<number>(T - 1).fill(1)],
          [0, 0, ...new Array<number>(T - 2).fill(1)],
          [...new Array<number>(T - 3).fill(1), 0, 0, 0],
        ]);
        const loss = (): tf.Scalar => tf.sum(tf.mul(block.call(x, { training: true, mask }), dy));
        const { value, grads } = tf.variableGrads(loss);
        const results = [
          value,
          ...Object.keys(grads)
            .sort()
            .map((name) => grads[name]),
        ];
        block.weights.forEach((weight) => weight.dispose());
        return results;
      }, 1e-3);
    });
  });
});
