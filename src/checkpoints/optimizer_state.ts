import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import type { AccumulatedOptimizer } from '../optimizers/gradient_accumulation';
import type { TensorData } from '../safetensors/safetensors';

/** tfjs-core does not export this type. */
type NamedTensor = Awaited<ReturnType<tf.Optimizer['saveIterations']>>;

/**
 * Reads the optimizer's state; the number of its steps comes first. The caller disposes only the first tensor.
 *
 * @throws IlrecError when its class cannot save a state.
 */
export async function optimizerState(optimizer: tf.Optimizer): Promise<NamedTensor[]> {
  return await optimizer.getWeights().catch((error: unknown) => explain(optimizer, error));
}

/** Writes an optimizer's state. @throws IlrecError when its class cannot load one. */
export async function restoreOptimizer(
  optimizer: tf.Optimizer,
  model: tfl.LayersModel,
  state: readonly TensorData[],
): Promise<void> {
  const named = state.map(({ data, shape }, i) => ({ name: String(i), tensor: tf.tensor(data, [...shape]) }));
  try {
    await optimizer.setWeights(named).catch((error: unknown) => explain(optimizer, error));
  } finally {
    tf.dispose(named.map(({ tensor }) => tensor));
  }
  if (isAccumulated(optimizer)) optimizer.trains(model);
}

/** Refuses an optimizer without savable state, before training and not at the first checkpoint. @throws IlrecError */
export async function refuseUnsavable(optimizer: tf.Optimizer): Promise<void> {
  const [iterations] = await optimizerState(isAccumulated(optimizer) ? optimizer.inner : optimizer);
  iterations.tensor.dispose();
}

/** Not `instanceof`: tfjs overrides it, so that it is true for every optimizer. */
function isAccumulated(optimizer: tf.Optimizer): optimizer is AccumulatedOptimizer {
  return 'trains' in optimizer && 'inner' in optimizer;
}

function explain(optimizer: tf.Optimizer, cause: unknown): never {
  if (!(cause instanceof Error) || !cause.message.includes('is not implemented')) throw cause;
  const { inner } = optimizer as Partial<AccumulatedOptimizer>;
  const name = (inner ?? optimizer).getClassName();
  throw new IlrecError(
    `checkpointing: the optimizer must have a state that can be saved, got ${name}; use AdamW, or sgd, momentum, ` +
      'adagrad, adadelta, adam or rmsprop of tf.train',
    { cause },
  );
}
