// ILRec's penalty on a tile of logits: which tokens are negatives, and what their logits are raised to.

import { exp4, loadPart, madd, storePart, sumOf } from './vector';

/**
 * Of each row: members = { j != label : blended[j] >= threshold }; raised = logits + alpha w s on them, logits elsewhere; growth = d raised / d logits;
 * sums = [sum of p~, number, sum of p^L] of the members.
 *
 * @param known [rows, 5]: threshold, log-normaliser of blended, 1 / sum of p~ over all negatives, log-normaliser of logits, place of the label in the tile
 *   (negative or too large where it is in another).
 * @param kind s: 0 |z|, 1 z, 2 one.
 */
export function penalise(rows: i32, n: i32, logits: usize, blended: usize, known: usize, alpha: f32, kind: i32, raised: usize, growth: usize, sums: usize): void {
  const line: usize = 4 * <usize>n;
  const one = f32x4.splat(1);
  for (let row = 0; row < rows; row++) {
    const threshold = v128.load32_splat(known);
    const blendedNormaliser = v128.load32_splat(known, 4);
    const scale = f32x4.splat(alpha * load<f32>(known, 8));
    const normaliser = v128.load32_splat(known, 12);
    const label = <i32>load<f32>(known, 16);
    let masses = f32x4.splat(0);
    let count = f32x4.splat(0);
    let plain = f32x4.splat(0);
    for (let j = 0; j < n; j += 4) {
      const left = n - j;
      const at = 4 * <usize>j;
      const z = left >= 4 ? v128.load(logits + at) : loadPart(logits + at, left, 0);
      const b = left >= 4 ? v128.load(blended + at) : loadPart(blended + at, left, -Infinity);
      let member = f32x4.ge(b, threshold);
      if (label >= j && label < j + 4) member = v128.andnot(member, i32x4.eq(i32x4.splat(label - j), i32x4(0, 1, 2, 3)));
      if (left < 4) member = v128.and(member, i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(left)));
      let z1 = z;
      let slope = one;
      if (v128.any_true(member)) {
        const share = v128.and(exp4(f32x4.sub(b, blendedNormaliser)), member); // p~
        masses = f32x4.add(masses, share);
        count = f32x4.add(count, v128.and(one, member));
        plain = f32x4.add(plain, v128.and(exp4(f32x4.sub(z, normaliser)), member));
        const raise = f32x4.mul(share, scale); // alpha w
        if (kind == 0) {
          z1 = madd(z, raise, f32x4.abs(z));
          const sign = v128.or(v128.and(z, f32x4.splat(-0.0)), v128.andnot(one, f32x4.eq(z, f32x4.splat(0)))); // 0 at 0
          slope = madd(one, raise, sign);
        } else if (kind == 1) {
          z1 = madd(z, raise, z);
          slope = f32x4.add(one, raise);
        } else {
          z1 = f32x4.add(z, raise);
        }
      }
      if (left >= 4) {
        v128.store(raised + at, z1);
        v128.store(growth + at, slope);
      } else {
        storePart(raised + at, left, z1);
        storePart(growth + at, left, slope);
      }
    }
    store<f32>(sums, sumOf(masses));
    store<f32>(sums, sumOf(count), 4);
    store<f32>(sums, sumOf(plain), 8);
    logits += line;
    blended += line;
    raised += line;
    growth += line;
    known += 20;
    sums += 12;
  }
}
