import * as tf from '@tensorflow/tfjs-core';
import { nearestWord } from '../config/nearest_word';
import { IlrecError } from '../errors';

/**
 * Refuses options that a function does not have, such as misspelt ones.
 *
 * @param caller the public function, for the error.
 * @param known the names of its options.
 * @throws IlrecError that names the option, and the one that may be meant.
 */
export function refuseUnknownOptions(caller: string, options: object, known: readonly string[]): void {
  const strange = Object.keys(options).find((name) => !known.includes(name));
  if (strange === undefined) return;
  const near = nearestWord(strange, known);
  throw new IlrecError(
    `${caller}: options must be among ${known.join(', ')}, got ${strange}` +
      (near === null ? '; settings of the training belong into config' : `; did you mean ${near}?`),
  );
}

/**
 * Waits until the backend is ready.
 *
 * @param caller the public function, for the error.
 * @throws IlrecError when no backend is there.
 */
export async function requireBackend(caller: string): Promise<void> {
  if (Object.keys(tf.engine().registryFactory).length === 0)
    throw new IlrecError(
      `${caller}: TensorFlow.js must have a backend, got none; call \`await useBackend('auto')\` of tfjs-ilrec/node first`,
    );
  await tf.ready();
}

/**
 * Refuses a path that no folder can have.
 *
 * @param caller the public function, for the error.
 * @throws IlrecError when it is empty, or holds a NUL.
 */
export function refuseNoPath(caller: string, out: string): void {
  if (typeof out === 'string' && out !== '' && !out.includes('\0')) return;
  throw new IlrecError(`${caller}: out must be the path of a folder, got ${JSON.stringify(out) ?? 'none'}; name one`);
}
