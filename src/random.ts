import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus, xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';

/** A seeded source of random numbers. The same seed gives the same numbers on every platform. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform integer in [0, n). @param n a positive integer. */
  int(n: number): number;
  /** Standard normal (Box-Muller). */
  normal(): number;
  /** Shuffles in place (Fisher-Yates) and returns the same array. */
  shuffle<A extends { length: number; [index: number]: unknown }>(array: A): A;
  /** The generator's state, for `restoreRandom`. */
  state(): readonly number[];
}

/**
 * Makes a seeded source of random numbers (xoroshiro128+).
 *
 * @param seed any integer; only its low 32 bits count.
 * @returns the source. The same seed gives the same numbers on every platform.
 * @example
 * ```ts
 * import { createRandom } from 'tfjs-ilrec';
 *
 * const [a, b] = [createRandom(7), createRandom(7)];
 * console.log(a.int(100) === b.int(100), a.shuffle([1, 2, 3]).length); // true 3
 * ```
 */
export function createRandom(seed: number): Random {
  const generator = xoroshiro128plus(seed | 0);
  for (let i = 0; i < 16; i++) generator.next(); // neighbouring seeds begin with similar numbers
  return wrap(generator);
}

/** Continues a generator. @param state what `state()` returned. */
export function restoreRandom(state: readonly number[]): Random {
  return wrap(xoroshiro128plusFromState(state));
}

function wrap(generator: ReturnType<typeof xoroshiro128plus>): Random {
  const next = (): number => uniformFloat64(generator);
  const int = (n: number): number => uniformInt(generator, 0, n - 1);
  return {
    next,
    int,
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    shuffle: (array) => {
      for (let i = array.length - 1; i > 0; i--) {
        const j = int(i + 1);
        const held = array[i];
        array[i] = array[j];
        array[j] = held;
      }
      return array;
    },
    state: () => generator.getState(),
  };
}
