// What the kernels share: multiply-add, the exponential function and sums across the four lanes of a vector.

/** sum + a b, rounded once if the machine can ("relaxed SIMD"), else twice. */
// @ts-ignore: decorator
@inline
export function madd(sum: v128, a: v128, b: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_madd(a, b, sum) : f32x4.add(sum, f32x4.mul(a, b));
}

/** Sum of the four lanes, in pairs. */
// @ts-ignore: decorator
@inline
export function sumOf(x: v128): f32 {
  return f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1) + (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3));
}

// @ts-ignore: decorator
@inline
export function maxOf(x: v128): f32 {
  return max(max(f32x4.extract_lane(x, 0), f32x4.extract_lane(x, 1)), max(f32x4.extract_lane(x, 2), f32x4.extract_lane(x, 3)));
}

/**
 * e^x to 1.5 units in the last place: x = n ln 2 + r with |r| <= ln 2 / 2, e^r by its Chebyshev-fitted polynomial (the coefficients of Cephes' expf,
 * Moshier 1989), times 2^n. Below e^-86.6 it is 0: results near the smallest normal number would cost a hundred times as much.
 */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  const clamped = f32x4.pmin(f32x4.pmax(x, f32x4.splat(-86.6)), f32x4.splat(89));
  const shifted = madd(f32x4.splat(12582912), clamped, f32x4.splat(1.44269504)); // 1.5 * 2^23: rounds to a whole n, which is then in the low bits
  const n = f32x4.sub(shifted, f32x4.splat(12582912));
  let r = f32x4.sub(clamped, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(-2.12194440e-4)));
  let p = f32x4.splat(1.9875691500e-4);
  p = madd(f32x4.splat(1.3981999507e-3), p, r);
  p = madd(f32x4.splat(8.3334519073e-3), p, r);
  p = madd(f32x4.splat(4.1665795894e-2), p, r);
  p = madd(f32x4.splat(1.6666665459e-1), p, r);
  p = madd(f32x4.splat(5.0000001201e-1), p, r);
  const power = f32x4.add(madd(r, p, f32x4.mul(r, r)), f32x4.splat(1));
  const exponent = i32x4.shl(i32x4.add(shifted, i32x4.splat(126)), 23); // of 2^(n-1): 2^128 is not a float
  const result = f32x4.mul(f32x4.mul(power, exponent), f32x4.splat(2));
  return v128.andnot(result, f32x4.lt(x, f32x4.splat(-86.6)));
}

/** 1 / (1 + e^-x). */
// @ts-ignore: decorator
@inline
export function sigmoid4(x: v128): v128 {
  return f32x4.div(f32x4.splat(1), f32x4.add(f32x4.splat(1), exp4(f32x4.neg(x))));
}

/** One to three numbers as a vector, padded with `rest`. */
export function loadPart(at: usize, count: i32, rest: f32): v128 {
  let x = f32x4.splat(rest);
  x = f32x4.replace_lane(x, 0, load<f32>(at));
  if (count > 1) x = f32x4.replace_lane(x, 1, load<f32>(at, 4));
  if (count > 2) x = f32x4.replace_lane(x, 2, load<f32>(at, 8));
  return x;
}

/** Stores the first one to three numbers of a vector. */
export function storePart(at: usize, count: i32, x: v128): void {
  store<f32>(at, f32x4.extract_lane(x, 0));
  if (count > 1) store<f32>(at, f32x4.extract_lane(x, 1), 4);
  if (count > 2) store<f32>(at, f32x4.extract_lane(x, 2), 8);
}
