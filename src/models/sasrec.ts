import * as tfl from '@tensorflow/tfjs-layers';
import '../register'; // in a bundle nothing else does
import { IlrecError } from '../errors';
import { SASRecBlock } from '../layers/sasrec_block';
import { SASRecEmbedding } from '../layers/sasrec_embedding';
import { mixSeeds } from '../ops/dropout';
import { checkConfig, checkObject } from './check_config';

/** Sizes and settings of SASRec. */
export interface SASRecConfig {
  /** N, items of the catalogue. */
  numItems: number;
  /** Longest history that the model reads, in items. Default 50. */
  maxHistory?: number;
  /** D, width of the hidden states. Default 64. */
  hiddenSize?: number;
  /** L, number of blocks. Default 2. */
  numHiddenLayers?: number;
  /** H, attention heads; divides D. Default 2. */
  numAttentionHeads?: number;
  /** I, width of the feed-forward layers. Default 4 D. */
  intermediateSize?: number;
  /**
   * Whether the input embeddings also score the items, as in the paper; otherwise scoring has its own table.
   * Default true.
   */
  tieItemEmbeddings?: boolean;
  /**
   * Whether a learned bias is added to the scores of items already in the history; false is the paper's model. Default
   * true: on data without repeats the paper's model ranks the last item first for a third of the users.
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
 * Builds SASRec (Kang & McAuley, arXiv 1808.09781) as a functional `tf.LayersModel`: rows of `sasrecBatch`, int32
 * [B, T], to hidden states [B, T, D].
 *
 * The state at position t has seen t items; its product with the item table scores the next item. A learned bias is
 * added to items already in the history: tied embeddings pull a state towards the item just read, which few people buy
 * twice.
 *
 * The loss and the scorer apply the head, so that training never makes scores [B, T, N]: compile with
 * `sasrecLoss(model)`, recommend with `sasrecScorer(model)`.
 *
 * @param config sizes and settings; only `numItems` is required.
 * @returns the model, with random weights.
 * @throws IlrecError when a size is not a positive integer, numAttentionHeads does not divide hiddenSize, or a dropout
 * is outside [0, 1).
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { sasrec, sasrecBatch, sasrecRows } from 'tfjs-ilrec';
 *
 * const model = sasrec({ numItems: 10, hiddenSize: 8 });
 * const { xs } = sasrecBatch(sasrecRows([7, 3, 5], 50));
 * console.log((model.predict(xs) as tf.Tensor).shape); // [ 1, 3, 8 ]
 * ```
 */
export function sasrec(config: SASRecConfig): tfl.LayersModel {
  checkObject('sasrec', config);
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
  checkConfig(
    'sasrec',
    { numItems, maxHistory, hiddenSize, numHiddenLayers, numAttentionHeads, intermediateSize },
    { hiddenDropout, attentionDropout },
  );
  if (hiddenSize % numAttentionHeads !== 0) {
    throw new IlrecError(
      `sasrec: numAttentionHeads must divide hiddenSize, got ${numAttentionHeads} and ${hiddenSize}`,
    );
  }

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

/**
 * The embedding layer of a model made by `sasrec`, also after saving and loading. It owns the item table and knows
 * `numItems` and `maxHistory`.
 *
 * @param caller the public function that error messages name.
 */
export function sasrecEmbedding(model: tfl.LayersModel, caller: string): SASRecEmbedding {
  const embedding = model.layers.find(
    (layer): layer is SASRecEmbedding => layer.getClassName() === SASRecEmbedding.className,
  );
  if (embedding === undefined) {
    const seen = model.layers.map((layer) => layer.getClassName()).join(', ');
    throw new IlrecError(
      `${caller}: the model must have an ILRecSASRecEmbedding layer, got ${seen}; make it with sasrec()`,
    );
  }
  return embedding;
}
