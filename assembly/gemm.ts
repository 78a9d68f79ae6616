// Single-precision matrix product in SIMD, with the blocking of Goto and van de Geijn ("Anatomy of high-performance matrix multiplication", 2008):
// blocks of A and B are packed into panels that the inner kernel reads in order, so transposed operands cost no more than plain ones.

import { madd } from './vector';

/** Rows and columns of the block that the inner kernel holds in registers: 8 vectors of 4, the best use of 16 registers. */
const MR: i32 = 4;
const NR: i32 = 8;
/** Block of A [MC, KC] (64 KiB, for the second-level cache) and of B [KC, NC] (256 KiB; a panel of it, 8 KiB, stays in the first). */
const MC: i32 = 64;
const KC: i32 = 256;
const NC: i32 = 256;
/** With this many rows of A or fewer, packing B costs more than reading it in place. */
const FEW_ROWS: i32 = 16;

/** Bytes of scratch memory that `gemm` needs, at an address that is a multiple of 16. */
export function gemmScratchBytes(): i32 {
  return 4 * (MC * KC + KC * NC + MR * NR);
}

/**
 * C = A B, or C += A B.
 *
 * @param a [m, k]: element (i, p) is at a + 4 (i aRow + p aColumn); one of the strides is 1. Likewise b [k, n].
 * @param c [m, n], row by row, cRow apart; may not overlap with a or b.
 */
export function gemm(
  m: i32, n: i32, k: i32,
  a: usize, aRow: i32, aColumn: i32,
  b: usize, bRow: i32, bColumn: i32,
  c: usize, cRow: i32,
  accumulate: bool, scratch: usize,
): void {
  if (m <= FEW_ROWS && aColumn == 1 && bRow == 1 && bColumn != 1 && k >= 4) {
    dots(m, n, k, a, aRow, b, bColumn, c, cRow, accumulate);
    return;
  }
  const packedA = scratch;
  const packedB = packedA + 4 * MC * KC;
  const edge = packedB + 4 * KC * NC;
  const inPlace = m <= FEW_ROWS && bColumn == 1;
  for (let jc = 0; jc < n; jc += NC) {
    const nc = min(NC, n - jc);
    for (let pc = 0; pc < k; pc += KC) {
      const kc = min(KC, k - pc);
      const adds = accumulate || pc > 0;
      const blockB = b + 4 * <usize>(pc * bRow + jc * bColumn);
      const whole = inPlace ? nc & ~(NR - 1) : 0; // columns that are not packed
      packB(kc, nc - whole, blockB + 4 * <usize>whole, bRow, bColumn, packedB);
      for (let ic = 0; ic < m; ic += MC) {
        const mc = min(MC, m - ic);
        packA(mc, kc, a + 4 * <usize>(ic * aRow + pc * aColumn), aRow, aColumn, packedA);
        for (let jr = 0; jr < nc; jr += NR) {
          const direct = jr < whole;
          const panelB = direct ? blockB + 4 * <usize>jr : packedB + 4 * <usize>((jr - whole) * kc);
          const stepB: usize = direct ? 4 * <usize>bRow : 4 * NR;
          const columns = min(NR, nc - jr);
          for (let ir = 0; ir < mc; ir += MR) {
            const rows = min(MR, mc - ir);
            const panelA = packedA + 4 * <usize>(ir * kc);
            const out = c + 4 * <usize>((ic + ir) * cRow + jc + jr);
            if (rows == MR && columns == NR) {
              kernel(kc, panelA, panelB, stepB, out, 4 * cRow, adds);
            } else {
              kernel(kc, panelA, panelB, stepB, edge, 4 * NR, false);
              copyEdge(rows, columns, edge, out, cRow, adds);
            }
          }
        }
      }
    }
  }
}

/** 4 rows of A times 8 columns of B, k long; a [k, 4], b rows of 8 that are stepB bytes apart. */
function kernel(k: i32, a: usize, b: usize, stepB: usize, c: usize, rowC: usize, adds: bool): void {
  let c00 = f32x4.splat(0);
  let c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
  for (let p = 0; p < k; p++) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const four = v128.load(a);
    let s = v128.shuffle<f32>(four, four, 0, 0, 0, 0);
    c00 = madd(c00, s, b0);
    c01 = madd(c01, s, b1);
    s = v128.shuffle<f32>(four, four, 1, 1, 1, 1);
    c10 = madd(c10, s, b0);
    c11 = madd(c11, s, b1);
    s = v128.shuffle<f32>(four, four, 2, 2, 2, 2);
    c20 = madd(c20, s, b0);
    c21 = madd(c21, s, b1);
    s = v128.shuffle<f32>(four, four, 3, 3, 3, 3);
    c30 = madd(c30, s, b0);
    c31 = madd(c31, s, b1);
    a += 4 * MR;
    b += stepB;
  }
  store8(c, c00, c01, adds);
  store8(c + rowC, c10, c11, adds);
  store8(c + 2 * rowC, c20, c21, adds);
  store8(c + 3 * rowC, c30, c31, adds);
}

