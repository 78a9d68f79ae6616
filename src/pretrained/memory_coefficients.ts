import * as tf from '@tensorflow/tfjs-core';
import { ownKernel } from '../ops/own_kernel';

/** Numbers held per value of [B, T, D], of queries [B, T, H * F], of keys [B, T, K * F], of the MLP [B, T, I], of scores [B, H, T, T] and of the mask [T, T]. */
export interface BlockCoefficients {
  readonly hidden: number;
  readonly queries: number;
  readonly keys: number;
  readonly inner: number;
  readonly scores: number;
  readonly mask: number;
  /** Per number of the kernels that are joined into one product, see src/layers/projection.ts. */
  readonly joined: number;
  /** Per value of the products of kernels that are too large to be joined. */
  readonly separate: number;
  /** Per number of all kernels. */
  readonly kernels: number;
}

/** Values of [P, V]: of plain cross-entropy, of ILRec's terms, and for each layer of S. */
export interface LogitCoefficients {
  readonly crossEntropy: number;
  readonly ilrec: number;
  readonly perLayer: number;
}

/** Values of [P, tile] and of the head's part in it, [tile, D], in each pass over a vocabulary that is read tile by tile. */
export interface TileCoefficients {
  readonly read: LogitCoefficients & { readonly head: number };
  /** Of rows with many negatives, once more. */
  readonly again: { readonly perLogit: number; readonly head: number };
  /** Where the gradient of a trained head is made. */
  readonly gradient: LogitCoefficients & { readonly head: number };
}

/** What a step holds at its peak. */
export interface MemoryCoefficients {
  /** A forward pass, in which only one block's values exist: at its attention, and at its MLP. */
  readonly inference: Readonly<Record<'llama' | 'gpt2', readonly BlockCoefficients[]>>;
  readonly llama: BlockCoefficients;
  readonly gpt2: BlockCoefficients;
  /** Added where queries and keys are normalised per head. */
  readonly headNorms: Pick<BlockCoefficients, 'queries' | 'keys'>;
  /** Share of what blocks hold at the peak that is there when the loss is made. */
  readonly forwardShare: number;
  /** Values that an adapter adds: of [B, T, in], of [B, T, r], of [B, T, out], of its product with those beside it, and on the head of [(1 + S) P, V]. */
  readonly lora: {
    readonly inputs: number;
    readonly rank: number;
    readonly outputs: number;
    readonly joined: number;
    readonly logits: number;
  };
  /** Of a loss that makes all logits at once. */
  readonly logits: LogitCoefficients;
  /** Of a loss that reads the vocabulary tile by tile. */
  readonly tiles: TileCoefficients;
  /** Copies of the head's gradient [V, D] beside the gradient itself; a tied embedding adds two of them up. */
  readonly headCopies: Readonly<
    Record<'crossEntropy' | 'ilrec' | 'streamed', { readonly tied: number; readonly untied: number }>
  >;
}

/** Added by dropout. */
export const DROPOUT: Pick<BlockCoefficients, 'hidden' | 'scores'> = { hidden: 6, scores: 3 };

/** Of a loss that makes all logits at once, while it does: what counts where they outweigh the rest of the step, as on TensorFlow, where they may be many. */
export const LOGITS_WHILE_MADE: LogitCoefficients = { crossEntropy: 7, ilrec: 27.5, perLayer: 3 };

/** Values of [B, T, D] that a checkpointed block keeps: its input and that input's gradient. */
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

/** A prediction at its attention, and GPT-2's at both: the same on all backends. */
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
 * Fitted by `bench/memory_coefficients.ts`, as all of these, to what the engine holds over shapes of every kind: tfjs keeps the inputs of most ops, as
 * clones, and every gradient until the step ends. Where a clone shares its values, on most backends:
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

/** Where a clone is a copy, as the stock wasm backend makes it: of each kernel too. */
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

/** Where clones share their values, and norms, rotations, gates and the loss's tiles have kernels of this package, as on wasm with SIMD. */
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

/** The same kernels on TensorFlow, where tfjs's own tiles are cut and an untied head's gradient is held twice. */
const TENSORFLOW_KERNELS: MemoryCoefficients = {
  ...FUSED_KERNELS,
  tiles: SHARED_CLONES.tiles,
  headCopies: SHARED_CLONES.headCopies,
};

/** The coefficients of the backend in use; of one that shares clones where none has started. */
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
