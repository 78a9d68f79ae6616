import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { PaddingMask } from '../../src/layers/padding_mask';
import { T5Block, type T5BlockArgs } from '../../src/layers/t5_block';
import { T5PositionBias } from '../../src/layers/t5_position_bias';
import { MASKED_SCORE } from '../../src/ops/attention';
import { forEachDevice } from '../support/backends';
import { normals } from '../support/random';
import { centralDifferences, maxDifference, type Rows, toRows } from '../support/reference';
import { positionBiasOf, t5BlockOf } from '../support/t5_reference';

const [D, H, F, I, T, S, BUCKETS, DISTANCE] = [11, 2, 5, 13, 7, 3, 8, 6];
const sizes: T5BlockArgs = { numAttentionHeads: H, headDim: F, intermediateSize: I, rmsNormEps: 0.01, seed: 3 };
const blocks: Readonly<Record<string, { args: T5BlockArgs; isDecoder: boolean }>> = {
  'of an encoder, T5 1.0': { args: sizes, isDecoder: false },
  'of a decoder, T5 1.1': {
    args: { ...sizes, crossAttention: true, hiddenAct: 'gelu_new', gatedMlp: true },
    isDecoder: true,
  },
};
const position = { numAttentionHeads: H, numBuckets: BUCKETS, maxDistance: DISTANCE, initializerRange: 1, seed: 5 };

const states = normals(T * D, 1);
const encoded = normals(S * D, 2);
const upstream = normals(T * D, 4);

/** Block and bias of one row of a batch; the row is [T, D], the encoder's output [S, D]. */
function wire(isDecoder: boolean, args: T5BlockArgs): { block: T5Block; bias: T5PositionBias; call: Call } {
  const block = new T5Block(args);
  const bias = new T5PositionBias({ ...position, bidirectional: !isDecoder });
  const call: Call = (x, read, kwargs = {}) => {
    const ids = tf.ones([1, T], 'int32');
    const masks = isDecoder ? ids : [ids, tf.zeros([1, 1, 1, T])];
    const added = bias.apply(masks) as tf.Tensor; // [1, H, T, T]
    const inputs = isDecoder ? [x, added, read, tf.zeros([1, 1, 1, S])] : [x, added];
    return block.apply(inputs, kwargs) as tf.Tensor3D;
  };
  return { block, bias, call };
}
type Call = (x: tf.Tensor, read: tf.Tensor, kwargs?: { training?: boolean }) => tf.Tensor3D;

const tensors = (): [tf.Tensor3D, tf.Tensor3D] => [tf.tensor3d(states, [1, T, D]), tf.tensor3d(encoded, [1, S, D])];

/** Norms that are not all ones, so that a swapped one is noticed. */
function moveNorms({ weights }: tfl.layers.Layer): void {
  weights.forEach((weight, at) => {
    const { size, shape } = weight.read();
    if (shape.length === 1) weight.write(tf.add(1, tf.tensor(normals(size, 30 + at, 0.3), shape)));
  });
}

