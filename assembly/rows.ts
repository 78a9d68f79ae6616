// Functions of the rows of a matrix [rows, n]: softmax, reductions along either axis, and one step of a softmax over rows that come in pieces.

import { exp4, loadPart, madd, maxOf, storePart, sumOf } from './vector';

/** The largest number of a row, ignoring NaN; -Infinity if it is empty. */
export function maxOfRow(x: usize, n: i32): f32 {
  let most = f32x4.splat(-Infinity);
  let other = most;
  let i = 0;
  for (; i + 8 <= n; i += 8) {
    most = f32x4.pmax(most, v128.load(x));
    other = f32x4.pmax(other, v128.load(x, 16));
    x += 32;
  }
  most = f32x4.pmax(most, other);
  for (; i + 4 <= n; i += 4) {
    most = f32x4.pmax(most, v128.load(x));
    x += 16;
  }
  if (i < n) most = f32x4.pmax(most, loadPart(x, n - i, -Infinity));
  return maxOf(most);
}

/** Sum of a row, in eight partial sums. */
export function sumOfRow(x: usize, n: i32): f32 {
  let sum = f32x4.splat(0);
  let other = sum;
  let i = 0;
  for (; i + 8 <= n; i += 8) {
    sum = f32x4.add(sum, v128.load(x));
    other = f32x4.add(other, v128.load(x, 16));
    x += 32;
  }
  sum = f32x4.add(sum, other);
  for (; i + 4 <= n; i += 4) {
    sum = f32x4.add(sum, v128.load(x));
    x += 16;
  }
  if (i < n) sum = f32x4.add(sum, loadPart(x, n - i, 0));
  return sumOf(sum);
}

/** y = e^(x - shift); returns the sum of y. x may be y. */
export function expOfRow(x: usize, y: usize, n: i32, shift: f32): f32 {
  const by = f32x4.splat(shift);
  let sum = f32x4.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const e = exp4(f32x4.sub(v128.load(x), by));
    v128.store(y, e);
    sum = f32x4.add(sum, e);
    x += 16;
    y += 16;
  }
  if (i < n) {
    const e = exp4(f32x4.sub(loadPart(x, n - i, -Infinity), by));
    storePart(y, n - i, e);
    for (let j = 0; j < n - i; j++)
      sum = f32x4.add(sum, f32x4.replace_lane(f32x4.splat(0), 0, load<f32>(y + 4 * <usize>j)));
  }
  return sumOf(sum);
}

function scaleRow(y: usize, n: i32, factor: f32): void {
  const by = f32x4.splat(factor);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    v128.store(y, f32x4.mul(v128.load(y), by));
    y += 16;
  }
  for (; i < n; i++) {
    store<f32>(y, load<f32>(y) * factor);
    y += 4;
  }
}

function divideRow(y: usize, n: i32, divisor: f32): void {
  const by = f32x4.splat(divisor);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    v128.store(y, f32x4.div(v128.load(y), by));
    y += 16;
  }
  for (; i < n; i++) {
    store<f32>(y, load<f32>(y) / divisor);
    y += 4;
  }
}

/** y = softmax of each row of x. */
export function softmax(rows: i32, n: i32, x: usize, y: usize): void {
  for (let r = 0; r < rows; r++) {
    const total = expOfRow(x, y, n, maxOfRow(x, n));
    scaleRow(y, n, 1 / total);
    x += 4 * <usize>n;
    y += 4 * <usize>n;
  }
}

/** dx = y (dy - sum(y dy)) of each row: the gradient of softmax. */
export function softmaxGradient(rows: i32, n: i32, y: usize, dy: usize, dx: usize): void {
  for (let r = 0; r < rows; r++) {
    const mean = f32x4.splat(dotOfRow(y, dy, n));
    let i = 0;
    for (; i + 4 <= n; i += 4) {
      v128.store(dx, f32x4.mul(v128.load(y), f32x4.sub(v128.load(dy), mean)));
      y += 16;
      dy += 16;
      dx += 16;
    }
    for (; i < n; i++) {
      store<f32>(dx, load<f32>(y) * (load<f32>(dy) - f32x4.extract_lane(mean, 0)));
      y += 4;
      dy += 4;
      dx += 4;
    }
  }
}

