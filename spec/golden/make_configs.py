"""What transformers makes of odd config.json files: rotary frequencies and windows of each layer, or that it cannot run the model. Writes configs.json."""

import copy
import json
import os

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM

SIZES = dict(vocab_size=31, hidden_size=48, intermediate_size=29, num_hidden_layers=3, num_attention_heads=6, num_key_value_heads=2, pad_token_id=0)
LINEAR, FOUR = dict(type="linear", factor=2.0), dict(rope_type="linear", factor=4.0, rope_theta=777.0)
YARN = dict(rope_type="yarn", factor=2.0)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0)
MIXED = ["full_attention", "sliding_attention", "full_attention"]

CASES = [
    ("llama", dict(rope_scaling=LINEAR, rope_parameters=FOUR)),
    ("llama", dict(rope_scaling=LINEAR, rope_parameters=FOUR, rope_theta=555.0)),
    ("llama", dict(rope_scaling=FOUR, rope_parameters=LINEAR, rope_theta=555.0)),
    ("llama", dict(rope_scaling={}, rope_parameters=FOUR)),
    ("llama", dict(rope_scaling=None, rope_parameters=FOUR, rope_theta=999.0)),
    ("llama", dict(rope_scaling=dict(rope_type="default"), rope_parameters=FOUR)),
    ("llama", dict(rope_scaling=dict(rope_type="linear", type="yarn", factor=2.0))),
    ("llama", dict(rope_scaling=dict(factor=2.0))),
    ("llama", dict(rope_scaling=YARN, original_max_position_embeddings=64, max_position_embeddings=512)),
    ("llama", dict(rope_scaling=dict(YARN, original_max_position_embeddings=32), original_max_position_embeddings=64, max_position_embeddings=512)),
    ("llama", dict(rope_scaling=dict(YARN, original_max_position_embeddings=32), max_position_embeddings=512)),
    ("llama", dict(rope_scaling=dict(LLAMA3, original_max_position_embeddings=512), original_max_position_embeddings=64)),
    ("llama", dict(rope_scaling=YARN, max_position_embeddings=512)),
    ("llama", dict(rope_scaling=YARN)),
    ("mistral", dict(rope_scaling=YARN)),
    ("qwen2", dict(rope_scaling=YARN)),
    ("qwen3", dict(rope_scaling=YARN)),
    ("llama", dict(rope_scaling=LINEAR, partial_rotary_factor=1.0)),
    ("llama", dict(rope_scaling=dict(LINEAR, partial_rotary_factor=1.0), partial_rotary_factor=0.5)),
    ("llama", dict(rope_scaling=LINEAR, partial_rotary_factor=0.5)),
    ("llama", dict(rope_scaling=dict(rope_type="constructor", factor=2.0))),
    ("mistral", dict(sliding_window=4, layer_types=["sliding_attention"] * 3)),
    ("mistral", dict(sliding_window=None, layer_types=["full_attention"] * 3)),
    ("mistral", dict(sliding_window=4, layer_types=["sliding_attention"] * 2)),
    ("qwen2", dict(use_sliding_window=True, max_window_layers=1)),
    ("qwen3", dict(use_sliding_window=True, max_window_layers=1)),
    ("qwen2", dict(use_sliding_window=True, max_window_layers=1, sliding_window=None)),
    ("qwen2", dict(use_sliding_window=True, sliding_window=5, layer_types=MIXED)),
    ("qwen2", dict(use_sliding_window=False, sliding_window=5, max_window_layers=0)),
    ("qwen2", dict(use_sliding_window=False, sliding_window=5, layer_types=MIXED)),
    ("qwen3", dict(use_sliding_window=True, sliding_window=None, layer_types=MIXED)),
    ("qwen3", dict(use_sliding_window=True, sliding_window=5, layer_types=MIXED[:2])),
]


def measure(model_type, settings):
    fields = {**SIZES, **settings}
    out = dict(config=dict(model_type=model_type, **copy.deepcopy(fields)))  # transformers changes what it is given
    fields = copy.deepcopy(fields)
    try:
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **fields))
        model(torch.arange(8)[None])
    except Exception as error:
        return dict(out, error=f"{type(error).__name__}: {str(error).splitlines()[0]}")
    rotary, config = model.model.rotary_emb, model.config
    windows = [config.sliding_window if model_type == "mistral" else getattr(layer.self_attn, "sliding_window", None) for layer in model.model.layers]
    return dict(out, frequencies=[float(f) for f in rotary.inv_freq], amplitude=rotary.attention_scaling, windows=windows)


def main():
    transformers.logging.set_verbosity_error()
    out = dict(source=f"transformers {transformers.__version__}, spec/golden/make_configs.py", cases=[measure(*case) for case in CASES])
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "configs.json"), "w", encoding="utf-8") as file:
        json.dump(out, file, separators=(",", ":"))
        file.write("\n")


main()
