// ILRec's penalty on a tile of logits: which tokens are negatives, and what their logits are raised to.

import { exp4, loadPart, madd, maxOf, storePart, sumOf } from './vector';

/** Lanes of the negatives among four tokens. @param label its lane, if it is among them. @param left how many of the four are tokens. */
// @ts-ignore: decorator
@inline
function membersOf(blended: v128, threshold: v128, label: i32, left: i32): v128 {
  const lanes = i32x4(0, 1, 2, 3);
  const member = v128.andnot(f32x4.ge(blended, threshold), i32x4.eq(lanes, i32x4.splat(label)));
  return left < 4 ? v128.and(member, i32x4.lt_s(lanes, i32x4.splat(left))) : member;
}

/** 1, -1, or 0 at 0. */
// @ts-ignore: decorator
@inline
function signOf(z: v128): v128 {
  return v128.or(v128.and(z, f32x4.splat(-0.0)), v128.andnot(f32x4.splat(1), f32x4.eq(z, f32x4.splat(0))));
}

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
      const member = membersOf(b, threshold, label - j, left);
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
          slope = madd(one, raise, signOf(z));
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

/**
 * The penalty to first order in its weights, for rows whose sum of p~ is not known yet. With x = p~ s of each negative:
 * factors = p (x + p~ ds / dz); sums = [sum of p~, number, sum of p, sum of p x, sum of p x^2, largest of |x| and |p~ ds / dz|].
 *
 * @param known [rows, 4]: threshold, log-normaliser of blended, log-normaliser of logits, place of the label in the tile.
 */
export function penaliseFirstOrder(rows: i32, n: i32, logits: usize, blended: usize, known: usize, kind: i32, factors: usize, sums: usize): void {
  const line: usize = 4 * <usize>n;
  const zero = f32x4.splat(0);
  const one = f32x4.splat(1);
  for (let row = 0; row < rows; row++) {
    const threshold = v128.load32_splat(known);
    const blendedNormaliser = v128.load32_splat(known, 4);
    const normaliser = v128.load32_splat(known, 8);
    const label = <i32>load<f32>(known, 12);
    let masses = zero, count = zero, plain = zero, first = zero, second = zero, largest = zero;
    for (let j = 0; j < n; j += 4) {
      const left = n - j;
      const at = 4 * <usize>j;
      const z = left >= 4 ? v128.load(logits + at) : loadPart(logits + at, left, 0);
      const b = left >= 4 ? v128.load(blended + at) : loadPart(blended + at, left, -Infinity);
      const member = membersOf(b, threshold, label - j, left);
      let factor = zero;
      if (v128.any_true(member)) {
        const share = v128.and(exp4(f32x4.sub(b, blendedNormaliser)), member); // p~
        const p = v128.and(exp4(f32x4.sub(z, normaliser)), member);
        const strength = kind == 0 ? f32x4.abs(z) : kind == 1 ? z : one;
        const slope = kind == 0 ? signOf(z) : kind == 1 ? one : zero;
        const x = f32x4.mul(share, strength);
        const px = f32x4.mul(p, x);
        masses = f32x4.add(masses, share);
        count = f32x4.add(count, v128.and(one, member));
        plain = f32x4.add(plain, p);
        first = f32x4.add(first, px);
        second = madd(second, px, x);
        const growth = f32x4.mul(share, slope);
        largest = f32x4.pmax(largest, f32x4.pmax(f32x4.abs(x), f32x4.abs(growth)));
        factor = madd(px, p, growth);
      }
      if (left >= 4) v128.store(factors + at, factor);
      else storePart(factors + at, left, factor);
    }
    store<f32>(sums, sumOf(masses));
    store<f32>(sums, sumOf(count), 4);
    store<f32>(sums, sumOf(plain), 8);
    store<f32>(sums, sumOf(first), 12);
    store<f32>(sums, sumOf(second), 16);
    store<f32>(sums, maxOf(largest), 20);
    logits += line;
    blended += line;
    factors += line;
    known += 16;
    sums += 24;
  }
}
