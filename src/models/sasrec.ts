import * as tfl from '@tensorflow/tfjs-layers';
import '../register'; // bundlers skip the import in index.ts
import { IlrecError } from '../errors';
import { SASRecBlock } from '../layers/sasrec_block';
import { SASRecEmbedding } from '../layers/sasrec_embedding';
import { mixSeeds } from '../ops/dropout';

export interface SASRecConfig {
  /** N, items of the catalogue. */
  numItems: number;
  /** Most items of a history that the model reads. Default 50. */
  maxHistory?: number;
  /** D. Default 64. */
  hiddenSize?: number;
  /** L, number of blocks. Default 2. */
  numHiddenLayers?: number;
  /** H, attention heads; divides D. Default 2. */
  numAttentionHeads?: number;
  /** I, width of the feed-forward layers. Default 4 D. */
  intermediateSize?: number;
  /** Whether items are scored with the embeddings that they are read with, as in the paper, instead of a table of their own. Default true. */
  tieItemEmbeddings?: boolean;
  /**
   * Whether a learned bias is added to the scores of the items seen already; false is the paper's model. Default true: on data without repeats the
   * paper's model ranks the item just read first for a third of the users.
   */
  useRepeatBias?: boolean;
  /** Dropout of the embedded items and of each branch, in [0, 1). Default 0.5. */
  hiddenDropout?: number;
  /** Dropout of the attention probabilities, in [0, 1). Default 0.5. */
  attentionDropout?: number;
  /** Added to the variance by the norms. Default 1e-6. */
  layerNormEps?: number;
  /** Standard deviation of the initial weights. Default 0.02. */
  initializerRange?: number;
  /** Seed of weights and dropout. Default 0. */
  seed?: number;
}

/**
 * SASRec (Kang & McAuley, arXiv 1808.09781) as a functional `tf.LayersModel`: rows of `sasrecBatch`, int32 [B, T], to hidden states
 * [B, T, D]. The state at position t has seen t items; its product with the table of items scores the one that comes next, and a learned bias is
 * added to the items seen already: tied embeddings draw a state to what it has just read, which few people buy twice.
 *
 * The head is left to the loss and to the scorer, so that scores [B, T, N] are never made in training:
 * `model.compile({ optimizer, loss: sasrecLoss(model) })`, then `sasrecScorer(model)`.
 *
 * @throws IlrecError on a size that is not a positive integer, heads that do not divide, or a dropout outside [0, 1).
 */
export function sasrec(config: SASRecConfig): tfl.LayersModel {
  const {
    numItems,
    maxHistory = 50,
    hiddenSize = 64,
    numHiddenLayers = 2,
    numAttentionHeads = 2,
    intermediateSize = 4 * hiddenSize,
  } = config;
  const {
    tieItemEmbeddings = true,
    useRepeatBias = true,
    hiddenDropout = 0.5,
    attentionDropout = 0.5,
    layerNormEps = 1e-6,
    initializerRange = 0.02,
    seed = 0,
  } = config;
  validate(
    { numItems, maxHistory, hiddenSize, numHiddenLayers, numAttentionHeads, intermediateSize },
    { hiddenDropout, attentionDropout },
  );

  const inputIds = tfl.input({ shape: [null], dtype: 'int32', name: 'items' }); // [B, T]
  const shared = { hiddenDropout, layerNormEps, initializerRange };
  const head = { tieItemEmbeddings, useRepeatBias };
  const embedding = new SASRecEmbedding({
    name: 'embedding',
    numItems,
    maxHistory,
    hiddenSize,
    ...head,
    ...shared,
    seed: mixSeeds(seed, 1),
  });
  let hidden = embedding.apply(inputIds) as tfl.SymbolicTensor; // [B, T, D]
  for (let layer = 0; layer < numHiddenLayers; layer++) {
    const seedOfLayer = mixSeeds(seed, 2, layer);
    const block = new SASRecBlock({
      name: `blocks_${layer}`,
      numAttentionHeads,
      intermediateSize,
      attentionDropout,
      ...shared,
      seed: seedOfLayer,
    });
    hidden = block.apply(hidden) as tfl.SymbolicTensor; // [B, T, D]
  }
  return tfl.model({ inputs: inputIds, outputs: hidden, name: 'sasrec' });
}

/** The embedding layer of a model made by `sasrec` or loaded again; it holds the item table, the number of items and the longest history. */
export function sasrecEmbedding(model: tfl.LayersModel): SASRecEmbedding {
  const embedding = model.layers.find(
    (layer): layer is SASRecEmbedding => layer.getClassName() === SASRecEmbedding.className,
  );
  if (embedding === undefined) {
    const seen = model.layers.map((layer) => layer.getClassName()).join(', ');
    throw new IlrecError(
      `sasrecEmbedding: the model must hold an ILRecSASRecEmbedding layer, got ${seen}; make it with sasrec()`,
    );
  }
  return embedding;
}

function validate(sizes: Record<string, number>, rates: Record<string, number>): void {
  for (const [name, value] of Object.entries(sizes)) {
    if (!Number.isInteger(value) || value < 1)
      throw new IlrecError(`sasrec: ${name} must be a positive integer, got ${value}`);
  }
  if (sizes.hiddenSize % sizes.numAttentionHeads !== 0) {
    throw new IlrecError(
      `sasrec: numAttentionHeads must divide hiddenSize, got ${sizes.numAttentionHeads} and ${sizes.hiddenSize}`,
    );
  }
  for (const [name, value] of Object.entries(rates)) {
    if (!(value >= 0 && value < 1)) throw new IlrecError(`sasrec: ${name} must be in [0, 1), got ${value}`);
  }
}
