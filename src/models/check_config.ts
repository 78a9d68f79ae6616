import { IlrecError } from '../errors';

/**
 * Checks the numbers of a model's config.
 *
 * @param caller the public function that error messages name.
 * @param sizes must be positive integers.
 * @param rates must be in [0, 1).
 */
export function checkConfig(caller: string, sizes: Record<string, number>, rates: Record<string, number>): void {
  for (const [name, value] of Object.entries(sizes)) {
    if (!Number.isInteger(value) || value < 1)
      throw new IlrecError(`${caller}: ${name} must be a positive integer, got ${value}`);
  }
  for (const [name, value] of Object.entries(rates)) {
    if (!(value >= 0 && value < 1)) throw new IlrecError(`${caller}: ${name} must be in [0, 1), got ${value}`);
  }
}

/** @throws IlrecError when the config is no object, as a program in JavaScript may pass. */
export function checkObject(caller: string, config: unknown): void {
  if (typeof config !== 'object' || config === null)
    throw new IlrecError(`${caller}: config must be an object with numItems, got ${String(config)}`);
}
