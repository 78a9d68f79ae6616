/** Module of each projection in a Llama-like checkpoint, below `model.layers.i.`. */
export const LLAMA_MODULES = {
  q_proj: 'self_attn.q_proj',
  k_proj: 'self_attn.k_proj',
  v_proj: 'self_attn.v_proj',
  o_proj: 'self_attn.o_proj',
  gate_proj: 'mlp.gate_proj',
  up_proj: 'mlp.up_proj',
  down_proj: 'mlp.down_proj',
} as const;

/**
 * Module of each weight in a GPT-2 checkpoint, below `transformer.h.i.`. Kernels there are [in, out], as in this
 * package.
 */
export const GPT2_MODULES = {
  ln_1: 'ln_1',
  c_attn: 'attn.c_attn',
  c_proj: 'attn.c_proj',
  ln_2: 'ln_2',
  c_fc: 'mlp.c_fc',
  mlp_c_proj: 'mlp.c_proj',
} as const;
