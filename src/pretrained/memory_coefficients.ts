import * as tf from '@tensorflow/tfjs-core';
import { ownKernel } from '../ops/own_kernel';

/**
 * Values in memory per value of: hidden states [B, T, D], queries [B, T, H * F], keys [B, T, K * F], the MLP [B, T, I],
 * scores [B, H, T, T] and the mask [T, T].
 */
export interface BlockCoefficients {
  readonly hidden: number;
  readonly queries: number;
  readonly keys: number;
  readonly inner: number;
  readonly scores: number;
  readonly mask: number;
  /** Per value of kernels that are concatenated into one product, see src/layers/projection.ts. */
  readonly joined: number;
  /** Per value of the products of kernels too large to be concatenated. */
  readonly separate: number;
  /** Per value of all kernels. */
  readonly kernels: number;
}

/** Values in memory per logit of [P, V]: for plain cross-entropy, for ILRec's terms, and for each layer of S. */
export interface LogitCoefficients {
  readonly crossEntropy: number;
  readonly ilrec: number;
  readonly perLayer: number;
}

/**
 * Values in memory per value of [P, tile], and of the head's tile [tile, D], in each pass over a vocabulary that is
 * read in tiles.
 */
export interface TileCoefficients {
  readonly read: LogitCoefficients & { readonly head: number };
  /** The second pass, over rows with many negatives. */
  readonly again: { readonly perLogit: number; readonly head: number };
  /** The pass that makes the gradient of a trained head. */
  readonly gradient: LogitCoefficients & { readonly head: number };
}

/** Memory of a step at its peak. */
export interface MemoryCoefficients {
  /** A forward pass, in which the values of only one block exist: in its attention, and in its MLP. */
  readonly inference: Readonly<Record<'llama' | 'gpt2', readonly BlockCoefficients[]>>;
  readonly llama: BlockCoefficients;
  readonly gpt2: BlockCoefficients;
  /** Added when queries and keys are normalised per head. */
  readonly headNorms: Pick<BlockCoefficients, 'queries' | 'keys'>;
  /** Share of the blocks' peak that is in memory while the loss is computed. */
  readonly forwardShare: number;
  /**
   * Values added by an adapter, per value of: [B, T, in], [B, T, r], [B, T, out], its product concatenated with its
   * neighbours, and on the head [(1 + S) P, V].
   */
  readonly lora: {
    readonly inputs: number;
    readonly rank: number;
    readonly outputs: number;
    readonly joined: number;
    readonly logits: number;
  };
  /** A loss that makes all logits at once. */
  readonly logits: LogitCoefficients;
  /** A loss that reads the vocabulary in tiles. */
  readonly tiles: TileCoefficients;
  /** Copies of the head's gradient [V, D] beside the gradient itself; a tied embedding sums two of them. */
  readonly headCopies: Readonly<
    Record<'crossEntropy' | 'ilrec' | 'streamed', { readonly tied: number; readonly untied: number }>
  >;
}

/** Added by dropout. */
export const DROPOUT: Pick<BlockCoefficients, 'hidden' | 'scores'> = { hidden: 6, scores: 3 };

/**
 * A loss that makes all logits at once, while it makes them. It is the peak when logits outweigh the rest of the step.
 */
export const LOGITS_WHILE_MADE: LogitCoefficients = { crossEntropy: 7, ilrec: 27.5, perLayer: 3 };

/** Values of [B, T, D] kept per checkpointed block: its input and the gradient of its input. */
export const CHECKPOINTED = 2;

const NOTHING: BlockCoefficients = {
  hidden: 0,
  queries: 0,
  keys: 0,
  inner: 0,
  scores: 0,
  mask: 0,
  joined: 0,
  separate: 0,
  kernels: 0,
};

/** Inference in the attention, and in both halves of GPT-2's block; the same on all backends. */
const ATTENTION: BlockCoefficients = { ...NOTHING, hidden: 1.8, queries: 7.4, keys: 7.9, scores: 3, mask: 1.1 };
const GPT2_PREDICTION: readonly BlockCoefficients[] = [
  { ...NOTHING, hidden: 14, scores: 3, mask: 1 },
  { ...NOTHING, hidden: 17, inner: 10, mask: 1 },
];
const PREDICTION: MemoryCoefficients['inference'] = {
  llama: [ATTENTION, { ...NOTHING, hidden: 6.9, queries: 7.3, keys: 7.8, inner: 7, mask: 1.2 }],
  gpt2: GPT2_PREDICTION,
};

/**
 * Backends where a clone shares its values, which are most.
 *
 * `bench/memory_coefficients.ts` fits these and the following coefficients to the measured peak of many shapes. tfjs
 * keeps clones of most ops' inputs, and all gradients, until the step ends.
 */
