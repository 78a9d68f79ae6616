import type { CheckpointWeight } from '../family';
import type { GPT2Config } from './config';

/** Where each weight of a GPT-2 block is in a checkpoint, below `transformer.h.i.`; kernels there are [in, out] as ours are. */
export const BLOCK_MODULES = { ln_1: 'ln_1', c_attn: 'attn.c_attn', c_proj: 'attn.c_proj', ln_2: 'ln_2', c_fc: 'mlp.c_fc', mlp_c_proj: 'mlp.c_proj' } as const;

/** Causal masks, which older checkpoints store. */
export const IGNORED_TENSORS = /\.attn\.(masked_)?bias$/;

/** The tensors of a GPT-2 checkpoint, in the order of its layers. */
export function gpt2Weights(config: GPT2Config): CheckpointWeight[] {
  const { vocabSize, hiddenSize, intermediateSize, numHiddenLayers, maxPositionEmbeddings } = config;
  const shapes: Record<keyof typeof BLOCK_MODULES, readonly number[]> = {
    ln_1: [hiddenSize],
    c_attn: [hiddenSize, 3 * hiddenSize],
    c_proj: [hiddenSize, hiddenSize],
    ln_2: [hiddenSize],
    c_fc: [hiddenSize, intermediateSize],
    mlp_c_proj: [intermediateSize, hiddenSize],
  };
  const weights: CheckpointWeight[] = [];
  const add = (name: string, layer: string, weight: string, shape: readonly number[]): number => weights.push({ name, layer, weight, shape, transposed: false });
  add('transformer.wte.weight', 'embed_tokens', 'weight', [vocabSize, hiddenSize]);
  add('transformer.wpe.weight', 'embed_positions', 'weight', [maxPositionEmbeddings, hiddenSize]);
  for (let i = 0; i < numHiddenLayers; i++) {
    for (const [weight, module] of Object.entries(BLOCK_MODULES)) {
      const shape = shapes[weight as keyof typeof BLOCK_MODULES];
      add(`transformer.h.${i}.${module}.weight`, `h_${i}`, weight, shape);
      add(`transformer.h.${i}.${module}.bias`, `h_${i}`, `${weight}_bias`, [shape[shape.length - 1]]);
    }
  }
  add('transformer.ln_f.weight', 'ln_f', 'weight', [hiddenSize]);
  add('transformer.ln_f.bias', 'ln_f', 'bias', [hiddenSize]);
  if (!config.tieWordEmbeddings) add('lm_head.weight', 'lm_head', 'weight', [vocabSize, hiddenSize]);
  return weights;
}