async function weightsOf(layer: tfl.layers.Layer): Promise<Record<string, Rows>> {
  const read = layer.weights.map(async (weight) => {
    const name = weight.originalName.split('/').at(-1) as string;
    return [name, toRows(await weight.read().data(), weight.shape.at(-1) as number)] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}

describe('T5Block', () => {
  before(() => tf.setBackend('cpu'));

  forEachDevice(() => {
    for (const [name, { args, isDecoder }] of Object.entries(blocks)) {
      it(`${name} has the values and the gradients of the reference in float64`, async () => {
        const { block, bias, call } = wire(isDecoder, args);
        tf.tidy(() => void call(...tensors())); // builds them
        tf.tidy(() => moveNorms(block));
        const [weights, { weight: table }] = [await weightsOf(block), await weightsOf(bias)];
        const reference = (x: ArrayLike<number>, y: ArrayLike<number>, rows: ArrayLike<number>): number[] => {
          const added = positionBiasOf(toRows(rows, H), T, { bidirectional: !isDecoder, maxDistance: DISTANCE });
          const read = isDecoder ? toRows(y, D) : null;
          return t5BlockOf({ weights, heads: H, eps: 0.01 }, toRows(x, D), added, read).flat();
        };
        const loss = (...given: Parameters<typeof reference>): number =>
          reference(...given).reduce((sum, value, i) => sum + value * upstream[i], 0);

        const output = tf.tidy(() => call(...tensors()));
        expect(maxDifference(await output.data(), reference(states, encoded, table.flat()))).to.be.below(2e-5);
        output.dispose();

        const tableWeight = bias.weights[0].read() as tf.Variable;
        const { value, grads } = tf.tidy(() => {
          const weighted = tf.tensor3d(upstream, [1, T, D]);
          const [x, read] = tensors().map((tensor) => tf.variable(tensor));
          const found = tf.variableGrads(
            () => tf.sum(tf.mul(call(x, read), weighted)) as tf.Scalar,
            [x, ...(isDecoder ? [read] : []), tableWeight],
          );
          const byName = { x: found.grads[x.name], read: found.grads[read.name], table: found.grads[tableWeight.name] };
          tf.dispose([x, read]);
          return { value: found.value, grads: byName };
        });
        value.dispose();
        const close = async (gradient: tf.Tensor, expected: ArrayLike<number>): Promise<void> => {
          expect(maxDifference(await gradient.data(), expected)).to.be.below(1e-4);
        };
        const rows = table.flat();
        await close(
          grads.x,
          centralDifferences((x) => loss(x, encoded, rows), states),
        );
        await close(
          grads.table,
          centralDifferences((moved) => loss(states, encoded, moved), rows),
        );
        if (isDecoder)
          await close(
            grads.read,
            centralDifferences((read) => loss(states, read, rows), encoded),
          );
        tf.dispose([grads.x, grads.table, ...(isDecoder ? [grads.read] : [])]);
        block.dispose();
        bias.dispose();
      });
    }

    it('drops in training only, other values at each step, and the same ones again from the same step', async () => {
      const { block, bias, call } = wire(true, { ...sizes, crossAttention: true, dropout: 0.3 });
      const run = async (training: boolean): Promise<ArrayLike<number>> => {
        const output = tf.tidy(() => call(...tensors(), { training }));
        return await output.data().finally(() => output.dispose());
      };
      const plain = await run(false);
      const first = await run(true);
      expect(maxDifference(first, plain)).to.be.above(0.1);
      expect(maxDifference(await run(true), first)).to.be.above(0.1);
      block.dropoutStep = 0;
      expect(maxDifference(await run(true), first)).to.equal(0);
      expect(maxDifference(await run(false), plain)).to.equal(0);
      block.dispose();
      bias.dispose();
    });
  });

  it('is rebuilt from its config, with the same weights', () => {
    tf.tidy(() => {
      for (const { args, isDecoder } of Object.values(blocks)) {
        const { block, bias, call } = wire(isDecoder, { ...args, dropout: 0.2 });
        const expected = call(...tensors()).dataSync();
        const { name: _, ...config } = block.getConfig();
        const again = wire(isDecoder, config as unknown as T5BlockArgs);
        expect([...again.call(...tensors()).dataSync()]).to.deep.equal([...expected]);
        expect(again.block.getConfig()).to.deep.include(config);
        expect(again.bias.getConfig()).to.deep.include({ ...position, bidirectional: !isDecoder });
        for (const layer of [block, bias, again.block, again.bias]) layer.dispose();
      }
    });
  });

  it('starts from weights as large as T5 has them', () => {
    tf.tidy(() => {
      const block = new T5Block({ numAttentionHeads: 8, headDim: 16, intermediateSize: 256 });
      block.apply([tf.zeros([1, 2, 64]), tf.zeros([1, 1, 2, 2])]);
      const deviations = Object.fromEntries(
        block.weights.map((weight) => {
          const { variance } = tf.moments(weight.read());
          return [weight.originalName.split('/').at(-1), Math.sqrt(variance.dataSync()[0])];
        }),
      );
      // (D F)^-1/2, D^-1/2, (H F)^-1/2 and I^-1/2
      const expected = { self_q: 1 / 32, self_k: 1 / 8, self_v: 1 / 8, self_o: 128 ** -0.5, wi: 1 / 8, wo: 1 / 16 };
      for (const [name, deviation] of Object.entries(expected))
        expect(deviations[name] / deviation, name).to.be.closeTo(1, 0.03);
      block.dispose();
    });
  });
});

describe('PaddingMask', () => {
  forEachDevice(() => {
    it('is 0 at tokens and large and negative at padding', async () => {
      const mask = tf.tidy(
        () => new PaddingMask({ padTokenId: 4 }).apply(tf.tensor2d([5, 4, 0, 4], [2, 2], 'int32')) as tf.Tensor,
      );
      expect(mask.shape).to.deep.equal([2, 1, 1, 2]);
      const values = await mask.data();
      expect(maxDifference(values, [0, MASKED_SCORE, 0, MASKED_SCORE])).to.equal(0);
      mask.dispose();
    });
  });
});
