/** Where a wrapper sits: an adapter changes what the method computes, a recomputation repeats that, a tap looks at the result. */
const LEVELS = { adapter: 0, recomputation: 1, tap: 2 } as const;
export type ShadowLevel = keyof typeof LEVELS;

type Method = (...args: unknown[]) => unknown;

interface Wrapper {
  readonly level: number;
  call: Method;
}

/** The wrappers of one method of one object, innermost first. */
interface Shadows {
  readonly own: PropertyDescriptor | undefined;
  readonly bare: Method;
  readonly wrappers: Wrapper[];
}

const shadowed = new WeakMap<object, Map<PropertyKey, Shadows>>();

/**
 * Puts a wrapper around a method on the instance, and returns what takes it away again.
 *
 * Wrappers of one method may be put on and taken away in any order: each calls whatever is inside of it at that moment. Those of a lower
 * level are inside, of one level the earlier one is.
 *
 * @param wrap gets the method as it is inside of the wrapper, bound to the instance, and returns the new one.
 * @param level Default 'tap', the outermost.
 * @returns restores the instance; with the last wrapper the object is as it was before the first.
 */
export function shadow<T extends object, K extends keyof T>(
  target: T,
  method: K,
  wrap: (original: T[K]) => T[K],
  level: ShadowLevel = 'tap',
): () => void {
  const methods = shadowed.get(target) ?? new Map<PropertyKey, Shadows>();
  shadowed.set(target, methods);
  const shadows = methods.get(method) ?? install(target, method);
  methods.set(method, shadows);

  const { wrappers, bare } = shadows;
  const wrapper: Wrapper = { level: LEVELS[level], call: bare };
  const inside: Method = (...args) => (wrappers[wrappers.indexOf(wrapper) - 1]?.call ?? bare)(...args);
  wrapper.call = wrap(inside as T[K]) as Method;
  const outer = wrappers.findIndex((other) => other.level > wrapper.level);
  wrappers.splice(outer < 0 ? wrappers.length : outer, 0, wrapper);
  return () => {
    const at = wrappers.indexOf(wrapper);
    if (at < 0) return;
    wrappers.splice(at, 1);
    if (wrappers.length > 0) return;
    methods.delete(method);
    if (shadows.own === undefined) delete target[method];
    else Object.defineProperty(target, method, shadows.own);
  };
}

/** Whether a method of the object has a wrapper of this level. */
export function isShadowed(target: object, method: PropertyKey, level: ShadowLevel): boolean {
  return (
    shadowed
      .get(target)
      ?.get(method)
      ?.wrappers.some((wrapper) => wrapper.level === LEVELS[level]) ?? false
  );
}

function install<T extends object>(target: T, method: keyof T): Shadows {
  const own = Object.getOwnPropertyDescriptor(target, method);
  const original = target[method];
  if (typeof original !== 'function')
    throw new Error(`shadow: ${String(method)} must be a method, got ${typeof original}`);
  const bare = original.bind(target) as Method;
  const wrappers: Wrapper[] = [];
  const value: Method = (...args) => (wrappers[wrappers.length - 1]?.call ?? bare)(...args);
  Object.defineProperty(target, method, { value, configurable: true, writable: true, enumerable: false });
  return { own, bare, wrappers };
}
