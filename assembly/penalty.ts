// ILRec's penalty on a tile of logits: which tokens are negatives, and what their logits are raised to.

import { exp4, loadPart, madd, maxOf, storePart, sumOf } from './vector';

// s(z) is defined once per language: here for AssemblyScript, in src/kernels/webgpu/head/penalty.ts for WGSL and in src/losses/penalty.ts for TypeScript.
// Change all three.

/** The penalty s(z) of kind 0 `scale`, 1 `paper` or 2 `additive`. */
// @ts-ignore: decorator
@inline
function strengthOf(kind: i32, z: v128): v128 {
  return kind == 0 ? f32x4.abs(z) : kind == 1 ? z : f32x4.splat(1);
}

/** ds / dz. */
// @ts-ignore: decorator
@inline
function slopeOf(kind: i32, z: v128): v128 {
  return kind == 0 ? signOf(z) : kind == 1 ? f32x4.splat(1) : f32x4.splat(0);
}

/** 1, -1, or 0 at 0. */
// @ts-ignore: decorator
@inline
function signOf(z: v128): v128 {
  return v128.or(v128.and(z, f32x4.splat(-0.0)), v128.andnot(f32x4.splat(1), f32x4.eq(z, f32x4.splat(0))));
}

/** Lanes of the negatives among four tokens. @param label the label's lane, if it is among them. @param left how many of the four are tokens. */
// @ts-ignore: decorator
@inline
function membersOf(ensembleLogit: v128, threshold: v128, label: i32, left: i32): v128 {
  const lanes = i32x4(0, 1, 2, 3);
  const member = v128.andnot(f32x4.ge(ensembleLogit, threshold), i32x4.eq(lanes, i32x4.splat(label)));
  return left < 4 ? v128.and(member, i32x4.lt_s(lanes, i32x4.splat(left))) : member;
}

/**
 * Of each row: members = { j != label : ensembleLogits[j] >= threshold }; raised = z^L + alpha w s on them, z^L elsewhere; growth = d raised / d z^L;
 * sums = [sum of p~, number, sum of p^L] of the members.
 *
 * @param known [rows, 5]: threshold, log-normaliser of z~, 1 / sum of p~ over all negatives, log-normaliser of z^L, place of the label in the tile (negative
 *   or too large where it is in another).
 */
export function penalise(rows: i32, n: i32, finalLogits: usize, ensembleLogits: usize, known: usize, alpha: f32, kind: i32, raised: usize, growth: usize, sums: usize): void {
  const line: usize = 4 * <usize>n;
  const one = f32x4.splat(1);
  for (let row = 0; row < rows; row++) {
    const threshold = v128.load32_splat(known);
    const ensembleNormaliser = v128.load32_splat(known, 4);
    const scale = f32x4.splat(alpha * load<f32>(known, 8));
    const finalNormaliser = v128.load32_splat(known, 12);
    const label = <i32>load<f32>(known, 16);
    let ensembleMass = f32x4.splat(0);
    let count = f32x4.splat(0);
    let finalMass = f32x4.splat(0);
    for (let j = 0; j < n; j += 4) {
      const left = n - j;
      const offset = 4 * <usize>j;
      const z = left >= 4 ? v128.load(finalLogits + offset) : loadPart(finalLogits + offset, left, 0);
      const ensembleLogit = left >= 4 ? v128.load(ensembleLogits + offset) : loadPart(ensembleLogits + offset, left, -Infinity);
      const member = membersOf(ensembleLogit, threshold, label - j, left);
      let z1 = z;
      let slope = one;
      if (v128.any_true(member)) {
        const share = v128.and(exp4(f32x4.sub(ensembleLogit, ensembleNormaliser)), member); // p~
        ensembleMass = f32x4.add(ensembleMass, share);
        count = f32x4.add(count, v128.and(one, member));
        finalMass = f32x4.add(finalMass, v128.and(exp4(f32x4.sub(z, finalNormaliser)), member));
        const raise = f32x4.mul(share, scale); // alpha w
        z1 = madd(z, raise, strengthOf(kind, z));
        slope = madd(one, raise, slopeOf(kind, z));
      }
      if (left >= 4) {
        v128.store(raised + offset, z1);
        v128.store(growth + offset, slope);
      } else {
        storePart(raised + offset, left, z1);
        storePart(growth + offset, left, slope);
      }
    }
    store<f32>(sums, sumOf(ensembleMass));
    store<f32>(sums, sumOf(count), 4);
    store<f32>(sums, sumOf(finalMass), 8);
    finalLogits += line;
    ensembleLogits += line;
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
 * @param known [rows, 4]: threshold, log-normaliser of z~, log-normaliser of z^L, place of the label in the tile.
 */
export function penaliseFirstOrder(rows: i32, n: i32, finalLogits: usize, ensembleLogits: usize, known: usize, kind: i32, factors: usize, sums: usize): void {
  const line: usize = 4 * <usize>n;
  const zero = f32x4.splat(0);
  const one = f32x4.splat(1);
  for (let row = 0; row < rows; row++) {
    const threshold = v128.load32_splat(known);
    const ensembleNormaliser = v128.load32_splat(known, 4);
    const finalNormaliser = v128.load32_splat(known, 8);
    const label = <i32>load<f32>(known, 12);
    let ensembleMass = zero, count = zero, finalMass = zero, first = zero, second = zero, largest = zero;
    for (let j = 0; j < n; j += 4) {
      const left = n - j;
      const offset = 4 * <usize>j;
      const z = left >= 4 ? v128.load(finalLogits + offset) : loadPart(finalLogits + offset, left, 0);
      const ensembleLogit = left >= 4 ? v128.load(ensembleLogits + offset) : loadPart(ensembleLogits + offset, left, -Infinity);
      const member = membersOf(ensembleLogit, threshold, label - j, left);
      let factor = zero;
      if (v128.any_true(member)) {
        const share = v128.and(exp4(f32x4.sub(ensembleLogit, ensembleNormaliser)), member); // p~
        const p = v128.and(exp4(f32x4.sub(z, finalNormaliser)), member);
        const x = f32x4.mul(share, strengthOf(kind, z));
        const px = f32x4.mul(p, x);
        ensembleMass = f32x4.add(ensembleMass, share);
        count = f32x4.add(count, v128.and(one, member));
        finalMass = f32x4.add(finalMass, p);
        first = f32x4.add(first, px);
        second = madd(second, px, x);
        const growth = f32x4.mul(share, slopeOf(kind, z));
        largest = f32x4.pmax(largest, f32x4.pmax(f32x4.abs(x), f32x4.abs(growth)));
        factor = madd(px, p, growth);
      }
      if (left >= 4) v128.store(factors + offset, factor);
      else storePart(factors + offset, left, factor);
    }
    store<f32>(sums, sumOf(ensembleMass));
    store<f32>(sums, sumOf(count), 4);
    store<f32>(sums, sumOf(finalMass), 8);
    store<f32>(sums, sumOf(first), 12);
    store<f32>(sums, sumOf(second), 16);
    store<f32>(sums, maxOf(largest), 20);
    finalLogits += line;
    ensembleLogits += line;
    factors += line;
    known += 16;
    sums += 24;
  }
}
