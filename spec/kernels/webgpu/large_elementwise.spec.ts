import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { lowerBindingLimit } from '../../../src/kernels/webgpu/binding_limit';
import { logitsOfTokens } from '../../../src/vocabulary/device_head';
import { AdamW } from '../../../src/optimizers/adamw';
import { onWebGpu } from '../../support/backends';
import { normals } from '../../support/random';
import { maxDifference } from '../../support/reference';
import { stockPrograms } from './stock_programs';

const SHAPE: [number, number] = [7, 331]; // 9,268 bytes
const [A, B] = [normals(7 * 331, 1), normals(7 * 331, 2).map((value) => Math.abs(value) + 0.5)];

/** On the cpu backend and on webgpu as on a device whose bindings hold 1,024 bytes. */
async function onBoth(compute: (a: tf.Tensor2D, b: tf.Tensor2D) => tf.Tensor): Promise<Float32Array[]> {
  const results: Float32Array[] = [];
  for (const backend of ['cpu', 'webgpu']) {
    await tf.setBackend(backend);
    lowerBindingLimit(1024);
    try {
      const y = tf.tidy(() => compute(tf.tensor2d(A, SHAPE), tf.tensor2d(B, SHAPE)));
      results.push(await y.data<'float32'>());
      y.dispose();
    } finally {
      lowerBindingLimit(Infinity);
    }
  }
  return results;
}

async function expectSame(compute: (a: tf.Tensor2D, b: tf.Tensor2D) => tf.Tensor): Promise<void> {
  const [wanted, got] = await onBoth(compute);
  expect(got.length).to.equal(wanted.length);
  expect(maxDifference(got, wanted)).to.be.below(2e-5);
}

describe('webgpuLargeElementwise', () => {
  onWebGpu(() => {
    it('gives the shape of the broadcast, and refuses one whose result alone is above the limit', async () => {
      await tf.setBackend('webgpu');
      lowerBindingLimit(1024);
      try {
        expect(tf.mul(tf.ones([331]), tf.ones([1, 1])).shape).to.deep.equal([1, 331]);
        expect(() => tf.add(tf.ones([70, 1]), tf.ones([1, 10]))).to.throw(
          'add: tensors above 1024 bytes must be float32 and of one shape, or one number, on this adapter, got [70, 1] and [1, 10]; use smaller batches, or another backend',
        );
      } finally {
        lowerBindingLimit(Infinity);
      }
    });

    it('computes tensors above the limit of a binding in parts', async () => {
      for (const op of [tf.add, tf.sub, tf.mul, tf.div]) {
        await expectSame((a, b) => op(a, b));
        await expectSame((a, b) => tf.add(op(a, 3), op(tf.scalar(0.7), b)));
      }
      await expectSame((a, b) => tf.addN([tf.square(a), tf.sqrt(b), tf.neg(a), b]));
      await expectSame((a) =>
        tf.stack([tf.zerosLike(a), tf.onesLike(a), tf.fill(SHAPE, 2.5)].map((each) => tf.div(tf.sum(each), 331))),
      );
      await expectSame((a) => tf.div(tf.sum(a), 100));
    });

    it('says what it takes of such tensors', async () => {
      lowerBindingLimit(1024);
      const [a, row] = [tf.tensor2d(A, SHAPE), tf.ones([331])];
      try {
        expect(() => tf.add(a, row)).to.throw(
          'add: tensors above 1024 bytes must be float32 and of one shape, or one number, on this adapter, got [7, 331] and [331]; use smaller batches, or another backend',
        );
      } finally {
        lowerBindingLimit(Infinity);
        tf.dispose([a, row]);
      }
    });

    it('makes a step of AdamW with clipping, and of Adam', async () => {
      for (const create of [
        () => new AdamW({ learningRate: 0.1, weightDecay: 0.1, clipNorm: 1 }),
        () => tf.train.adam(0.1),
        () => tf.train.sgd(0.1),
      ]) {
        await expectSame((a, b) => {
          const [weight, optimizer] = [tf.variable(a), create()];
          for (let i = 0; i < 2; i++) optimizer.applyGradients([{ name: weight.name, tensor: b }]);
          const after = tf.clone(weight as tf.Tensor);
          weight.dispose();
          optimizer.dispose();
          return after;
        });
      }
    });

    it('works on a tensor of 135 MB where a binding holds 128 MiB, of which tfjs makes zeros', async () => {
      const [V, D, limit] = [132_000, 256, 2 ** 27];
      lowerBindingLimit(limit); // many adapters bind more
      try {
        let results: tf.Tensor[] = [];
        const programs = await stockPrograms(() => {
          results = tf.tidy(() => {
            const weight = tf.add(tf.fill([V, D], 0.5), 0.25) as tf.Tensor2D;
            const tokens = tf.tensor2d([0, 70_000, V - 1], [1, 3], 'int32');
            return [logitsOfTokens({ weight, layout: 'rows', bias: null }, tf.ones([1, D]), tokens), tf.sum(weight)];
          });
        });
        expect(programs.filter(({ largest }) => 4 * largest > limit)).to.deep.equal([]);
        const [logits, sum] = await Promise.all(results.map(async (each) => [...(await each.data())]));
        expect(logits).to.deep.equal([192, 192, 192]);
        expect(sum[0]).to.be.closeTo(0.75 * V * D, 100);
        tf.dispose(results);
      } finally {
        lowerBindingLimit(Infinity);
      }
    });
  });
});
