import * as tf from '@tensorflow/tfjs-core';

let lastChange: Promise<unknown> = Promise.resolve();

/** Runs a change of the backend after those that were asked for before, as tfjs can make one at a time; where it fails, the backend that was set is set again. */
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
    // eslint-disable-next-line no-restricted-syntax -- what the user had asked for
    if (before in tf.engine().registry) await tf.setBackend(before);
    throw error;
  }
}

/** @returns null, or why the backend does not start: tfjs tells only the console, so the factory is listened to. */
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
    // eslint-disable-next-line no-restricted-syntax -- the one place where a user asks for it
    if (!(await tf.setBackend(name))) return firstLineOf(failure);
    await tf.ready();
    return null;
  } catch (error) {
    return firstLineOf(error);
  } finally {
    entry.factory = factory;
  }
}

/** What an error says first. */
export function firstLineOf(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n')[0];
}
