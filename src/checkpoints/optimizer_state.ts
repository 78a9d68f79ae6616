import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import type { AccumulatedOptimizer } from '../optimizers/gradient_accumulation';
import type { TensorData } from '../safetensors/safetensors';

/** tfjs-core does not export this type by name. */
type NamedTensor = Awaited<ReturnType<tf.Optimizer['saveIterations']>>;

/**
 * The optimizer's state, its steps first; the caller disposes the first tensor only.
 *
 * @throws IlrecError when its class has none to give.
 */
export async function optimizerState(optimizer: tf.Optimizer): Promise<NamedTensor[]> {
  return await optimizer.getWeights().catch((error: unknown) => explain(optimizer, error));
}

/** @throws IlrecError when its class takes no state. */
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

/** @throws IlrecError when no checkpoint of the optimizer can be written: better told before training than at the first one. */
export async function refuseUnsavable(optimizer: tf.Optimizer): Promise<void> {
  const [iterations] = await optimizerState(isAccumulated(optimizer) ? optimizer.inner : optimizer);
  iterations.tensor.dispose();
}

/** Not `instanceof`: tfjs's own answers yes for every optimizer. */
function isAccumulated(optimizer: tf.Optimizer): optimizer is AccumulatedOptimizer {
  return 'trains' in optimizer && 'inner' in optimizer;
}

function explain(optimizer: tf.Optimizer, cause: unknown): never {
  if (!(cause instanceof Error) || !cause.message.includes('is not implemented')) throw cause;
  const { inner } = optimizer as Partial<AccumulatedOptimizer>;
  const name = (inner ?? optimizer).getClassName();
  throw new IlrecError(
    `checkpointing: the optimizer must be one whose state can be saved, got ${name}; use AdamW, or sgd, momentum, adagrad, adadelta, adam or rmsprop of tf.train`,
    { cause },
  );
}
