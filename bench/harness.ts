import { cpus } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';

export type Comparison = '<=' | '>=' | '<';

/** One line of bench/results.json. */
export interface BenchRow {
  /** The ratio's name in the table of goals, S1 to S14. */
  readonly name: string;
  /** Which sizes and backend, in a few words. */
  readonly setting: string;
  /** What the ratio is of, in a few words: "ILRec step / SFT step". */
  readonly what: string;
  readonly backend: string;
  readonly ours: number;
  readonly other: number;
  readonly unit: 'ms' | 'bytes' | 'per second' | 'GFLOP/s' | 'count';
  readonly ratio: number;
  /** First and third quartile of the ratio, pair by pair; absent where nothing is timed. */
  readonly quartiles?: readonly [number, number];
  readonly goal: string;
  readonly stretch?: string;
  readonly met: boolean;
  readonly stretchMet?: boolean;
  /** The backend's own product in this run, GFLOP/s; absent where nothing is timed. */
  readonly ceiling?: number;
  /**
   * Largest relative difference from the float64 reference, or from the slow way where that is the reference, in this
   * run.
   */
  readonly error?: number;
  /** What bounds it and what was tried, where the goal is not met; or what the reader should know. */
  readonly note?: string;
  readonly machine: string;
  readonly threads: number;
}

/** A file of bench/cases: what it measures on one backend. */
export interface BenchCase {
  readonly names: readonly string[];
  readonly backends: readonly ('wasm' | 'node' | 'cpu')[];
  run(backend: string): Promise<BenchRow[]>;
}

/** Times of two ways of doing the same, interleaved: A B A B ... */
export interface Paired {
  /** Medians, ms. */
  readonly ours: number;
  readonly other: number;
  /** Median and quartiles of ours / other, pair by pair. */
  readonly ratio: number;
  readonly quartiles: readonly [number, number];
}

export const MIN_RUNS = 7;

/**
 * Runs both, in turn, `runs` times after `warmups` runs of each that do not count. Each run must end with its result on
 * the CPU.
 */
export async function paired(
  ours: () => unknown,
  other: () => unknown,
  { runs = MIN_RUNS, warmups = 2 }: { runs?: number; warmups?: number } = {},
): Promise<Paired> {
  for (let i = 0; i < warmups; i++) {
    await ours();
    await other();
  }
  const times: [number, number][] = [];
  for (let i = 0; i < runs; i++) times.push([await timeOf(ours), await timeOf(other)]);
  const ratios = times.map(([a, b]) => a / b);
  return {
    ours: median(times.map(([a]) => a)),
    other: median(times.map(([, b]) => b)),
    ratio: median(ratios),
    quartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
  };
}

/** Milliseconds of one run. */
export async function timeOf(run: () => unknown): Promise<number> {
  const began = performance.now();
  await run();
  return performance.now() - began;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low] + (at - low) * (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]);
}

/**
 * GFLOP/s of the current backend's plain product of 512 x 512 matrices: what the arithmetic could cost at best here.
 */
export function ceiling(): number {
  const size = 512;
  const [a, b] = [
    tf.randomNormal([size, size], 0, 1, 'float32', 1),
    tf.randomNormal([size, size], 0, 1, 'float32', 2),
  ] as [tf.Tensor2D, tf.Tensor2D];
  const once = (): void => tf.tidy(() => void tf.slice(tf.matMul(a, b), [0, 0], [1, 1]).dataSync());
  once();
  const times = Array.from({ length: MIN_RUNS }, () => {
    const began = performance.now();
    for (let i = 0; i < 5; i++) once();
    return (performance.now() - began) / 5;
  });
  tf.dispose([a, b]);
  return (2 * size ** 3) / median(times) / 1e6;
}

export function meets(ratio: number, comparison: Comparison, value: number): boolean {
  if (comparison === '<') return ratio < value;
  return comparison === '<=' ? ratio <= value : ratio >= value;
}

/** The row of a measurement, with its verdict. */
export function row(
  given: Omit<BenchRow, 'goal' | 'stretch' | 'met' | 'stretchMet' | 'machine' | 'threads'> & {
    goal: readonly [Comparison, number];
    stretch?: readonly [Comparison, number];
  },
): BenchRow {
  const { goal, stretch, ...rest } = given;
  return {
    ...rest,
    goal: goal.join(' '),
    ...(stretch === undefined ? {} : { stretch: stretch.join(' '), stretchMet: meets(rest.ratio, ...stretch) }),
    met: meets(rest.ratio, ...goal),
    machine: `${cpus()[0].model.trim()}, ${cpus().length} cores, Node ${process.version}`,
    threads: Number(process.env.BENCH_THREADS ?? 1),
  };
}
