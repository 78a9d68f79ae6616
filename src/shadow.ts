/**
 * Where a wrapper sits, innermost first: an adapter changes what the function computes, a recomputation repeats it, a
 * tap reads the result.
 */
const LEVELS = { adapter: 0, recomputation: 1, tap: 2 } as const;
export type ShadowLevel = keyof typeof LEVELS;

type AnyFunction = (...args: unknown[]) => unknown;

interface Wrapper {
  readonly level: number;
  call: AnyFunction;
}

/** The wrappers of one function of one object, innermost first. */
interface Shadows {
  readonly own: PropertyDescriptor | undefined;
  readonly bare: AnyFunction;
  readonly wrappers: Wrapper[];
}

/** By object and by the function's name, as long as there are wrappers. */
const shadowed = new WeakMap<object, Map<PropertyKey, Shadows>>();

/**
 * Wraps a function of one object.
 *
 * Wrappers may be added and removed in any order: each calls what is inside it at that moment. A lower level is inside
 * a higher one; within a level, the earlier wrapper is inside.
 *
 * @param key the function's name.
 * @param wrap gets the function inside the wrapper, bound to the object, and returns the new one.
 * @param level Default 'tap', the outermost.
 * @returns removes the wrapper; without wrappers the object is what it was before the first.
 * @throws Error when the object has no such function.
 */
export function shadow<T extends object, K extends keyof T>(
  target: T,
  key: K,
  wrap: (original: T[K]) => T[K],
  level: ShadowLevel = 'tap',
): () => void {
  const ofTarget = shadowed.get(target) ?? new Map<PropertyKey, Shadows>();
  shadowed.set(target, ofTarget);
  const shadows = ofTarget.get(key) ?? install(target, key);
  ofTarget.set(key, shadows);

  const { wrappers, bare } = shadows;
  const wrapper: Wrapper = { level: LEVELS[level], call: bare };
  const inside: AnyFunction = (...args) => (wrappers[wrappers.indexOf(wrapper) - 1]?.call ?? bare)(...args);
  wrapper.call = wrap(inside as T[K]) as AnyFunction;
  const outer = wrappers.findIndex((other) => other.level > wrapper.level);
  wrappers.splice(outer < 0 ? wrappers.length : outer, 0, wrapper);
  return () => {
    const index = wrappers.indexOf(wrapper);
    if (index < 0) return;
    wrappers.splice(index, 1);
    if (wrappers.length > 0) return;
    ofTarget.delete(key);
    if (shadows.own === undefined) delete target[key];
    else Object.defineProperty(target, key, shadows.own);
  };
}

/** Whether a function of the object has a wrapper of this level. */
export function isShadowed(target: object, key: PropertyKey, level: ShadowLevel): boolean {
  return (
    shadowed
      .get(target)
      ?.get(key)
      ?.wrappers.some((wrapper) => wrapper.level === LEVELS[level]) ?? false
  );
}

function install<T extends object>(target: T, key: keyof T): Shadows {
  const own = Object.getOwnPropertyDescriptor(target, key);
  const original = target[key];
  if (typeof original !== 'function')
    throw new Error(`shadow: ${String(key)} must be a function, got ${typeof original}`);
  const bare = original.bind(target) as AnyFunction;
  const wrappers: Wrapper[] = [];
  const value: AnyFunction = (...args) => (wrappers[wrappers.length - 1]?.call ?? bare)(...args);
  Object.defineProperty(target, key, { value, configurable: true, writable: true, enumerable: false });
  return { own, bare, wrappers };
}

/** Methods that `overrideOnce` has replaced, by class. */
const overridden = new WeakMap<object, Set<PropertyKey>>();

/**
 * Replaces a method of a class for the life of the process, for what no wrapper around one object can do. Does nothing
 * the second time.
 *
 * @param prototype of the class.
 * @param key the method's name.
 * @param method gets the object, the method that it replaces (bound to the object) and the arguments.
 */
export function overrideOnce<This extends object>(
  prototype: This,
  key: PropertyKey,
  method: (self: This, original: AnyFunction, args: unknown[]) => unknown,
): void {
  const done = overridden.get(prototype) ?? new Set();
  if (done.has(key)) return;
  overridden.set(prototype, done.add(key));
  const original = Reflect.get(prototype, key) as AnyFunction;
  const value = function (this: This, ...args: unknown[]): unknown {
    return method(this, original.bind(this), args);
  };
  Object.defineProperty(prototype, key, { value, configurable: true, writable: true, enumerable: false });
}
