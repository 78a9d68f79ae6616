// What a decoder block does besides matrix products, each in one pass: normalisation, rotary positions, the MLP's gate.

import { madd, sigmoid4, sumOf } from './vector';
import { dotOfRow } from './rows';

/** y = w x r with r = 1 / sqrt(mean(x^2) + epsilon) of each row; r is kept for the gradient. */
export function rmsNorm(rows: i32, n: i32, x: usize, weight: usize, epsilon: f32, y: usize, inverse: usize): void {
  const line: usize = 4 * <usize>n;
  for (let row = 0; row < rows; row++) {
    const r: f32 = 1 / Mathf.sqrt(dotOfRow(x, x, n) / <f32>n + epsilon);
    store<f32>(inverse, r);
    const by = f32x4.splat(r);
    let at: usize = 0;
    for (; at + 16 <= line; at += 16)
      v128.store(y + at, f32x4.mul(f32x4.mul(v128.load(x + at), by), v128.load(weight + at)));
    for (; at < line; at += 4) store<f32>(y + at, load<f32>(x + at) * r * load<f32>(weight + at));
    x += line;
    y += line;
    inverse += 4;
  }
}

/** dx = r (w dy - x r^2 mean(w dy x)), dw = sum over the rows of dy x r. */
export function rmsNormGradient(
  rows: i32,
  n: i32,
  x: usize,
  weight: usize,
  inverse: usize,
  dy: usize,
  dx: usize,
  dw: usize,
): void {
  const line: usize = 4 * <usize>n;
  memory.fill(dw, 0, line);
  for (let row = 0; row < rows; row++) {
    const r = load<f32>(inverse);
    const by = f32x4.splat(r);
    let sum4 = f32x4.splat(0);
    let sum: f32 = 0;
    let at: usize = 0;
    for (; at + 16 <= line; at += 16) {
      const d = v128.load(dy + at);
      const normed = f32x4.mul(v128.load(x + at), by);
      const product = f32x4.mul(d, normed);
      sum4 = madd(sum4, product, v128.load(weight + at));
      v128.store(dw + at, f32x4.add(v128.load(dw + at), product));
    }
    for (; at < line; at += 4) {
      const product = load<f32>(dy + at) * load<f32>(x + at) * r;
      sum += product * load<f32>(weight + at);
      store<f32>(dw + at, load<f32>(dw + at) + product);
    }
    const mean = (sumOf(sum4) + sum) / <f32>n;
    const by2 = f32x4.splat(mean * r);
    at = 0;
    for (; at + 16 <= line; at += 16) {
      const weighted = f32x4.mul(v128.load(dy + at), v128.load(weight + at));
      v128.store(dx + at, f32x4.mul(f32x4.sub(weighted, f32x4.mul(v128.load(x + at), by2)), by));
    }
    for (; at < line; at += 4)
      store<f32>(dx + at, (load<f32>(dy + at) * load<f32>(weight + at) - load<f32>(x + at) * mean * r) * r);
    x += line;
    dy += line;
    dx += line;
    inverse += 4;
  }
}

/**
 * Rotates the pairs (i, i + size / 2) of each row; `sign` -1 turns them back.
 *
 * @param x `groups` groups of `rows` rows of `size` numbers.
 * @param cos [tableGroups, rows, size]; each table serves groups / tableGroups neighbouring groups of x.
 */
export function rotate(
  groups: i32,
  tableGroups: i32,
  rows: i32,
  size: i32,
  x: usize,
  cos: usize,
  sin: usize,
  sign: f32,
  y: usize,
): void {
  const half: usize = 2 * <usize>size;
  const line: usize = 4 * <usize>size;
  const perTable = groups / tableGroups;
  const block: usize = line * <usize>rows;
  for (let g = 0; g < groups; g++) {
    let c = cos + block * <usize>(g / perTable);
    let s = sin + block * <usize>(g / perTable);
    for (let row = 0; row < rows; row++) {
      let at: usize = 0;
      const by = f32x4.splat(sign);
      for (; at + 16 <= half; at += 16) {
        const first = v128.load(x + at);
        const second = v128.load(x + half + at);
        v128.store(
          y + at,
          f32x4.sub(f32x4.mul(first, v128.load(c + at)), f32x4.mul(second, f32x4.mul(by, v128.load(s + at)))),
        );
        v128.store(
          y + half + at,
          f32x4.add(
            f32x4.mul(second, v128.load(c + half + at)),
            f32x4.mul(first, f32x4.mul(by, v128.load(s + half + at))),
          ),
        );
      }
      for (; at < half; at += 4) {
        const first = load<f32>(x + at);
        const second = load<f32>(x + half + at);
        store<f32>(y + at, first * load<f32>(c + at) - second * (sign * load<f32>(s + at)));
        store<f32>(y + half + at, second * load<f32>(c + half + at) + first * (sign * load<f32>(s + half + at)));
      }
      x += line;
      y += line;
      c += line;
      s += line;
    }
  }
}

/** y = silu(gate) up of rows [gate, up] of n numbers each. */
export function gate(rows: i32, n: i32, x: usize, y: usize): void {
  const line: usize = 4 * <usize>n;
  for (let row = 0; row < rows; row++) {
    let at: usize = 0;
    for (; at + 16 <= line; at += 16) {
      const g = v128.load(x + at);
      v128.store(y + at, f32x4.mul(f32x4.mul(g, sigmoid4(g)), v128.load(x + line + at)));
    }
    for (; at < line; at += 4) {
      const g = v128.load32_splat(x + at);
      store<f32>(y + at, f32x4.extract_lane(f32x4.mul(g, sigmoid4(g)), 0) * load<f32>(x + line + at));
    }
    x += 2 * line;
    y += line;
  }
}

/** The gradient of `gate`: rows [d gate, d up]. */
export function gateGradient(rows: i32, n: i32, x: usize, dy: usize, dx: usize): void {
  const line: usize = 4 * <usize>n;
  const one = f32x4.splat(1);
  for (let row = 0; row < rows; row++) {
    let at: usize = 0;
    for (; at + 16 <= line; at += 16) {
      const g = v128.load(x + at);
      const s = sigmoid4(g);
      const d = v128.load(dy + at);
      const silu = f32x4.mul(g, s);
      const slope = madd(s, silu, f32x4.sub(one, s)); // s + g s (1 - s)
      v128.store(dx + at, f32x4.mul(f32x4.mul(d, v128.load(x + line + at)), slope));
      v128.store(dx + line + at, f32x4.mul(d, silu));
    }
    for (; at < line; at += 4) {
      const g = v128.load32_splat(x + at);
      const s = f32x4.extract_lane(sigmoid4(g), 0);
      const value = f32x4.extract_lane(g, 0);
      const d = load<f32>(dy + at);
      store<f32>(dx + at, d * load<f32>(x + line + at) * (s + value * s * (1 - s)));
      store<f32>(dx + line + at, d * value * s);
    }
    x += 2 * line;
    dy += line;
    dx += 2 * line;
  }
}
