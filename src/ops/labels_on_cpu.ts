import type * as tf from '@tensorflow/tfjs-core';
import { UnnamedError } from '../errors';

const LARGEST = 2 ** 31 - 1;

/**
 * Labels on the CPU, in the order of the tensor. They are read synchronously; on WebGPU they must come from the CPU, as
 * the labels of a batch do.
 *
 * @throws UnnamedError on a label that is not a whole number: a cast to int32 would make tokens of them, of 4.9 the token
 *   4 and of NaN the token 0.
 */
export function labelsOnCpu(labels: tf.Tensor): Int32Array {
  const values = labels.dataSync();
  if (labels.dtype === 'int32') return values as Int32Array;
  const wrong = values.find((label) => !Number.isInteger(label) || Math.abs(label) > LARGEST);
  if (wrong !== undefined) throw new UnnamedError(`labels must be whole numbers, got ${wrong}`);
  return Int32Array.from(values);
}
