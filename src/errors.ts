/**
 * A mistake of the user, of a file or of the system. The command line prints its message alone, without a stack.
 *
 * @example
 * ```ts
 * import { createSchedule, IlrecError } from 'tfjs-ilrec';
 *
 * try {
 *   createSchedule({ learningRate: -1, totalSteps: 10 });
 * } catch (error) {
 *   console.log(error instanceof IlrecError); // true
 * }
 * ```
 */
export class IlrecError extends Error {
  override readonly name = 'IlrecError';
}

/**
 * An error of code that several public functions share: the name of the function that was called is still missing,
 * `calledAs` adds it.
 */
export class UnnamedError extends IlrecError {}

/**
 * Runs shared code for a public function.
 *
 * @param name the public function, which the message of an UnnamedError then starts with.
 */
export function calledAs<T>(name: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof UnnamedError) throw new IlrecError(`${name}: ${error.message}`, { cause: error });
    throw error;
  }
}
