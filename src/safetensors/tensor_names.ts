import { IlrecError } from '../errors';

/** Which tensors: a name, a pattern, or a list of both. */
export type TensorNames = string | RegExp | readonly (string | RegExp)[];

/**
 * Makes a test of names.
 *
 * @param option the option that error messages name.
 * @param caller the public function that error messages name.
 * @throws IlrecError when the names are neither texts nor patterns.
 */
export function tensorMatcher(names: TensorNames, option: string, caller: string): (name: string) => boolean {
  const tests = [names].flat().map((one: string | RegExp) => {
    if (typeof one === 'string') return (name: string): boolean => name === one;
    if (!(one instanceof RegExp))
      throw new IlrecError(`${caller}: ${option} must be a name, a pattern or a list of them, got ${String(one)}`);
    const pattern = new RegExp(one.source, one.flags.replace(/[gy]/g, '')); // those flags remember a position
    return (name: string): boolean => pattern.test(name);
  });
  return (name) => tests.some((test) => test(name));
}