// @ts-ignore: decorator
@inline
function store8(at: usize, low: v128, high: v128, adds: bool): void {
  if (adds) {
    low = f32x4.add(low, v128.load(at));
    high = f32x4.add(high, v128.load(at, 16));
  }
  v128.store(at, low);
  v128.store(at, high, 16);
}

function copyEdge(rows: i32, columns: i32, from: usize, to: usize, toRow: i32, adds: bool): void {
  for (let i = 0; i < rows; i++) {
    for (let j: usize = 0; j < <usize>columns; j++) {
      const at = to + 4 * j;
      store<f32>(at, adds ? load<f32>(at) + load<f32>(from + 4 * j) : load<f32>(from + 4 * j));
    }
    from += 4 * NR;
    to += 4 * <usize>toRow;
  }
}

/** Packs [mc, kc] into panels [kc, 4] of four rows each; the last is padded with zeros. */
function packA(mc: i32, kc: i32, a: usize, aRow: i32, aColumn: i32, to: usize): void {
  for (let i = 0; i < mc; i += MR) {
    const rows = min(MR, mc - i);
    const from = a + 4 * <usize>(i * aRow);
    if (rows == MR && aColumn == 1) packRows(kc, from, 4 * <usize>aRow, to, 16);
    else if (rows == MR && aRow == 1) packLines(kc, from, 4 * <usize>aColumn, to, 1);
    else packEdge(rows, kc, from, aRow, aColumn, to, MR);
    to += 4 * <usize>(MR * kc);
  }
}

/** Packs [kc, nc] into panels [kc, 8] of eight columns each; the last is padded with zeros. */
function packB(kc: i32, nc: i32, b: usize, bRow: i32, bColumn: i32, to: usize): void {
  for (let j = 0; j < nc; j += NR) {
    const columns = min(NR, nc - j);
    const from = b + 4 * <usize>(j * bColumn);
    if (columns == NR && bColumn == 1) {
      packLines(kc, from, 4 * <usize>bRow, to, 2);
    } else if (columns == NR && bRow == 1) {
      packRows(kc, from, 4 * <usize>bColumn, to, 32);
      packRows(kc, from + 16 * <usize>bColumn, 4 * <usize>bColumn, to + 16, 32);
    } else {
      packEdge(columns, kc, from, bColumn, bRow, to, NR);
    }
    to += 4 * <usize>(NR * kc);
  }
}

/** Transposes four lines of k contiguous numbers: the four numbers of one k are put side by side, `step` bytes after those of the k before. */
function packRows(k: i32, from: usize, line: usize, to: usize, step: usize): void {
  let p = 0;
  for (; p + 4 <= k; p += 4) {
    const r0 = v128.load(from);
    const r1 = v128.load(from + line);
    const r2 = v128.load(from + 2 * line);
    const r3 = v128.load(from + 3 * line);
    const t0 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
    const t1 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
    const t2 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
    const t3 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<f32>(t0, t2, 0, 1, 4, 5));
    v128.store(to + step, v128.shuffle<f32>(t0, t2, 2, 3, 6, 7));
    v128.store(to + 2 * step, v128.shuffle<f32>(t1, t3, 0, 1, 4, 5));
    v128.store(to + 3 * step, v128.shuffle<f32>(t1, t3, 2, 3, 6, 7));
    from += 16;
    to += 4 * step;
  }
  for (; p < k; p++) {
    for (let i: usize = 0; i < 4; i++) store<f32>(to + 4 * i, load<f32>(from + i * line));
    from += 4;
    to += step;
  }
}

/** Copies k lines of `vectors` vectors each, `line` bytes apart. */
function packLines(k: i32, from: usize, line: usize, to: usize, vectors: i32): void {
  if (vectors == 1) {
    for (let p = 0; p < k; p++) {
      v128.store(to, v128.load(from));
      from += line;
      to += 16;
    }
  } else {
    for (let p = 0; p < k; p++) {
      v128.store(to, v128.load(from));
      v128.store(to, v128.load(from, 16), 16);
      from += line;
      to += 32;
    }
  }
}

/** Packs a panel that has fewer lines than it is wide. */
function packEdge(lines: i32, k: i32, from: usize, lineStride: i32, kStride: i32, to: usize, width: i32): void {
  for (let p = 0; p < k; p++) {
    for (let i = 0; i < width; i++) {
      store<f32>(to, i < lines ? load<f32>(from + 4 * <usize>(i * lineStride + p * kStride)) : 0);
      to += 4;
    }
  }
}

