import * as tf from '@tensorflow/tfjs-core';

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

/** What a training step holds at its peak. */
export interface TrainingCoefficients {
  readonly llama: BlockCoefficients;
  readonly gpt2: BlockCoefficients;
  /** Added where queries and keys are normalised per head. */
  readonly headNorms: Pick<BlockCoefficients, 'queries' | 'keys'>;
  /** Values that an adapter adds in a block: of [B, T, in], of [B, T, r] and of [B, T, out]. */
  readonly lora: { readonly inputs: number; readonly rank: number; readonly outputs: number };
  /** Values of [P, V] in the loss: of plain cross-entropy, of ILRec's terms, and for each layer of S. */
  readonly loss: { readonly crossEntropy: number; readonly ilrec: number; readonly perLayer: number };
  /** Copies of the head's gradient [V, D] beside the gradient itself; a tied embedding adds two of them up. */
  readonly headCopies: { readonly tied: number; readonly untied: number };
}

/** Added by dropout. */
export const DROPOUT: Pick<BlockCoefficients, 'hidden' | 'scores'> = { hidden: 6, scores: 3 };

/** Values of [B, T, D] that a checkpointed block keeps: its input and that input's gradient. */
export const CHECKPOINTED = 2;

const NOTHING: BlockCoefficients = { hidden: 0, queries: 0, keys: 0, inner: 0, scores: 0, mask: 0, joined: 0, separate: 0, kernels: 0 };

/**
 * A forward pass, in which only one block's values exist: at its attention, and at its MLP.
 */
export const INFERENCE: Readonly<Record<'llama' | 'gpt2', readonly BlockCoefficients[]>> = {
  llama: [{ ...NOTHING, hidden: 2, queries: 7, keys: 7.5, scores: 3, mask: 1 }, { ...NOTHING, hidden: 7, queries: 7.4, keys: 8.1, inner: 7, mask: 1.6 }],
  gpt2: [{ ...NOTHING, hidden: 13, scores: 3, mask: 1 }, { ...NOTHING, hidden: 17, inner: 10, mask: 1 }],
};

/**
 * Fitted by `bench/memory_coefficients.ts` to what the engine holds over shapes of every kind: tfjs keeps the inputs of most ops, as clones, and
 * every gradient until the step ends. Where a clone shares its values, on most backends:
 */
const SHARED_CLONES: TrainingCoefficients = {
  llama: { hidden: 12.3, queries: 13, keys: 13.5, inner: 15, scores: 5, mask: 1.2, joined: 1.9, separate: 0.9, kernels: 0 },
  gpt2: { ...NOTHING, hidden: 42, inner: 21, scores: 5, mask: 1 },
  headNorms: { queries: 5, keys: 5.2 },
  lora: { inputs: 2, rank: 2, outputs: 4.3 },
  loss: { crossEntropy: 3, ilrec: 23.5, perLayer: 3.3 },
  headCopies: { tied: 3.5, untied: 2 },
};

/** Where a clone is a copy, as the stock wasm backend makes it: of each kernel too. */
const COPIED_CLONES: TrainingCoefficients = {
  llama: { hidden: 22.3, queries: 17.3, keys: 15, inner: 16.9, scores: 8, mask: 1.3, joined: 1.9, separate: 1.9, kernels: 1 },
  gpt2: { ...NOTHING, hidden: 56.2, inner: 28, scores: 8, mask: 1.1, kernels: 1 },
  headNorms: { queries: 7, keys: 7.2 },
  lora: { inputs: 3.5, rank: 6.4, outputs: 4.5 },
  loss: { crossEntropy: 5, ilrec: 36, perLayer: 10 },
  headCopies: { tied: 6, untied: 4 },
};

/** The coefficients of the backend in use; of one that shares clones where none has started. */
export function trainingCoefficients(): TrainingCoefficients {
  if (!tf.getBackend()) return SHARED_CLONES;
  const copies = tf.tidy(() => {
    const value = tf.zeros([1]);
    return tf.clone(value).dataId === value.dataId ? 0 : 1;
  });
  return copies === 0 ? SHARED_CLONES : COPIED_CLONES;
}
