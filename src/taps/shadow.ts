/**
 * Puts a wrapper of a method on the instance, in front of the one it has, and returns what takes it away again.
 *
 * @param wrap gets the method bound to the instance and returns the new one.
 * @returns restores the instance: a wrapper that was there before is put back, otherwise the prototype's method shows again.
 */
export function shadow<T extends object, K extends keyof T>(target: T, method: K, wrap: (original: T[K]) => T[K]): () => void {
  const own = Object.getOwnPropertyDescriptor(target, method);
  const original = target[method];
  if (typeof original !== 'function') throw new Error(`shadow: ${String(method)} must be a method, got ${typeof original}`);
  const replacement = wrap(original.bind(target) as T[K]);
  Object.defineProperty(target, method, { value: replacement, configurable: true, writable: true, enumerable: false });
  return () => {
    if (own === undefined) delete target[method];
    else Object.defineProperty(target, method, own);
  };
}
