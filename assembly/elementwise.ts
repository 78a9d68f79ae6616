// Functions of one tensor, and of two tensors of which one may be a row or a column that is repeated.

import { exp4, loadPart, sigmoid4, storePart } from './vector';

/** y = f(x). Kinds: 0 exp, 1 sigmoid, 2 sqrt, 3 1 / sqrt, 4 square, 5 negative; `UNARY` in src/kernels/wasm/simd_module.ts has the same numbers. */
export function unary(kind: i32, n: i32, x: usize, y: usize): void {
  if (kind == 0) exp(n, x, y);
  else if (kind == 1) sigmoid(n, x, y);
  else if (kind == 2) squareRoot(n, x, y);
  else if (kind == 3) inverseRoot(n, x, y);
  else if (kind == 4) square(n, x, y);
  else if (kind == 5) negative(n, x, y);
}

function exp(n: i32, from: usize, to: usize): void {
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const x = v128.load(from);
    v128.store(to, exp4(x));
    from += 16;
    to += 16;
  }
  if (i < n) {
    const x = loadPart(from, n - i, 1);
    storePart(to, n - i, exp4(x));
  }
}

function sigmoid(n: i32, from: usize, to: usize): void {
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const x = v128.load(from);
    v128.store(to, sigmoid4(x));
    from += 16;
    to += 16;
  }
  if (i < n) {
    const x = loadPart(from, n - i, 1);
    storePart(to, n - i, sigmoid4(x));
  }
}

function squareRoot(n: i32, from: usize, to: usize): void {
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const x = v128.load(from);
    v128.store(to, f32x4.sqrt(x));
    from += 16;
    to += 16;
  }
  if (i < n) {
    const x = loadPart(from, n - i, 1);
    storePart(to, n - i, f32x4.sqrt(x));
  }
}

function inverseRoot(n: i32, from: usize, to: usize): void {
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const x = v128.load(from);
    v128.store(to, f32x4.div(f32x4.splat(1), f32x4.sqrt(x)));
    from += 16;
    to += 16;
  }
  if (i < n) {
    const x = loadPart(from, n - i, 1);
    storePart(to, n - i, f32x4.div(f32x4.splat(1), f32x4.sqrt(x)));
  }
}

function square(n: i32, from: usize, to: usize): void {
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const x = v128.load(from);
    v128.store(to, f32x4.mul(x, x));
    from += 16;
    to += 16;
  }
  if (i < n) {
    const x = loadPart(from, n - i, 1);
    storePart(to, n - i, f32x4.mul(x, x));
  }
}

function negative(n: i32, from: usize, to: usize): void {
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const x = v128.load(from);
    v128.store(to, f32x4.neg(x));
    from += 16;
    to += 16;
  }
  if (i < n) {
    const x = loadPart(from, n - i, 1);
    storePart(to, n - i, f32x4.neg(x));
  }
}

// @ts-ignore: decorator
@inline
function binary4(kind: i32, a: v128, b: v128): v128 {
  if (kind == 0) return f32x4.add(a, b);
  if (kind == 1) return f32x4.sub(a, b);
  if (kind == 2) return f32x4.mul(a, b);
  return f32x4.div(a, b); // 3
}

// @ts-ignore: decorator
@inline
function paired(kind: i32, n: i32, a: usize, b: usize, y: usize): void {
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    v128.store(y, binary4(kind, v128.load(a), v128.load(b)));
    a += 16;
    b += 16;
    y += 16;
  }
  if (i < n) storePart(y, n - i, binary4(kind, loadPart(a, n - i, 1), loadPart(b, n - i, 1)));
}

// @ts-ignore: decorator
@inline
function withNumber(kind: i32, n: i32, a: usize, b: f32, y: usize, turned: bool): void {
  const by = f32x4.splat(b);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const x = v128.load(a);
    v128.store(y, turned ? binary4(kind, by, x) : binary4(kind, x, by));
    a += 16;
    y += 16;
  }
  if (i < n) {
    const x = loadPart(a, n - i, 1);
    storePart(y, n - i, turned ? binary4(kind, by, x) : binary4(kind, x, by));
  }
}

// @ts-ignore: decorator
@inline
function rowsOf(kind: i32, rows: i32, n: i32, a: usize, b: usize, y: usize, turned: bool, byColumn: bool): void {
  const line: usize = 4 * <usize>n;
  for (let r = 0; r < rows; r++) {
    if (byColumn) withNumber(kind, n, a, load<f32>(b + 4 * <usize>r), y, turned);
    else if (turned) paired(kind, n, b, a, y);
    else paired(kind, n, a, b, y);
    a += line;
    y += line;
  }
}

// @ts-ignore: decorator
@inline
function rowsOfKind(kind: i32, rows: i32, n: i32, a: usize, b: usize, y: usize, turned: bool, byColumn: bool): void {
  if (byColumn) {
    if (turned) rowsOf(kind, rows, n, a, b, y, true, true);
    else rowsOf(kind, rows, n, a, b, y, false, true);
  } else {
    if (turned) rowsOf(kind, rows, n, a, b, y, true, false);
    else rowsOf(kind, rows, n, a, b, y, false, false);
  }
}

/**
 * y = f(a, b), or f(b, a) if `turned`. Kinds: 0 add, 1 subtract, 2 multiply, 3 divide; `BINARY` in src/kernels/wasm/simd_module.ts has the same numbers.
 *
 * @param a [rows, n].
 * @param b [n], the same for every row; if `byColumn` [rows], one number for each row.
 */
export function binary(kind: i32, rows: i32, n: i32, a: usize, b: usize, y: usize, turned: bool, byColumn: bool): void {
  if (kind == 0) rowsOfKind(0, rows, n, a, b, y, turned, byColumn);
  else if (kind == 1) rowsOfKind(1, rows, n, a, b, y, turned, byColumn);
  else if (kind == 2) rowsOfKind(2, rows, n, a, b, y, turned, byColumn);
  else rowsOfKind(3, rows, n, a, b, y, turned, byColumn);
}
