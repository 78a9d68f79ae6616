import { IlrecError } from '../errors';

/**
 * Adjusts p-values of a family of tests by the step-down method of Holm (1979), which bounds the chance of a single
 * false finding among all of them, whatever the dependence between the tests.
 *
 * ```
 * p_(1) <= ... <= p_(m):   adjusted p_(i) = min(1, max over j <= i of (m - j + 1) p_(j))
 * ```
 *
 * @param pValues p-values in [0, 1], [tests].
 * @returns adjusted p-values in [0, 1], in the order given, [tests]; compare each with the level, such as 0.05.
 * @throws IlrecError when a p-value is not in [0, 1].
 * @example
 * ```ts
 * import { holmAdjusted } from 'tfjs-ilrec';
 *
 * console.log(holmAdjusted([0.04, 0.01, 0.5])); // Float64Array(3) [ 0.08, 0.03, 0.5 ]
 * ```
 */
export function holmAdjusted(pValues: ArrayLike<number>): Float64Array {
  const tests = Array.from(pValues);
  for (const p of tests)
    if (!(p >= 0 && p <= 1)) throw new IlrecError(`holmAdjusted: pValues must be in [0, 1], got ${p}`);
  const order = [...tests.keys()].sort((a, b) => tests[a] - tests[b]);
  const adjusted = new Float64Array(tests.length);
  let least = 0;
  order.forEach((test, i) => {
    least = Math.min(1, Math.max(least, (tests.length - i) * tests[test]));
    adjusted[test] = least;
  });
  return adjusted;
}
