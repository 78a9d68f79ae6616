import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import '../support/backends';
import { integers, normals } from '../support/random';

export const floats = (shape: number[], seed: number): tf.Tensor =>
  tf.tensor(
    normals(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
    shape,
    'float32',
  );
export const ints = (shape: number[], n: number, seed: number): tf.Tensor =>
  tf.tensor(
    integers(
      shape.reduce((a, b) => a * b, 1),
      n,
      seed,
    ),
    shape,
    'int32',
  );
export const bools = (shape: number[], seed: number): tf.Tensor => tf.cast(ints(shape, 2, seed), 'bool');

interface Result {
  shape: number[];
  dtype: string;
  values: number[];
}

async function runOn(backend: string, compute: () => tf.Tensor): Promise<Result> {
  await tf.setBackend(backend);
  const before = {
    tensors: tf.memory().numTensors,
    buffers: tf.memory().numDataBuffers,
    ids: tf.backend().numDataIds(),
  };
  const result = tf.tidy(() => {
    const y = compute();
    return { shape: y.shape, dtype: y.dtype, values: Array.from(y.dataSync()) };
  });
  expect(tf.memory().numTensors, `tensors left on ${backend}`).to.equal(before.tensors);
  expect(tf.memory().numDataBuffers, `buffers left on ${backend}`).to.equal(before.buffers);
  expect(tf.backend().numDataIds(), `memory of kernels left on ${backend}`).to.equal(before.ids);
  return result;
}

/**
 * Computes on a backend and on cpu; shapes, types and values must agree, to `tolerance` relative to 1 + |value|,
 * infinities and NaN too.
 */
export async function expectSameAsCpu(
  compute: () => tf.Tensor,
  tolerance = 0,
  backend: 'wasm' | 'tensorflow' = 'wasm',
): Promise<Result> {
  const wanted = await runOn('cpu', compute);
  const got = await runOn(backend, compute);
  expect(got.shape).to.deep.equal(wanted.shape);
  expect(got.dtype).to.equal(wanted.dtype);
  got.values.forEach((value, i) => {
    const allowed = tolerance * (1 + Math.abs(wanted.values[i]));
    if (!Object.is(value, wanted.values[i]) && !(Math.abs(value - wanted.values[i]) <= allowed))
      expect.fail(`number ${i} is ${value} on ${backend} and ${wanted.values[i]} on cpu`);
  });
  return got;
}
