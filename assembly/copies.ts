// Moving numbers without changing them.

import { addTo } from './rows';

/** A result of more bytes than this fits into no cache. */
const BEYOND_CACHES: usize = 1 << 24;

/** Copies `count` lines of `bytes` bytes (a multiple of 4), which are `fromStep` bytes apart in the source and `toStep` in the target. */
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

/**
 * out[s] = the sum of the lines i of `x` with ids[i] = s, n float32 numbers each, or 0 if there is none. Ids outside [0, numSegments) are skipped.
 * The first line of a segment is copied, later ones are added. A large result that is mostly 0 is zeroed first, in one go; any other is zeroed at the end,
 * where no line was written.
 *
 * @param seen [numSegments] bytes of scratch memory.
 */
export function sumLines(count: i32, x: usize, ids: usize, n: i32, out: usize, numSegments: i32, seen: usize): void {
  const line = 4 * n;
  const isSparse = 4 * count < numSegments && <usize>line * <usize>numSegments > BEYOND_CACHES;
  memory.fill(seen, 0, numSegments);
  if (isSparse) memory.fill(out, 0, <usize>line * <usize>numSegments);
  for (let i = 0; i < count; i++) {
    const id = load<i32>(ids);
    if (id >= 0 && id < numSegments) {
      const to = out + <usize>line * <usize>id;
      if (load<u8>(seen + id)) {
        addTo(to, x, n);
      } else {
        store<u8>(seen + id, 1);
        copyLines(1, x, 0, to, 0, line);
      }
    }
    x += <usize>line;
    ids += 4;
  }
  for (let s = isSparse ? numSegments : 0; s < numSegments; s++) {
    if (load<u8>(seen + s)) continue;
    let end = s + 1;
    while (end < numSegments && !load<u8>(seen + end)) end++;
    memory.fill(out + <usize>line * <usize>s, 0, <usize>line * <usize>(end - s));
    s = end;
  }
}

/** [groups, a, b, n] to [groups, b, a, n]: swaps the two middle axes. */
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
