// Moving numbers without changing them.

import { addTo } from './rows';

/** Copies `count` lines of `bytes` bytes (a multiple of 4), each `fromStep` and `toStep` bytes after the one before. */
export function copyLines(count: i32, from: usize, fromStep: i32, to: usize, toStep: i32, bytes: i32): void {
  for (let i = 0; i < count; i++) {
    if (bytes >= 128) {
      memory.copy(to, from, bytes);
    } else {
      let at: usize = 0;
      for (; at + 16 <= <usize>bytes; at += 16) v128.store(to + at, v128.load(from + at));
      for (; at < <usize>bytes; at += 4) store<i32>(to + at, load<i32>(from + at));
    }
    from += <usize>fromStep;
    to += <usize>toStep;
  }
}

/** Copies line ids[i] of `x` to line i of `out`; lines of `bytes` bytes (a multiple of 4). */
export function gatherLines(count: i32, x: usize, ids: usize, bytes: i32, out: usize): void {
  for (let i = 0; i < count; i++) {
    copyLines(1, x + <usize>load<i32>(ids) * <usize>bytes, 0, out, 0, bytes);
    ids += 4;
    out += <usize>bytes;
  }
}

/** Adds line i of `x` to line ids[i] of `out`, n float32 numbers each; ids outside of [0, numSegments) are left out. */
export function addLines(count: i32, x: usize, ids: usize, n: i32, out: usize, numSegments: i32): void {
  const line: usize = 4 * <usize>n;
  for (let i = 0; i < count; i++) {
    const id = load<i32>(ids);
    if (id >= 0 && id < numSegments) addTo(out + line * <usize>id, x, n);
    x += line;
    ids += 4;
  }
}

/** [groups, a, b, n] to [groups, b, a, n]: the two middle axes change places. */
export function swapAxes(groups: i32, a: i32, b: i32, n: i32, x: usize, y: usize): void {
  const line = 4 * n;
  for (let g = 0; g < groups; g++) {
    for (let i = 0; i < a; i++) {
      copyLines(b, x, line, y + <usize>i * <usize>line, a * line, line);
      x += <usize>b * <usize>line;
    }
    y += <usize>(a * b) * <usize>line;
  }
}
