import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { floats, ints } from '../against_cpu';

interface Result {
  shape: number[];
  dtype: string;
  values: ArrayLike<number>;
}

async function resultsOn(backend: string, compute: () => tf.Tensor[]): Promise<Result[]> {
  await tf.setBackend(backend);
  const before = {
    tensors: tf.memory().numTensors,
    buffers: tf.memory().numDataBuffers,
    ids: tf.backend().numDataIds(),
  };
  const tensors = tf.tidy(compute);
  const results = await Promise.all(
    tensors.map(async (y) => ({ shape: y.shape, dtype: y.dtype, values: await y.data() })),
  );
  tf.dispose(tensors);
  expect(
    { tensors: tf.memory().numTensors, buffers: tf.memory().numDataBuffers, ids: tf.backend().numDataIds() },
    `left on ${backend}`,
  ).to.deep.equal(before);
  return results;
}

/**
 * Computes on webgpu, where our kernels are, and on cpu, where operations are composed; values must agree, to
 * `tolerance` relative to 1 + |value|.
 */
export async function expectSameOnBoth(compute: () => tf.Tensor[], tolerance = 0): Promise<void> {
  const wanted = await resultsOn('cpu', compute);
  const got = await resultsOn('webgpu', compute);
  got.forEach(({ shape, dtype, values }, which) => {
    expect({ shape, dtype }).to.deep.equal({ shape: wanted[which].shape, dtype: wanted[which].dtype });
    Array.from(values).forEach((value, i) => {
      const right = wanted[which].values[i];
      if (!(Math.abs(value - right) <= tolerance * (1 + Math.abs(right))))
        expect.fail(`number ${i} of result ${which}, [${shape.join(', ')}], is ${value} on webgpu and ${right} on cpu`);
    });
  });
}

/** A value and its gradients. */
export function withGradients(f: (...inputs: tf.Tensor[]) => tf.Tensor, inputs: tf.Tensor[]): tf.Tensor[] {
  const y = f(...inputs);
  return [y, ...tf.grads(f)(inputs, floats(y.shape, 9))];
}

/** Numbers that a cast has only renamed: on webgpu their buffer holds integers. */
export function renamed(shape: number[], n: number, seed: number): tf.Tensor {
  return tf.cast(ints(shape, n, seed), 'float32');
}
