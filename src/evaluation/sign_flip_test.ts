import { IlrecError } from '../errors';
import { createRandom } from '../random';

/** Options of `signFlipTest`. */
export interface SignFlipOptions {
  /**
   * Random assignments of signs, 1 or more. If all possible assignments are no more than this, they are enumerated and
   * the p-value is exact. Default 10,000.
   */
  permutations?: number;
  /** Seed of the random signs, any integer. Default 0. */
  seed?: number;
}

/**
 * Tests paired differences by randomisation, two-sided. If the two methods were equal, each difference would be as
 * likely with the other sign.
 *
 * ```
 * p = (1 + #{ |sum of s_u d_u| >= |sum of d_u| }) / (1 + permutations),   s_u = -1 or 1;   enumerated: without the two 1s
 * ```
 *
 * @param differences one value per user, [users]; zeros change nothing.
 * @param options permutations and seed; see `SignFlipOptions`.
 * @returns the p-value in (0, 1]; 1 if all differences are 0.
 * @throws IlrecError when `permutations` is not an integer of at least 1.
 * @example
 * ```ts
 * import { signFlipTest } from 'tfjs-ilrec';
 *
 * console.log(signFlipTest([0.5, 0.2, 0.1, 0.4, 0])); // 0.125
 * ```
 */
export function signFlipTest(
  differences: ArrayLike<number>,
  { permutations = 10_000, seed = 0 }: SignFlipOptions = {},
): number {
  checkPermutations('signFlipTest', permutations);
  const sizes = Float64Array.from(differences).filter((difference) => difference !== 0);
  if (sizes.length === 0) return 1;
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const scale = sizes.reduce((sum, size) => sum + Math.abs(size), 0);
  const bar = Math.abs(total) - 1e-12 * scale; // the same sum in another order must count as equal

  if (sizes.length < 31 && 2 ** sizes.length <= permutations) {
    const all = 2 ** sizes.length;
    let extreme = 0;
    for (let signs = 0; signs < all; signs++) {
      const flipped = sizes.reduce((sum, size, i) => sum + ((signs >>> i) & 1 ? -size : size), 0);
      if (Math.abs(flipped) >= bar) extreme++;
    }
    return extreme / all;
  }

  const random = createRandom(seed);
  let extreme = 0;
  for (let p = 0; p < permutations; p++) {
    let sum = 0;
    for (let i = 0; i < sizes.length; i += 32) {
      let signs = random.int(0x100000000) | 0; // 32 signs per draw
      const end = Math.min(i + 32, sizes.length);
      for (let j = i; j < end; j++, signs >>>= 1) sum += signs & 1 ? -sizes[j] : sizes[j];
    }
    if (Math.abs(sum) >= bar) extreme++;
  }
  return (1 + extreme) / (1 + permutations);
}

/**
 * Checks a number of permutations.
 *
 * @param caller the public function that errors name.
 * @throws IlrecError when it is not an integer of at least 1.
 */
export function checkPermutations(caller: string, permutations: number): void {
  if (!Number.isInteger(permutations) || permutations < 1)
    throw new IlrecError(
      `${caller}: permutations must be an integer of at least 1, got ${permutations}; 10000 is usual`,
    );
}
