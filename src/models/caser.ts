import * as tfl from '@tensorflow/tfjs-layers';
import '../register'; // in a bundle nothing else does
import { CaserFilters } from '../layers/caser_filters';
import { Dropout } from '../layers/dropout';
import { HistoryEmbedding } from '../layers/history_embedding';
import { mixSeeds } from '../ops/dropout';
import { checkConfig, checkObject } from './check_config';

/** Sizes and settings of Caser. */
export interface CaserConfig {
  /** N, items of the catalogue. */
  numItems: number;
  /** L, newest items of a history that the model reads. Default 5. */
  windowSize?: number;
  /** D, width of the item embeddings and of the states that score the items. Default 64. */
  hiddenSize?: number;
  /** Horizontal filters of each height from 1 to L. Default 8. */
  numHorizontalFilters?: number;
  /** Vertical filters. Default 4. */
  numVerticalFilters?: number;
  /**
   * Whether the input embeddings also score the items; otherwise scoring has its own table, as in the paper. Default
   * true.
   */
  tieItemEmbeddings?: boolean;
  /** Whether a learned bias is added to the scores of items already in the history. Default true. */
  useRepeatBias?: boolean;
  /** Dropout of the embedded items and of what the filters return, in [0, 1). Default 0.3. */
  hiddenDropout?: number;
  /** Standard deviation of the initial item embeddings. Default 0.02. */
  initializerRange?: number;
  /** Seed of weights and dropout. Default 0. */
  seed?: number;
}

/**
 * Builds Caser (Tang & Wang, arXiv 1809.07426) as a functional `tf.LayersModel`: rows of `sasrecBatch`, int32 [B, T], to
 * states [B, T, D].
 *
 * ```
 * X = sqrt(D) times the embeddings of the newest L items, [L, D]; rows before the first item are 0
 * o_h = relu( max_i <W_h, X[i : i + h]> + b_h ) for h = 1 ... L;   o_v = C X
 * state = relu( W [o_1, ..., o_L, o_v] + b ),   score of item i = state . E_i
 * ```
 * The state at position t has seen the newest L of t items. A row is read as all its windows at once, so the batches of
 * SASRec serve as the paper's sliding windows.
 *
 * Unlike the paper: there is no embedding of the user, which could not serve users who were not in the training. The
 * softmax of training is over all items, where the paper has sampled negatives, and each window has the next item as its
 * target. The item table is that of the input unless `tieItemEmbeddings` is false, and the scores have no bias of each
 * item.
 *
 * The loss and the scorer apply the head, so that training never makes scores [B, T, N]: compile with
 * `nextItemLoss(model)`, recommend with `nextItemScorer(model)`.
 *
 * @param config sizes and settings; only `numItems` is required.
 * @returns the model, with random weights.
 * @throws IlrecError when a size is not a positive integer, or the dropout is outside [0, 1).
 * @example
 * ```ts
 * import { caser, nextItemLoss, nextItemScorer, sasrecBatch, sasrecRows } from 'tfjs-ilrec';
 * import * as tf from '@tensorflow/tfjs-core';
 *
 * const model = caser({ numItems: 10, windowSize: 3, hiddenSize: 8 });
 * const { xs, ys } = sasrecBatch(sasrecRows([7, 3, 5], 50));
 * console.log((model.predict(xs) as tf.Tensor).shape); // [ 1, 3, 8 ]
 * console.log(nextItemLoss(model)(ys, model.predict(xs) as tf.Tensor).dataSync()[0].toFixed(1)); // 2.3
 * console.log(nextItemScorer(model).score([[7, 3]]).shape); // [ 1, 10 ]
 * ```
 */
export function caser(config: CaserConfig): tfl.LayersModel {
  checkObject('caser', config);
  const { numItems, windowSize = 5, hiddenSize = 64, numHorizontalFilters = 8, numVerticalFilters = 4 } = config;
  const { tieItemEmbeddings = true, useRepeatBias = true, hiddenDropout = 0.3 } = config;
  const { initializerRange = 0.02, seed = 0 } = config;
  checkConfig(
    'caser',
    { numItems, windowSize, hiddenSize, numHorizontalFilters, numVerticalFilters },
    { hiddenDropout },
  );

  const inputIds = tfl.input({ shape: [null], dtype: 'int32', name: 'items' }); // [B, T]
  const embedding = new HistoryEmbedding({
    name: 'embedding',
    numItems,
    maxHistory: windowSize,
    hiddenSize,
    tieItemEmbeddings,
    useRepeatBias,
    hiddenDropout,
    initializerRange,
    seed: mixSeeds(seed, 1),
  });
  const filters = new CaserFilters({
    name: 'filters',
    windowSize,
    numHorizontalFilters,
    numVerticalFilters,
    seed: mixSeeds(seed, 2),
  });
  const dropout = new Dropout({ name: 'dropout', rate: hiddenDropout, seed: mixSeeds(seed, 3) });
  const kernelInitializer = tfl.initializers.glorotUniform({ seed: mixSeeds(seed, 4) });
  const dense = tfl.layers.dense({ name: 'dense', units: hiddenSize, activation: 'relu', kernelInitializer });

  const embedded = embedding.apply(inputIds) as tfl.SymbolicTensor; // [B, T, D]
  const filtered = dropout.apply(filters.apply(embedded)) as tfl.SymbolicTensor; // [B, T, L F + G D]
  const states = dense.apply(filtered) as tfl.SymbolicTensor; // [B, T, D]
  return tfl.model({ inputs: inputIds, outputs: states, name: 'caser' });
}
