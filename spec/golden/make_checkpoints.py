"""Makes spec/golden/checkpoints: tiny random checkpoints of each family and what transformers computes with them.

    pip install torch==2.15.0 transformers==5.23.0 tokenizers==0.23.3     # the versions used are in each golden.json
    python spec/golden/make_checkpoints.py [NAME ...]

Weights are seeded normal numbers, large enough that attention is far from uniform; norms and biases are random too. A setting that would not show in the
numbers stops the script.
"""

import json
import shutil
import sys
import zlib
from pathlib import Path

import safetensors
import tokenizers
import torch
import transformers
from safetensors.torch import load_file, save_file

import golden_numbers
import golden_tokenizers
from checkpoint_cases import CASES, TEMPTING_GENERATION_CONFIG, TRANSFORMERS_5, Case

ROOT = Path(__file__).parent / "checkpoints"
DTYPES = dict(float32=torch.float32, float16=torch.float16, bfloat16=torch.bfloat16)


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Scores of queries and keys spread by a few units, residual branches as large as the residual stream."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(model.named_parameters()):
        normal = torch.randn(parameter.shape, generator=generator)
        if name.endswith("bias"):
            value = 0.4 * normal
        elif parameter.ndim == 1:  # scale of a norm
            value = 1 + 0.3 * normal
        elif any(part in name for part in ("embed_tokens", "wte", "wpe")):
            value = (0.35 if "wte" in name else 0.7) * normal  # small beside GPT-2's positions, so that its tied head does not just repeat the token
        else:
            value = (1.8 if any(part in name for part in ("q_proj", "k_proj", "c_attn")) else 1.3) * normal / parameter.shape[0 if "c_" in name else 1] ** 0.5
        parameter.data.copy_(value)
    model.tie_weights()


def write_checkpoint(name: str, case: Case, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    config = transformers.CONFIG_MAPPING[case.config["model_type"]](**json.loads(json.dumps(case.config)))
    model = transformers.AutoModelForCausalLM.from_config(config)
    randomise(model, zlib.crc32(name.encode()))
    model.to(DTYPES[case.dtype]).save_pretrained(folder, max_shard_size=case.max_shard_size)
    if case.layout != TRANSFORMERS_5:
        (folder / "config.json").write_text(json.dumps(case.config, indent=1) + "\n")
    (folder / "generation_config.json").write_text(json.dumps(TEMPTING_GENERATION_CONFIG | dict(eos_token_id=[5, 7, 11]), indent=1) + "\n")
    if case.tokenizer:
        golden_tokenizers.write(case.tokenizer, folder)
    add_published_extras(name, folder)


def add_published_extras(name: str, folder: Path) -> None:
    """What the published files hold beside parameters: rotary frequencies in early Llama 2 files, causal masks and short names in GPT-2's."""
    path = folder / "model.safetensors"
    if name == "llama2":
        frequencies = {f"model.layers.{layer}.self_attn.rotary_emb.inv_freq": torch.full((3,), 9.0) for layer in range(3)}  # wrong on purpose: nobody may read it
        save_file(load_file(path) | frequencies, path, metadata=dict(format="pt"))
    if name == "gpt2":
        mask = torch.tril(torch.ones(37, 37)).view(1, 1, 37, 37)
        tensors = {key.removeprefix("transformer."): value for key, value in load_file(path).items()}
        save_file(tensors | {f"h.{layer}.attn.bias": mask.clone() for layer in range(3)}, path, metadata=dict(format="pt"))


def check_settings(case: Case, folder: Path, prompt: list[int]) -> dict:
    """How much each setting matters, by reading the checkpoint without it."""
    expected = golden_numbers.logits_of(golden_numbers.load(folder), prompt)
    effects = {}
    for what, change in (case.mutants | case.inert).items():
        effects[what] = golden_numbers.relative(expected, golden_numbers.logits_of(golden_numbers.load(folder, **change), prompt))
        assert effects[what] < 1e-5 if what in case.inert else effects[what] > 0.01, f"{folder.name}: {what} changes the logits by {effects[what]}"
    shuffled = [prompt[1], prompt[0], *prompt[2:]]
    if "sliding_window" not in case.config:
        effects["order of the first two tokens"] = golden_numbers.relative(expected[-1], golden_numbers.logits_of(golden_numbers.load(folder), shuffled)[-1])
        assert effects["order of the first two tokens"] > 0.01, f"{folder.name}: attention hardly matters"
    return dict(sorted(effects.items()))


def main(names: list[str]) -> None:
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    versions = {module.__name__: module.__version__ for module in (torch, transformers, tokenizers, safetensors)}
    for name in names or CASES:
        case, folder = CASES[name], ROOT / name
        write_checkpoint(name, case, folder)
        numbers = golden_numbers.measure(folder, case.config["vocab_size"])
        effects = check_settings(case, folder, numbers["prompts"][0])
        texts = golden_tokenizers.measure(folder) if case.tokenizer else None
        golden = dict(source="spec/golden/make_checkpoints.py", versions=versions, dtype=case.dtype, effectOfSettings=effects, **numbers, tokenizer=texts)
        (folder / "golden.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")
        for path in folder.iterdir():
            path.chmod(0o644)
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(name, f"{size / 1e3:.0f} kB", f"prompts of seed {numbers['promptSeed']}", f"float32 rounding {numbers['float32Rounding']:.1e}", effects)


if __name__ == "__main__":
    main(sys.argv[1:])
