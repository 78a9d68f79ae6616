"""The settings of each golden checkpoint: what its config.json says, and which settings must matter to its numbers."""

from dataclasses import dataclass, field

TRANSFORMERS_4 = "transformers 4"  # config.json with rope_theta and rope_scaling at the top, as published checkpoints have it
TRANSFORMERS_5 = "transformers 5"  # config.json as save_pretrained of transformers 5 writes it: rope_parameters, layer_types, dtype


@dataclass(frozen=True)
class Case:
    """One checkpoint. `mutants`: changes of the config that must change the logits by more than 1 %, so that the golden numbers would catch a loader that
    reads over the setting. `inert`: changes that must not change them at all."""

    config: dict
    mutants: dict[str, dict]
    inert: dict[str, dict] = field(default_factory=dict)
    tokenizer: str | None = None
    dtype: str = "float32"
    max_shard_size: str = "50GB"
    layout: str = TRANSFORMERS_4


def llama(**settings) -> dict:
    config = dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_act="silu", attention_bias=False, mlp_bias=False, attention_dropout=0.0)
    return config | dict(num_hidden_layers=3, max_position_embeddings=64, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2, use_cache=True) | settings


def qwen(**settings) -> dict:
    config = dict(hidden_act="silu", attention_dropout=0.0, num_hidden_layers=3, max_position_embeddings=64, rms_norm_eps=1e-6)
    return config | dict(bos_token_id=304, eos_token_id=306, use_cache=True) | settings


def gpt2(**settings) -> dict:
    config = dict(architectures=["GPT2LMHeadModel"], model_type="gpt2", n_layer=3, n_positions=37, n_ctx=37, layer_norm_epsilon=1e-5)
    config |= dict(attn_pdrop=0.1, embd_pdrop=0.1, resid_pdrop=0.1, summary_type="cls_index", bos_token_id=280, eos_token_id=280, vocab_size=281)
    return config | settings


LLAMA3_SCALING = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)
YARN_SCALING = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=64, beta_fast=3.0, beta_slow=1.0)

