import * as tf from '@tensorflow/tfjs-core';
import { DecoderBlock } from './decoder_block';
import { Dropout } from './dropout';
import { LMHead } from './lm_head';
import { RMSNorm } from './rms_norm';
import { SASRecBlock } from './sasrec_block';
import { SASRecEmbedding } from './sasrec_embedding';
import { TokenEmbedding } from './token_embedding';

/** Makes the layers known to `tf.loadLayersModel` under their class names, each of which starts with `ILRec`. */
export function registerLayers(): void {
  for (const layer of [DecoderBlock, Dropout, LMHead, RMSNorm, SASRecBlock, SASRecEmbedding, TokenEmbedding]) tf.serialization.registerClass(layer);
}
