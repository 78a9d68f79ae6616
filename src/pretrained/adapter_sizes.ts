import { IlrecError } from '../errors';
import type { DecoderSizes, WeightSize } from './decoder_sizes';
import type { MemoryCoefficients } from './memory_coefficients';

/** Sizes of low-rank adapters, for `estimateMemory`. */
export interface LoraSize {
  /** r, a positive integer. */
  readonly rank: number;
  /** Adapted weights: ends of their paths `layer/weight`, such as 'q_proj', or patterns. */
  readonly targets: readonly (string | RegExp)[];
  /** Weights that are trained as a whole, selected the same way. Default none. */
  readonly trainModules?: readonly (string | RegExp)[];
}

/** Path of an untied head's weight; adapters of a tied head go by it too. */
export const HEAD = 'lm_head/weight';
/** Projections whose products are concatenated, see src/layers/decoder_block.ts. */
const CONCATENATED = [/\/(q|k|v)_proj$/, /\/(gate|up)_proj$/];

/** Number of values in the adapters: r * (in + out) of each target. */
export function adapterValues(sizes: DecoderSizes, { rank, targets }: LoraSize, caller: string): number {
  if (!(Number.isInteger(rank) && rank >= 1))
    throw new IlrecError(`${caller}: rank must be a positive integer, got ${rank}`);
  return adaptedMatrices(sizes, targets, caller).reduce((sum, { shape }) => sum + rank * (shape[0] + shape[1]), 0);
}

/**
 * Values that adapters add in the blocks in a step of `rows` tokens. An adapter's product is concatenated with zeros
 * for neighbours without one.
 */
export function adapterStepValues(
  sizes: DecoderSizes,
  { rank, targets }: LoraSize,
  rows: number,
  { lora }: MemoryCoefficients,
  caller: string,
): number {
  const inBlocks = adaptedMatrices(sizes, targets, caller).filter(({ path }) => path !== HEAD);
  const groups = new Set(inBlocks.map(({ path }) => groupOf(path)));
  const beside = sizes.weights
    .filter(({ path }) => groupOf(path) !== null && groups.has(groupOf(path)))
    .reduce((sum, { shape }) => sum + shape[1], 0);
  return inBlocks.reduce(
    (sum, { shape: [inputs, outputs] }) =>
      sum + rows * (lora.inputs * inputs + lora.rank * rank + lora.outputs * outputs),
    rows * lora.joined * beside,
  );
}

/** Name of the group of projections whose products are concatenated with that of a weight; null for none. */
function groupOf(path: string): string | null {
  const group = CONCATENATED.findIndex((pattern) => pattern.test(path));
  return group === -1 ? null : `${path.slice(0, path.lastIndexOf('/'))} ${group}`;
}

/**
 * The adapted weights: matrices only, not norms and biases that a pattern matches. A tied head counts as a weight of
 * its own.
 */
export function adaptedMatrices(sizes: DecoderSizes, targets: LoraSize['targets'], caller: string): WeightSize[] {
  const { weights, isTied, vocabSize, hiddenSize } = sizes;
  const products = isTied
    ? [...weights, { path: HEAD, shape: [vocabSize, hiddenSize], size: vocabSize * hiddenSize }]
    : weights;
  return matchingWeights(products, targets, 'targets', caller).filter(({ shape }) => shape.length === 2);
}

/**
 * The weights that any of the selectors matches.
 *
 * @throws IlrecError when a selector matches none.
 */
export function matchingWeights(
  weights: readonly WeightSize[],
  selectors: readonly (string | RegExp)[],
  option: 'targets' | 'trainModules',
  caller: string,
): WeightSize[] {
  for (const selector of selectors) {
    if (!weights.some((weight) => matches(weight, selector))) {
      throw new IlrecError(
        `${caller}: ${option} must match weights of the model, got none for ${String(selector)}; it has ` +
          `${weights.map(({ path }) => path).join(', ')}`,
      );
    }
  }
  return weights.filter((weight) => selectors.some((selector) => matches(weight, selector)));
}

function matches({ path }: WeightSize, selector: string | RegExp): boolean {
  return typeof selector === 'string'
    ? path === selector || path.endsWith(`/${selector}`) || path.startsWith(`${selector}/`)
    : selector.test(path);
}
