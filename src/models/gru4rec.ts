import * as tfl from '@tensorflow/tfjs-layers';
import '../register'; // in a bundle nothing else does
import { Dropout } from '../layers/dropout';
import { GRU } from '../layers/gru';
import { HistoryEmbedding } from '../layers/history_embedding';
import { mixSeeds } from '../ops/dropout';
import { checkConfig, checkObject } from './check_config';

/** Sizes and settings of GRU4Rec. */
export interface GRU4RecConfig {
  /** N, items of the catalogue. */
  numItems: number;
  /** Longest history that the scorer shows the model, in items. Default 50. */
  maxHistory?: number;
  /** D, width of the item embeddings and of the states that score the items. Default 64. */
  embeddingSize?: number;
  /** Width of the recurrent layers. Default 128. */
  hiddenSize?: number;
  /** L, number of recurrent layers. Default 1. */
  numHiddenLayers?: number;
  /** Whether the input embeddings also score the items; otherwise scoring has its own table. Default true. */
  tieItemEmbeddings?: boolean;
  /** Whether a learned bias is added to the scores of items already in the history. Default true. */
  useRepeatBias?: boolean;
  /** Dropout of the embedded items and of what each recurrent layer returns, in [0, 1). Default 0.3. */
  hiddenDropout?: number;
  /** Standard deviation of the initial item embeddings. Default 0.02. */
  initializerRange?: number;
  /** Seed of weights and dropout. Default 0. */
  seed?: number;
}

/**
 * Builds GRU4Rec (Hidasi et al., arXiv 1511.06939) as a functional `tf.LayersModel`: rows of `sasrecBatch`, int32
 * [B, T], to states [B, T, D].
 *
 * ```
 * x = sqrt(D) E_i of the item i that is read
 * r = sigmoid(x W_r + b_r + h U_r + d_r),   z = sigmoid(x W_z + b_z + h U_z + d_z)
 * n = tanh(x W_n + b_n + r (h U_n + d_n)),   h' = n + z (h - n)
 * state = h' P + p,   score of item i = state . E_i
 * ```
 * The state at position t has seen t items. As in SASRec here, and unlike in the paper, the softmax of training is over
 * all items at every position, and the item table is that of the input unless `tieItemEmbeddings` is false.
 *
 * The loss and the scorer apply the head, so that training never makes scores [B, T, N]: compile with
 * `nextItemLoss(model)`, recommend with `nextItemScorer(model)`.
 *
 * @param config sizes and settings; only `numItems` is required.
 * @returns the model, with random weights.
 * @throws IlrecError when a size is not a positive integer, or the dropout is outside [0, 1).
 * @example
 * ```ts
 * import { gru4rec, nextItemLoss, nextItemScorer, sasrecBatch, sasrecRows } from 'tfjs-ilrec';
 * import * as tf from '@tensorflow/tfjs-core';
 *
 * const model = gru4rec({ numItems: 10, embeddingSize: 8, hiddenSize: 12 });
 * const { xs, ys } = sasrecBatch(sasrecRows([7, 3, 5], 50));
 * console.log((model.predict(xs) as tf.Tensor).shape); // [ 1, 3, 8 ]
 * console.log(nextItemLoss(model)(ys, model.predict(xs) as tf.Tensor).dataSync()[0].toFixed(1)); // 2.3
 * console.log(nextItemScorer(model).score([[7, 3]]).shape); // [ 1, 10 ]
 * ```
 */
export function gru4rec(config: GRU4RecConfig): tfl.LayersModel {
  checkObject('gru4rec', config);
  const { numItems, maxHistory = 50, embeddingSize = 64, hiddenSize = 128, numHiddenLayers = 1 } = config;
  const { tieItemEmbeddings = true, useRepeatBias = true, hiddenDropout = 0.3 } = config;
  const { initializerRange = 0.02, seed = 0 } = config;
  checkConfig('gru4rec', { numItems, maxHistory, embeddingSize, hiddenSize, numHiddenLayers }, { hiddenDropout });

  const inputIds = tfl.input({ shape: [null], dtype: 'int32', name: 'items' }); // [B, T]
  const embedding = new HistoryEmbedding({
    name: 'embedding',
    numItems,
    maxHistory,
    hiddenSize: embeddingSize,
    tieItemEmbeddings,
    useRepeatBias,
    hiddenDropout,
    initializerRange,
    seed: mixSeeds(seed, 1),
  });
  let hidden = embedding.apply(inputIds) as tfl.SymbolicTensor; // [B, T, D]
  for (let layer = 0; layer < numHiddenLayers; layer++) {
    const gru = new GRU({ name: `gru_${layer}`, units: hiddenSize, seed: mixSeeds(seed, 2, layer) });
    const dropout = new Dropout({ name: `dropout_${layer}`, rate: hiddenDropout, seed: mixSeeds(seed, 3, layer) });
    hidden = dropout.apply(gru.apply(hidden)) as tfl.SymbolicTensor; // [B, T, hiddenSize]
  }
  const kernelInitializer = tfl.initializers.glorotUniform({ seed: mixSeeds(seed, 4) });
  const projection = tfl.layers.dense({ name: 'projection', units: embeddingSize, kernelInitializer });
  const states = projection.apply(hidden) as tfl.SymbolicTensor; // [B, T, D]
  return tfl.model({ inputs: inputIds, outputs: states, name: 'gru4rec' });
}