CASES = {
    "llama2": Case(  # multi-head, untied, float16, rotary buffers left in the file
        config=llama(vocab_size=331, hidden_size=24, intermediate_size=43, num_attention_heads=4, num_key_value_heads=4, rope_theta=1237.0,
                     rope_scaling=None, tie_word_embeddings=False, pretraining_tp=1, torch_dtype="float16"),
        mutants={"theta": dict(rope_theta=10000.0), "epsilon": dict(rms_norm_eps=0.1)},
        tokenizer="sentencepiece", dtype="float16"),
    "llama3": Case(  # grouped heads of their own size, tied, every bias, scaled wavelengths, two shards and an index
        config=llama(vocab_size=293, hidden_size=32, intermediate_size=53, num_attention_heads=4, num_key_value_heads=2, head_dim=10, rope_theta=500.0,
                     rope_scaling=LLAMA3_SCALING, tie_word_embeddings=True, attention_bias=True, mlp_bias=True, bos_token_id=290,
                     eos_token_id=[291, 292], torch_dtype="float32"),
        mutants={"scaling": dict(rope_scaling=None), "original context": dict(rope_scaling=LLAMA3_SCALING | dict(original_max_position_embeddings=128)),
                 "attention biases": dict(attention_bias=False), "mlp biases": dict(mlp_bias=False)},
        tokenizer="llama3", max_shard_size="70KB"),
    "llama_linear": Case(  # one key-value head, positions interpolated, no tokenizer, the scaling's type under its older name
        config=llama(vocab_size=97, hidden_size=24, intermediate_size=41, num_attention_heads=4, num_key_value_heads=1, rope_theta=10000.0,
                     rope_scaling=dict(type="linear", factor=2.5), tie_word_embeddings=False, torch_dtype="float32"),
        mutants={"scaling": dict(rope_scaling=None), "factor": dict(rope_scaling=dict(type="linear", factor=4.0))}),
    "smollm2": Case(
        config=llama(vocab_size=307, hidden_size=24, intermediate_size=47, num_attention_heads=6, num_key_value_heads=2, rope_theta=130000.0,
                     rope_scaling=None, rope_interleaved=False, is_llama_config=True, tie_word_embeddings=True, bos_token_id=305, eos_token_id=306,
                     pad_token_id=306, torch_dtype="float32"),
        mutants={"theta": dict(rope_theta=10000.0)},
        tokenizer="smollm2"),
    "mistral": Case(  # a window shorter than the prompt, heads of their own size, bfloat16 in shards
        config=dict(architectures=["MistralForCausalLM"], model_type="mistral", hidden_act="silu", vocab_size=337, hidden_size=32, intermediate_size=47,
                    num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=6, rope_theta=10000.0, sliding_window=5,
                    max_position_embeddings=64, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2, tie_word_embeddings=False, attention_dropout=0.0,
                    torch_dtype="bfloat16"),
        mutants={"window": dict(sliding_window=None), "a window one longer": dict(sliding_window=6)},
        tokenizer="sentencepiece", dtype="bfloat16", max_shard_size="40KB"),
    "qwen2": Case(  # biases of q, k, v, tied, the window from the second layer on
        config=qwen(architectures=["Qwen2ForCausalLM"], model_type="qwen2", vocab_size=311, hidden_size=24, intermediate_size=43, num_attention_heads=4,
                    num_key_value_heads=2, rope_theta=1000000.0, use_sliding_window=True, sliding_window=5, max_window_layers=1,
                    tie_word_embeddings=True, torch_dtype="float32"),
        mutants={"no window": dict(use_sliding_window=False), "a window in every layer": dict(max_window_layers=0), "a window in the last": dict(max_window_layers=2)},
        tokenizer="qwen"),
    "qwen2_5": Case(  # yarn, untied, bfloat16, a window that is switched off
        config=qwen(architectures=["Qwen2ForCausalLM"], model_type="qwen2", vocab_size=317, hidden_size=32, intermediate_size=37, num_attention_heads=4,
                    num_key_value_heads=4, rope_theta=100.0, rope_scaling=YARN_SCALING, use_sliding_window=False, sliding_window=5, max_window_layers=1,
                    tie_word_embeddings=False, torch_dtype="bfloat16"),
        mutants={"scaling": dict(rope_scaling=None), "ramp": dict(rope_scaling=YARN_SCALING | dict(beta_fast=32.0)),
                 "amplitude": dict(rope_scaling=YARN_SCALING | dict(attention_factor=1.0)), "the window": dict(use_sliding_window=True)},
        inert={"a window that is off": dict(sliding_window=7)},
        tokenizer="qwen", dtype="bfloat16"),
    "qwen3": Case(  # norms of queries and keys, heads of their own size, biases, windows by layer
        config=qwen(architectures=["Qwen3ForCausalLM"], model_type="qwen3", vocab_size=313, hidden_size=32, intermediate_size=43, num_attention_heads=4,
                    num_key_value_heads=2, head_dim=10, rope_theta=70000.0, attention_bias=True, use_sliding_window=True, sliding_window=7, max_window_layers=3,
                    layer_types=["sliding_attention", "full_attention", "sliding_attention"], tie_word_embeddings=True),
        mutants={"layer types": dict(layer_types=["full_attention"] * 3), "biases": dict(attention_bias=False), "window": dict(sliding_window=4)},
        inert={"the first windowed layer beside layer types": dict(max_window_layers=1)},
        tokenizer="qwen", layout=TRANSFORMERS_5),
    "gpt2": Case(  # names without `transformer.`, causal-mask buffers in the file, tied
        config=gpt2(n_embd=30, n_head=5, n_inner=61, activation_function="gelu_new", scale_attn_by_inverse_layer_idx=True, reorder_and_upcast_attn=True,
                    tie_word_embeddings=True),
        mutants={"inverse layer index": dict(scale_attn_by_inverse_layer_idx=False), "activation": dict(activation_function="relu")},
        inert={"order of the products": dict(reorder_and_upcast_attn=False)},
        tokenizer="gpt2"),
    "gpt2_untied": Case(
        config=gpt2(n_embd=28, n_head=4, n_inner=None, activation_function="gelu", scale_attn_by_inverse_layer_idx=False, reorder_and_upcast_attn=False,
                    scale_attn_weights=False, tie_word_embeddings=False),
        mutants={"scores without scale": dict(scale_attn_weights=True), "activation": dict(activation_function="relu")},
        tokenizer="gpt2"),
}

# Settings that would change a decode of anyone who reads generation_config.json without being asked to.
TEMPTING_GENERATION_CONFIG = dict(do_sample=True, temperature=0.3, top_k=3, top_p=0.5, num_beams=4, repetition_penalty=1.9, no_repeat_ngram_size=2,
                                  length_penalty=3.0, max_new_tokens=2)
