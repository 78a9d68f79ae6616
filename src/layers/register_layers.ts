import * as tf from '@tensorflow/tfjs-core';
import { CaserFilters } from './caser_filters';
import { DecoderBlock } from './decoder_block';
import { Dropout } from './dropout';
import { GPT2Block } from './gpt2_block';
import { GRU } from './gru';
import { HistoryEmbedding } from './history_embedding';
import { ItemEmbedding } from './item_embedding';
import { LayerNorm } from './layer_norm';
import { LMHead } from './lm_head';
import { PaddingMask } from './padding_mask';
import { PositionEmbedding } from './position_embedding';
import { RMSNorm } from './rms_norm';
import { SASRecBlock } from './sasrec_block';
import { SASRecEmbedding } from './sasrec_embedding';
import { T5Block } from './t5_block';
import { T5PositionBias } from './t5_position_bias';
import { TokenEmbedding } from './token_embedding';

/**
 * Registers the layers for `tf.loadLayersModel` under their class names, which start with `ILRec`. What builds, loads
 * or trains a model does that by itself; a bundle that uses nothing of it calls this before it loads a saved model.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import * as tfl from '@tensorflow/tfjs-layers';
 * import { registerLayers } from 'tfjs-ilrec';
 *
 * registerLayers();
 * const layer = { className: 'ILRecRMSNorm', config: { name: 'norm', batchInputShape: [null, 8] } };
 * const model = await tfl.models.modelFromJSON({ className: 'Sequential', config: { name: 'saved', layers: [layer] } });
 * console.log((model.predict(tf.ones([2, 8])) as tf.Tensor).shape); // [ 2, 8 ]
 * ```
 */
export function registerLayers(): void {
  const layers = [
    CaserFilters,
    DecoderBlock,
    Dropout,
    GPT2Block,
    GRU,
    HistoryEmbedding,
    ItemEmbedding,
    LayerNorm,
    LMHead,
    PaddingMask,
    PositionEmbedding,
    RMSNorm,
    SASRecBlock,
    SASRecEmbedding,
    T5Block,
    T5PositionBias,
    TokenEmbedding,
  ];
  for (const layer of layers) tf.serialization.registerClass(layer);
}
