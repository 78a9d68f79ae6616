import * as tf from '@tensorflow/tfjs-core';

export const GROUPS = ['losses', 'layers', 'training', 'beam search'] as const;

/** A computation whose result must be the same on every platform as on the cpu backend. */
export interface ParityCase {
  readonly group: (typeof GROUPS)[number];
  readonly name: string;
  /** Largest allowed difference, relative to the largest number of the reference if that is above 1. */
  readonly tolerance: number;
  /** Must not use `dataSync`: WebGPU cannot. */
  compute(): Promise<number[]>;
}

/** What one platform found. */
export interface PlatformRun {
  readonly numbers: Readonly<Record<string, readonly number[]>>;
  /** Cases that threw, with the message. */
  readonly errors: Readonly<Record<string, string>>;
  /** Training steps of the demo's model in a second; null where it was not timed. */
  readonly stepsPerSecond: number | null;
}

/** The numbers of tensors one after the other; disposes the tensors. */
export async function numbersOf(tensors: readonly tf.Tensor[]): Promise<number[]> {
  const parts = await Promise.all(tensors.map((tensor) => tensor.data()));
  tf.dispose(tensors as tf.Tensor[]);
  return parts.flatMap((part) => [...part]);
}

/**
 * Largest difference of two lists, relative to the largest number of the reference if that is above 1; Infinity if the
 * lengths differ or a number is not finite.
 */
export function difference(found: readonly number[], reference: readonly number[]): number {
  if (found.length !== reference.length) return Infinity;
  const size = reference.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  const worst = found.reduce(
    (most, value, i) => Math.max(most, Number.isFinite(value) ? Math.abs(value - reference[i]) : Infinity),
    0,
  );
  return worst / size;
}