const SHARED_CLONES: MemoryCoefficients = {
  inference: PREDICTION,
  llama: {
    hidden: 12.3,
    queries: 12.8,
    keys: 13.4,
    inner: 15,
    scores: 5,
    mask: 1.1,
    joined: 1.9,
    separate: 0.9,
    kernels: 0,
  },
  gpt2: { ...NOTHING, hidden: 42, inner: 21, scores: 5, mask: 1 },
  headNorms: { queries: 5, keys: 5.2 },
  forwardShare: 0.45,
  lora: { inputs: 2.3, rank: 4.1, outputs: 0, joined: 3.1, logits: 2 },
  logits: { crossEntropy: 3, ilrec: 23.3, perLayer: 3 },
  tiles: {
    read: { crossEntropy: 3, ilrec: 6, perLayer: 4, head: 1 },
    again: { perLogit: 20.7, head: 2.2 },
    gradient: { crossEntropy: 9, ilrec: 29.3, perLayer: 7.1, head: 1 },
  },
  headCopies: { crossEntropy: { tied: 2, untied: 1 }, ilrec: { tied: 3, untied: 2 }, streamed: { tied: 3, untied: 2 } },
};

/** The stock wasm backend, where a clone is a copy, also of each kernel. */
const COPIED_CLONES: MemoryCoefficients = {
  inference: PREDICTION,
  llama: {
    hidden: 22.3,
    queries: 17.1,
    keys: 14.8,
    inner: 16.9,
    scores: 8,
    mask: 1.2,
    joined: 1.9,
    separate: 1.9,
    kernels: 1,
  },
  gpt2: { ...NOTHING, hidden: 56.2, inner: 28.1, scores: 8, mask: 1.1, kernels: 1 },
  headNorms: { queries: 7, keys: 7.2 },
  forwardShare: 0.65,
  lora: { inputs: 3.9, rank: 6.4, outputs: 1.6, joined: 3.3, logits: 3 },
  logits: { crossEntropy: 4, ilrec: 38, perLayer: 6 },
  tiles: {
    read: { crossEntropy: 3, ilrec: 6, perLayer: 4, head: 1 },
    again: { perLogit: 23, head: 1.9 },
    gradient: { crossEntropy: 9, ilrec: 31.3, perLayer: 7.1, head: 1 },
  },
  headCopies: { crossEntropy: { tied: 4, untied: 3 }, ilrec: { tied: 6, untied: 5 }, streamed: { tied: 4, untied: 3 } },
};

/**
 * wasm with SIMD: clones share their values, and this package has kernels for norms, rotary embeddings, gates and the
 * loss's tiles.
 */
const FUSED_KERNELS: MemoryCoefficients = {
  inference: {
    llama: [ATTENTION, { ...NOTHING, hidden: 7, queries: 7.6, keys: 7.6, inner: 3, mask: 1.3 }],
    gpt2: GPT2_PREDICTION,
  },
  llama: {
    hidden: 12.2,
    queries: 13,
    keys: 12.9,
    inner: 5.9,
    scores: 4,
    mask: 1.1,
    joined: 2,
    separate: 1.9,
    kernels: 0,
  },
  gpt2: { ...NOTHING, hidden: 42, inner: 21, scores: 4, mask: 1 },
  headNorms: { queries: 5, keys: 5.2 },
  forwardShare: 0.48,
  lora: { inputs: 1.9, rank: 4, outputs: 0.6, joined: 3.3, logits: 2 },
  logits: { crossEntropy: 3, ilrec: 24, perLayer: 3 },
  tiles: {
    read: { crossEntropy: 2, ilrec: 4.1, perLayer: 3, head: 0 },
    again: { perLogit: 7.5, head: 1 },
    gradient: { crossEntropy: 8.7, ilrec: 16.4, perLayer: 7.1, head: 0 },
  },
  headCopies: { crossEntropy: { tied: 2, untied: 0 }, ilrec: { tied: 3, untied: 1 }, streamed: { tied: 3, untied: 1 } },
};

/**
 * TensorFlow with this package's kernels: tiles are made by tfjs's ops, and an untied head's gradient is in memory
 * twice.
 */
const TENSORFLOW_KERNELS: MemoryCoefficients = {
  ...FUSED_KERNELS,
  tiles: SHARED_CLONES.tiles,
  headCopies: SHARED_CLONES.headCopies,
};

/** The coefficients of the current backend; without a backend, those of one that shares clones. */
export function memoryCoefficients(): MemoryCoefficients {
  if (!tf.getBackend()) return SHARED_CLONES;
  if (ownKernel('ILRecGate') !== null)
    return ownKernel('ILRecTileLogits') === null ? TENSORFLOW_KERNELS : FUSED_KERNELS;
  const copies = tf.tidy(() => {
    const value = tf.zeros([1]);
    return tf.clone(value).dataId === value.dataId ? 0 : 1;
  });
  return copies === 0 ? SHARED_CLONES : COPIED_CLONES;
}
