import { createRandom } from '../../src/random';

/** `size` standard normal numbers times `scale`; the same seed gives the same numbers. */
export function normals(size: number, seed: number, scale = 1): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length: size }, () => scale * random.normal());
}

/** `size` integers in [0, n). */
export function integers(size: number, n: number, seed: number): Int32Array {
  const random = createRandom(seed);
  return Int32Array.from({ length: size }, () => random.int(n));
}
