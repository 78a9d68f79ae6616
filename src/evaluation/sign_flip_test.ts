import { IlrecError } from '../errors';
import { createRandom } from '../random';

export interface SignFlipOptions {
  /** Random assignments of signs; default 10,000. Where all assignments are no more than this they are enumerated and the p-value is exact. */
  permutations?: number;
  /** Default 0. */
  seed?: number;
}

/**
 * Paired randomisation test, two-sided: were the two methods alike, each user's difference would be as likely with the other sign.
 *
 * ```
 * p = (1 + #{ |sum of s_u d_u| >= |sum of d_u| }) / (1 + permutations),   s_u = -1 or 1;   enumerated: without the two 1s
 * ```
 *
 * @param differences one value per user; zeros do not matter.
 * @returns the p-value in (0, 1]; 1 where all differences are 0.
 */
export function signFlipTest(
  differences: ArrayLike<number>,
  { permutations = 10_000, seed = 0 }: SignFlipOptions = {},
): number {
  if (!Number.isInteger(permutations) || permutations < 1)
    throw new IlrecError(`signFlipTest: permutations must be an integer of at least 1, got ${permutations}`);
  const sizes = Float64Array.from(differences).filter((difference) => difference !== 0);
  if (sizes.length === 0) return 1;
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const scale = sizes.reduce((sum, size) => sum + Math.abs(size), 0);
  const bar = Math.abs(total) - 1e-12 * scale; // a sum in another order must still count as equal

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
