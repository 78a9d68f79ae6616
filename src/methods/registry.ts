import { IlrecError } from '../errors';
import { ilrecMethod } from './ilrec';
import { markovMethod } from './markov';
import type { Method } from './method';
import { popularityMethod } from './popularity';
import { sasrecMethod } from './sasrec';
import { sftMethod } from './sft';

/** Every method of the package: the only list of them. */
export const REGISTRY = [ilrecMethod, sftMethod, sasrecMethod, popularityMethod, markovMethod] as const;

/** The name of a method of the package. */
export type MethodName = (typeof REGISTRY)[number]['name'];

/** The names of the methods of the package. */
export const METHODS: readonly MethodName[] = REGISTRY.map(({ name }) => name);

/** The method that `ilrec train` trains when nobody says which. */
export const DEFAULT_METHOD: MethodName = ilrecMethod.name;

/** The methods that are compared when nobody says which, in order. */
export const COMPARED_BY_DEFAULT: readonly MethodName[] = inOrder(REGISTRY.filter((one) => one.comparedByDefault)).map(
  ({ name }) => name as MethodName,
);

/**
 * Finds a method.
 *
 * @param method a name, or the method itself.
 * @param own methods beside those of the package.
 * @throws IlrecError when no method has the name, or one of `own` has the name of a method of the package.
 */
export function findMethod(method: string | Method, own: readonly Method[] = []): Method {
  const known = withOwn(own);
  if (typeof method !== 'string') return method;
  const found = known.find(({ name }) => name === method);
  if (found === undefined)
    throw new IlrecError(
      `findMethod: method must be one of ${known.map(({ name }) => name).join(', ')}, got ${method}; hand over a ` +
        'method of your own in the option methods',
    );
  return found;
}

/** The package's methods and a user's. @throws IlrecError when a name is taken. */
export function withOwn(own: readonly Method[]): readonly Method[] {
  const added = [...new Set(own)].filter((one) => !REGISTRY.some((known) => known === one));
  const taken = added.find(({ name }, i) => [...REGISTRY, ...added.slice(0, i)].some((known) => known.name === name));
  if (taken !== undefined)
    throw new IlrecError(`findMethod: the name "${taken.name}" belongs to another method; choose a name of your own`);
  return [...REGISTRY, ...added];
}

/** Methods as tables list them and as they are trained. */
export function inOrder<M extends Pick<Method, 'order'>>(methods: readonly M[]): M[] {
  return [...methods].sort((a, b) => a.order - b.order);
}
