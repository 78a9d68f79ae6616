import { IlrecError } from '../errors';
import { caserMethod } from './caser';
import { gru4recMethod } from './gru4rec';
import { dpoMethod } from './dpo';
import { grpoMethod } from './grpo';
import { ilrecMethod } from './ilrec';
import { markovMethod } from './markov';
import { checkMethod, type Method } from './method';
import { mslMethod } from './msl';
import { popularityMethod } from './popularity';
import { rosePoMethod } from './rose_po';
import { sDpoMethod } from './s_dpo';
import { sasrecMethod } from './sasrec';
import { sftMethod } from './sft';
import { sftFutureMethod } from './sft_future';
import { tca4recMethod } from './tca4rec';
import { tigerMethod } from './tiger';
import { spRecMethod } from './sp_rec';

/** Every method of the package: the only list of them. */
export const REGISTRY = [
  ilrecMethod,
  sftMethod,
  sftFutureMethod,
  mslMethod,
  tca4recMethod,
  tigerMethod,
  dpoMethod,
  sDpoMethod,
  rosePoMethod,
  spRecMethod,
  grpoMethod,
  sasrecMethod,
  gru4recMethod,
  caserMethod,
  popularityMethod,
  markovMethod,
] as const;

/** The name of a method of the package. */
export type MethodName = (typeof REGISTRY)[number]['name'];

/** The names of the methods of the package. */
export const METHODS: readonly MethodName[] = REGISTRY.map(({ name }) => name);

/** The package's methods that train nothing, in the order of tables. */
export const COUNTING_METHODS: readonly Method[] = inOrder<Method>(
  (REGISTRY as readonly Method[]).filter(({ kind }) => kind === 'counts'),
);

/** The method that `ilrec train` trains by default. */
export const DEFAULT_METHOD: MethodName = ilrecMethod.name;

/** The methods that are compared by default, in order. */
export const COMPARED_BY_DEFAULT: readonly MethodName[] = inOrder(REGISTRY.filter((one) => one.comparedByDefault)).map(
  ({ name }) => name as MethodName,
);

/**
 * Finds a method.
 *
 * @param method a name, or the method itself.
 * @param own methods beside those of the package.
 * @param caller the public function that was called, for errors.
 * @throws IlrecError when no method has the name, or one of `own` has the name of another method.
 */
export function findMethod(method: string | Method, own: readonly Method[] = [], caller = 'trainRun'): Method {
  const known = withOwn(own, caller);
  if (typeof method === 'object' && method !== null) {
    checkMethod(method, caller);
    return method;
  }
  const found = known.find(({ name }) => name === method);
  if (found === undefined)
    throw new IlrecError(
      `${caller}: method must be one of ${known.map(({ name }) => name).join(', ')}, got ${method}; pass your own ` +
        'method in the option methods',
    );
  return found;
}

/** The package's methods and a user's. @throws IlrecError when a name is taken. */
export function withOwn(own: readonly Method[], caller = 'trainRun'): readonly Method[] {
  const added = [...new Set(own)].filter((one) => !REGISTRY.some((known) => known === one));
  for (const method of added) checkMethod(method, caller);
  const taken = added.find(({ name }, i) => [...REGISTRY, ...added.slice(0, i)].some((known) => known.name === name));
  if (taken !== undefined)
    throw new IlrecError(`${caller}: the name "${taken.name}" belongs to another method; choose another name`);
  return [...REGISTRY, ...added];
}

/** Methods in the order of tables. */
export function inOrder<M extends Pick<Method, 'order'>>(methods: readonly M[]): M[] {
  return [...methods].sort((a, b) => a.order - b.order);
}