export function dotOfRow(a: usize, b: usize, n: i32): f32 {
  let sum = f32x4.splat(0);
  let other = sum;
  let i = 0;
  for (; i + 8 <= n; i += 8) {
    sum = madd(sum, v128.load(a), v128.load(b));
    other = madd(other, v128.load(a, 16), v128.load(b, 16));
    a += 32;
    b += 32;
  }
  sum = f32x4.add(sum, other);
  for (; i + 4 <= n; i += 4) {
    sum = madd(sum, v128.load(a), v128.load(b));
    a += 16;
    b += 16;
  }
  if (i < n) sum = madd(sum, loadPart(a, n - i, 0), loadPart(b, n - i, 0));
  return sumOf(sum);
}

/** Whether a row has a NaN. */
function hasNaN(x: usize, n: i32): bool {
  let found = i32x4.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const four = v128.load(x);
    found = v128.or(found, f32x4.ne(four, four));
    x += 16;
  }
  for (; i < n; i++) {
    const one = v128.load32_splat(x);
    found = v128.or(found, f32x4.ne(one, one));
    x += 4;
  }
  return v128.any_true(found);
}

/** out[r] = the largest number of each row; NaN if the row has one. */
export function rowMax(rows: i32, n: i32, x: usize, out: usize): void {
  for (let r = 0; r < rows; r++) {
    store<f32>(out, hasNaN(x, n) ? NaN : maxOfRow(x, n));
    x += 4 * <usize>n;
    out += 4;
  }
}

/** out[r] = the sum of each row, divided by `divisor`. */
export function rowSum(rows: i32, n: i32, x: usize, out: usize, divisor: f32): void {
  for (let r = 0; r < rows; r++) {
    store<f32>(out, sumOfRow(x, n) / divisor);
    x += 4 * <usize>n;
    out += 4;
  }
}

/** out[j] = the sum of column j, divided by `divisor`, for each of `groups` matrices [rows, n] that follow each other. */
export function columnSum(groups: i32, rows: i32, n: i32, x: usize, out: usize, divisor: f32): void {
  const line: usize = 4 * <usize>n;
  for (let g = 0; g < groups; g++) {
    memory.fill(out, 0, line);
    for (let r = 0; r < rows; r++) {
      addTo(out, x, n);
      x += line;
    }
    if (divisor != 1) divideRow(out, n, divisor);
    out += line;
  }
}

/** to += from. */
export function addTo(to: usize, from: usize, n: i32): void {
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    v128.store(to, f32x4.add(v128.load(to), v128.load(from)));
    to += 16;
    from += 16;
  }
  for (; i < n; i++) {
    store<f32>(to, load<f32>(to) + load<f32>(from));
    to += 4;
    from += 4;
  }
}

/**
 * Adds a piece [rows, n] to the softmax of rows that are too long to be in memory at once: e = e^(x - newLargest).
 *
 * @param largest [rows], the largest number before this piece; newLargest after it.
 * @param sums [rows], of e^(x - largest) before this piece; newSums after it.
 * @param factors [rows]: e^(largest - newLargest), by which earlier sums must be multiplied.
 */
export function onlineSoftmax(
  rows: i32,
  n: i32,
  x: usize,
  largest: usize,
  sums: usize,
  e: usize,
  newLargest: usize,
  newSums: usize,
  factors: usize,
): void {
  for (let r = 0; r < rows; r++) {
    const at = 4 * <usize>r;
    const known = load<f32>(largest + at);
    const most = max(known, maxOfRow(x, n));
    const factor: f32 = known == most ? 1 : f32x4.extract_lane(exp4(f32x4.splat(known - most)), 0);
    store<f32>(newLargest + at, most);
    store<f32>(newSums + at, load<f32>(sums + at) * factor + expOfRow(x, e, n, most));
    store<f32>(factors + at, factor);
    x += 4 * <usize>n;
    e += 4 * <usize>n;
  }
}
