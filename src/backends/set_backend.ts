import * as tf from '@tensorflow/tfjs-core';

/** Resolves when the last change that was asked for is done. */
let lastChange: Promise<unknown> = Promise.resolve();

/**
 * Changes the backend when earlier changes are done, as tfjs can make only one at a time. If the change fails, the
 * backend from before is set again.
 */
export async function changeBackend<T>(change: () => Promise<T>): Promise<T> {
  const made = lastChange.then(() => orAsBefore(change));
  lastChange = made.catch(() => undefined);
  return await made;
}

async function orAsBefore<T>(change: () => Promise<T>): Promise<T> {
  const before = tf.getBackend();
  try {
    return await change();
  } catch (error) {
    // eslint-disable-next-line no-restricted-syntax -- restores the user's choice
    if (before in tf.engine().registry) await tf.setBackend(before);
    throw error;
  }
}

/**
 * Sets a backend and waits until it is ready.
 *
 * @returns null, or the reason why it does not start. tfjs only prints that reason, so it is taken from the backend's
 *   factory.
 */
export async function setBackend(name: string): Promise<string | null> {
  const entry = tf.engine().registryFactory[name] as
    { factory(): tf.KernelBackend | Promise<tf.KernelBackend> } | undefined;
  if (entry === undefined) return 'no registration with this copy of @tensorflow/tfjs-core';
  const { factory } = entry;
  let failure: unknown = 'a refusal from tfjs';
  entry.factory = () => {
    try {
      const made = factory();
      if ('then' in made) made.catch((error: unknown) => (failure = error));
      return made;
    } catch (error) {
      failure = error;
      throw error;
    }
  };
  try {
    // eslint-disable-next-line no-restricted-syntax -- only useBackend calls this
    if (!(await tf.setBackend(name))) return firstLineOf(failure);
    await tf.ready();
    return null;
  } catch (error) {
    return firstLineOf(error);
  } finally {
    entry.factory = factory;
  }
}

/** The first line of an error's message. */
export function firstLineOf(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n')[0];
}
