import { type CausalLMConfig } from 'tfjs-ilrec';
import { defaultSizes } from '../src/models/causal_lm';
import type { BatchSizes } from './models';

export interface StepSizes extends BatchSizes {
  readonly model: CausalLMConfig;
  /** Rank of the adapters on all projections of the frozen model; null where all weights are trained. */
  readonly rank: number | null;
}

/**
 * Products of the body in a training step, forward and backward, in floating-point operations. With adapters no
 * gradient of a base weight is made, and none of what the first block reads.
 */
export function bodyFlops({ model, batchSize, sequenceLength, rank }: StepSizes): number {
  const {
    hiddenSize: D,
    intermediateSize: I,
    numHiddenLayers: L,
    numAttentionHeads: H,
    numKeyValueHeads: K,
    headDim: F,
  } = defaultSizes(model);
  const n = batchSize * sequenceLength;
  const reading = [
    [D, H * F],
    [D, K * F],
    [D, K * F],
  ]; // queries, keys and values, which read the block's input
  const others = [
    [H * F, D],
    [D, I],
    [D, I],
    [I, D],
  ];
  const product = ([size, out]: number[]): number => 2 * n * size * out;
  const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);
  // forward, gradient of the input, gradient of the weight
  const full = (shapes: number[][]): number => sum(shapes.map((shape) => 3 * product(shape)));
  const adapted = (shapes: number[][], r: number, isFirst: boolean): number =>
    sum(
      shapes.map(
        ([size, out]) =>
          (isFirst ? 1 : 2) * product([size, out]) + (isFirst ? 2 : 3) * product([size, r]) + 3 * product([r, out]),
      ),
    );
  const blocks =
    rank === null
      ? L * full([...reading, ...others])
      : adapted(reading, rank, true) + (L - 1) * adapted(reading, rank, false) + L * adapted(others, rank, false);
  // scores and contexts, and two gradients of each
  const attention = L * 6 * 2 * batchSize * H * sequenceLength ** 2 * F;
  return blocks + attention;
}

/**
 * Products of the head on the P response rows of `layers` layers: logits, gradient of the rows, and of a trained head
 * its gradient.
 */
export function headFlops(
  { model: { vocabSize, hiddenSize = 128 }, batchSize, response, rank }: StepSizes,
  layers: number,
): number {
  return (rank === null ? 6 : 4) * layers * batchSize * response * vocabSize * hiddenSize;
}