/** Few rows of A, and columns of B that are contiguous along k: plain dot products. */
function dots(m: i32, n: i32, k: i32, a: usize, aRow: i32, b: usize, bColumn: i32, c: usize, cRow: i32, adds: bool): void {
  const lineA: usize = 4 * <usize>aRow;
  const lineB: usize = 4 * <usize>bColumn;
  let j = 0;
  for (; j + 4 <= n; j += 4) {
    let i = 0;
    for (; i + 2 <= m; i += 2) dots2x4(k, a + <usize>i * lineA, lineA, b, lineB, c + 4 * <usize>(i * cRow + j), 4 * <usize>cRow, adds);
    if (i < m) dots1x4(k, a + <usize>i * lineA, b, lineB, c + 4 * <usize>(i * cRow + j), adds);
    b += 4 * lineB;
  }
  for (; j < n; j++) {
    for (let i = 0; i < m; i++) {
      const at = c + 4 * <usize>(i * cRow + j);
      const value = dot(k, a + <usize>i * lineA, b);
      store<f32>(at, adds ? load<f32>(at) + value : value);
    }
    b += lineB;
  }
}

function dots2x4(k: i32, a: usize, lineA: usize, b: usize, lineB: usize, c: usize, rowC: usize, adds: bool): void {
  let c00 = f32x4.splat(0);
  let c01 = c00, c02 = c00, c03 = c00, c10 = c00, c11 = c00, c12 = c00, c13 = c00;
  const whole = k & ~3;
  for (let p = 0; p < whole; p += 4) {
    const x0 = v128.load(a);
    const x1 = v128.load(a + lineA);
    let y = v128.load(b);
    c00 = madd(c00, x0, y);
    c10 = madd(c10, x1, y);
    y = v128.load(b + lineB);
    c01 = madd(c01, x0, y);
    c11 = madd(c11, x1, y);
    y = v128.load(b + 2 * lineB);
    c02 = madd(c02, x0, y);
    c12 = madd(c12, x1, y);
    y = v128.load(b + 3 * lineB);
    c03 = madd(c03, x0, y);
    c13 = madd(c13, x1, y);
    a += 16;
    b += 16;
  }
  let top = sums(c00, c01, c02, c03);
  let bottom = sums(c10, c11, c12, c13);
  for (let p = whole; p < k; p++) {
    const y = f32x4(load<f32>(b), load<f32>(b + lineB), load<f32>(b + 2 * lineB), load<f32>(b + 3 * lineB));
    top = madd(top, v128.load32_splat(a), y);
    bottom = madd(bottom, v128.load32_splat(a + lineA), y);
    a += 4;
    b += 4;
  }
  if (adds) {
    top = f32x4.add(top, v128.load(c));
    bottom = f32x4.add(bottom, v128.load(c + rowC));
  }
  v128.store(c, top);
  v128.store(c + rowC, bottom);
}

function dots1x4(k: i32, a: usize, b: usize, lineB: usize, c: usize, adds: bool): void {
  let c0 = f32x4.splat(0);
  let c1 = c0, c2 = c0, c3 = c0;
  const whole = k & ~3;
  for (let p = 0; p < whole; p += 4) {
    const x = v128.load(a);
    c0 = madd(c0, x, v128.load(b));
    c1 = madd(c1, x, v128.load(b + lineB));
    c2 = madd(c2, x, v128.load(b + 2 * lineB));
    c3 = madd(c3, x, v128.load(b + 3 * lineB));
    a += 16;
    b += 16;
  }
  let row = sums(c0, c1, c2, c3);
  for (let p = whole; p < k; p++) {
    row = madd(row, v128.load32_splat(a), f32x4(load<f32>(b), load<f32>(b + lineB), load<f32>(b + 2 * lineB), load<f32>(b + 3 * lineB)));
    a += 4;
    b += 4;
  }
  v128.store(c, adds ? f32x4.add(row, v128.load(c)) : row);
}

function dot(k: i32, a: usize, b: usize): f32 {
  let sum = f32x4.splat(0);
  const whole = k & ~3;
  for (let p = 0; p < whole; p += 4) {
    sum = madd(sum, v128.load(a), v128.load(b));
    a += 16;
    b += 16;
  }
  let total = f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1) + f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3);
  for (let p = whole; p < k; p++) {
    total += load<f32>(a) * load<f32>(b);
    a += 4;
    b += 4;
  }
  return total;
}

/** The sums of four vectors, side by side. */
// @ts-ignore: decorator
@inline
function sums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7)); // a02 b02 a13 b13
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f32>(ab, cd, 0, 1, 4, 5), v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
}
