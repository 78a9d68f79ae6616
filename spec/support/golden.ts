import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GenerateOptions } from '../../src/generation/generate';
import { repository } from './installed_package';

/** A tensor as the golden files hold it: float32, little-endian, in base64. */
export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly float32: string;
}

/** spec/golden/checkpoints/NAME/golden.json; its fields are described in spec/golden/README.md. */
export interface GoldenCheckpoint {
  readonly prompts: readonly number[][];
  readonly forward: readonly {
    readonly prompt: readonly number[];
    readonly hiddenStates: readonly GoldenTensor[];
    readonly normed: GoldenTensor;
    readonly logits: GoldenTensor;
  }[];
  /**
   * Of the mean cross-entropy of prompt 0: by parameter, the gradient's norm and its product with cos(0.7), cos(1.4),
   * ...
   */
  readonly gradients: {
    readonly loss: number;
    readonly parameters: Readonly<Record<string, readonly [number, number]>>;
  };
  /** The last rows and first columns of a long prompt's logits. */
  readonly far: { readonly prompt: readonly number[]; readonly logits: GoldenTensor } | null;
  readonly generations: readonly {
    readonly options: Required<GenerateOptions>;
    readonly sequences: readonly (readonly { readonly tokens: readonly number[]; readonly score: number | null }[])[];
  }[];
  readonly tokenizer:
    | readonly {
        readonly text: string;
        readonly ids: readonly number[];
        readonly idsWithSpecialTokens: readonly number[];
        readonly decoded: string;
        readonly decodedWithoutSpecialTokens: string;
      }[]
    | null;
}

/** spec/golden/peft/NAME/golden.json. */
export interface GoldenAdapter {
  readonly checkpoint: string;
  readonly prompt: readonly number[];
  readonly logits: GoldenTensor;
  readonly mergedLogits: GoldenTensor;
}

const golden = join(repository, 'spec', 'golden');
const foldersOf = (kind: string): string[] =>
  readdirSync(join(golden, kind))
    .filter((name) => existsSync(join(golden, kind, name, 'golden.json')))
    .sort();

export const goldenCheckpoints: readonly string[] = foldersOf('checkpoints');
export const goldenAdapters: readonly string[] = foldersOf('peft');

export function checkpointFolder(name: string): string {
  return join(golden, 'checkpoints', name);
}

export function adapterFolder(name: string): string {
  return join(golden, 'peft', name);
}

export function readGoldenCheckpoint(name: string): GoldenCheckpoint {
  return JSON.parse(readFileSync(join(checkpointFolder(name), 'golden.json'), 'utf8'));
}

export function readGoldenAdapter(name: string): GoldenAdapter {
  return JSON.parse(readFileSync(join(adapterFolder(name), 'golden.json'), 'utf8'));
}

export function valuesOf({ shape, float32 }: GoldenTensor): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(float32, 'base64'));
  const values = new Float32Array(bytes.buffer);
  const size = shape.reduce((a, b) => a * b, 1);
  if (values.length !== size)
    throw new Error(
      `valuesOf: a tensor of shape [${shape.join(', ')}] must have ${size} numbers, got ${values.length}`,
    );
  return values;
}

/** Largest difference over the largest expected value; NaN where one is. */
export function relativeError(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (got.length !== expected.length)
    throw new Error(`relativeError: lengths must agree, got ${got.length} and ${expected.length}`);
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    difference = Number.isNaN(got[i]) ? NaN : Math.max(difference, Math.abs(got[i] - expected[i]));
    largest = Math.max(largest, Math.abs(expected[i]));
  }
  return difference / largest;
}
