import { LLAMA_MODULES } from './block_modules';
import type { CausalLMConfig } from './causal_lm';
import type { CheckpointWeight } from './model_family';

/** Rotary frequencies, stored by some checkpoints. */
export const IGNORED_TENSORS = /rotary_emb\.inv_freq$/;

/** The tensors of a Llama-like checkpoint, in the order of the layers. */
export function decoderWeights(config: CausalLMConfig): CheckpointWeight[] {
  const {
    vocabSize,
    hiddenSize = 0,
    intermediateSize = 0,
    numHiddenLayers = 0,
    numAttentionHeads = 0,
    numKeyValueHeads = 0,
    headDim = 0,
  } = config;
  const [queries, keys] = [numAttentionHeads * headDim, numKeyValueHeads * headDim];
  const outIn: Record<keyof typeof LLAMA_MODULES, readonly [number, number]> = {
    q_proj: [queries, hiddenSize],
    k_proj: [keys, hiddenSize],
    v_proj: [keys, hiddenSize],
    o_proj: [hiddenSize, queries],
    gate_proj: [intermediateSize, hiddenSize],
    up_proj: [intermediateSize, hiddenSize],
    down_proj: [hiddenSize, intermediateSize],
  };
  const biased = new Set<string>([
    ...(config.qkvBias === true ? ['q_proj', 'k_proj', 'v_proj'] : []),
    ...(config.outputBias === true ? ['o_proj'] : []),
    ...(config.mlpBias === true ? ['gate_proj', 'up_proj', 'down_proj'] : []),
  ]);
  const weights: CheckpointWeight[] = [
    {
      name: 'model.embed_tokens.weight',
      layer: 'embed_tokens',
      weight: 'weight',
      shape: [vocabSize, hiddenSize],
      transposed: false,
    },
  ];
  for (let i = 0; i < numHiddenLayers; i++) {
    const layer = `layers_${i}`;
    const add = (module: string, weight: string, shape: readonly number[], transposed = false): number =>
      weights.push({ name: `model.layers.${i}.${module}`, layer, weight, shape, transposed });
    add('input_layernorm.weight', 'input_layernorm', [hiddenSize]);
    for (const [weight, module] of Object.entries(LLAMA_MODULES)) {
      const shape = outIn[weight as keyof typeof LLAMA_MODULES];
      add(`${module}.weight`, weight, shape, true);
      if (biased.has(weight)) add(`${module}.bias`, `${weight}_bias`, [shape[0]]);
    }
    if (config.qkNorm === true)
      for (const norm of ['q_norm', 'k_norm']) add(`self_attn.${norm}.weight`, norm, [headDim]);
    add('post_attention_layernorm.weight', 'post_attention_layernorm', [hiddenSize]);
  }
  weights.push({ name: 'model.norm.weight', layer: 'norm', weight: 'weight', shape: [hiddenSize], transposed: false });
  if (config.tieWordEmbeddings !== true)
    weights.push({
      name: 'lm_head.weight',
      layer: 'lm_head',
      weight: 'weight',
      shape: [vocabSize, hiddenSize],
      transposed: false,
    });
  return weights;
}
