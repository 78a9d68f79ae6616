/** The part of the package `webgpu` that is used here. */
export interface Dawn {
  create(options: string[]): object;
  /** WebGPU's classes and constants. */
  readonly globals: object;
}

/**
 * Makes Dawn the process's `navigator.gpu`. The probe copies this function's source text, so it must not use anything
 * else of this module.
 */
export function placeDawn({ create, globals }: Dawn): void {
  Object.assign(globalThis, globals);
  if (globalThis.navigator === undefined)
    Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
  Object.defineProperty(globalThis.navigator, 'gpu', { value: create([]), configurable: true });
}
