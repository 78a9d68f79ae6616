import * as tfl from '@tensorflow/tfjs-layers';
import { Dropout, GPT2Block, LayerNorm, LMHead, PositionEmbedding, TokenEmbedding } from '../../layers';
import { mixSeeds } from '../../ops/dropout';
import type { ModelFamily } from '../family';
import { gpt2Config, type GPT2Config } from './config';
import { gpt2Weights, IGNORED_TENSORS } from './weights';

/** GPT-2, and what is built alike: DistilGPT-2, DialoGPT. */
export const GPT2: ModelFamily = {
  modelType: 'gpt2',
  architecture: 'GPT2LMHeadModel',
  build: (config, source) => gpt2(gpt2Config(config, source)),
  weights: (config, source) => gpt2Weights(gpt2Config(config, source)),
  basePrefix: 'transformer.',
  ignored: IGNORED_TENSORS,
};

/** GPT-2 (Radford et al., 2019) as a functional `tf.LayersModel`: token ids int32 [B, T] to logits [B, T, V]. */
export function gpt2(config: GPT2Config, seed = 0): tfl.LayersModel {
  const { vocabSize, hiddenSize, numHiddenLayers, numAttentionHeads, maxPositionEmbeddings, intermediateSize, hiddenAct, layerNormEpsilon } = config;
  const { attentionDropout, hiddenDropout, embeddingDropout, initializerRange, scaleAttnWeights, scaleAttnByInverseLayerIdx } = config;
  const scale = scaleAttnWeights ? 1 / Math.sqrt(hiddenSize / numAttentionHeads) : 1;

  const inputIds = tfl.input({ shape: [null], dtype: 'int32', name: 'input_ids' }); // [B, T]
  const embedding = new TokenEmbedding({ name: 'embed_tokens', vocabSize, hiddenSize, initializerRange, seed: mixSeeds(seed, 1) });
  const positions = new PositionEmbedding({ name: 'embed_positions', maxPositionEmbeddings, initializerRange, seed: mixSeeds(seed, 5) });
  let hidden = positions.apply(embedding.apply(inputIds)) as tfl.SymbolicTensor; // [B, T, D]
  if (embeddingDropout > 0) {
    hidden = new Dropout({ name: 'embed_dropout', rate: embeddingDropout, seed: mixSeeds(seed, 2) }).apply(hidden) as tfl.SymbolicTensor;
  }
  for (let layer = 0; layer < numHiddenLayers; layer++) {
    const block = new GPT2Block({
      name: `h_${layer}`,
      numAttentionHeads,
      intermediateSize,
      attentionScale: scaleAttnByInverseLayerIdx ? scale / (layer + 1) : scale,
      hiddenAct,
      layerNormEpsilon,
      attentionDropout,
      hiddenDropout,
      initializerRange,
      seed: mixSeeds(seed, 3, layer),
    });
    hidden = block.apply(hidden) as tfl.SymbolicTensor; // [B, T, D]
  }
  const normed = new LayerNorm({ name: 'ln_f', epsilon: layerNormEpsilon }).apply(hidden); // [B, T, D]
  const head = config.tieWordEmbeddings ? embedding : new LMHead({ name: 'lm_head', vocabSize, initializerRange, seed: mixSeeds(seed, 4) });
  const logits = head.apply(normed) as tfl.SymbolicTensor; // [B, T, V]
  return tfl.model({ inputs: inputIds, outputs: logits, name: 'gpt2' });
}
