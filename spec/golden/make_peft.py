"""Makes spec/golden/peft: LoRA adapters on the golden checkpoints as peft writes them, and the logits with them.

    pip install torch==2.15.0 transformers==5.23.0 peft==0.21.2
    python spec/golden/make_peft.py [NAME ...]

Adapters are seeded normal numbers, large enough to change the logits by more than a tenth. What is stored is computed by a base model and an adapter read
back from their folders, in float32.
"""

import copy
import json
import re
import shutil
import sys
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import peft
import torch
import transformers

import golden_numbers

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    checkpoint: str
    config: dict


CASES = {
    "llama3_lora": Case("llama3", dict(r=3, lora_alpha=7, lora_dropout=0.1, target_modules=["q_proj", "v_proj", "down_proj"])),
    "gpt2_lora": Case("gpt2", dict(r=3, lora_alpha=7, target_modules=["c_attn", "c_proj"], fan_in_fan_out=True)),
    "llama2_rslora_head": Case("llama2", dict(r=5, lora_alpha=4, use_rslora=True, target_modules=["q_proj", "lm_head"])),
    "gpt2_untied_head": Case("gpt2_untied", dict(r=2, lora_alpha=3, target_modules=["c_fc", "lm_head"])),
    "llama2_modules_to_save": Case("llama2", dict(r=2, lora_alpha=4, target_modules=["o_proj"], modules_to_save=["embed_tokens", "lm_head"])),
    "llama3_tied_modules_to_save": Case("llama3", dict(r=2, lora_alpha=4, target_modules=["k_proj"], modules_to_save=["embed_tokens"], ensure_weight_tying=True)),
    "llama3_untied_modules_to_save": Case("llama3", dict(r=2, lora_alpha=4, target_modules=["k_proj"], modules_to_save=["embed_tokens"])),
    "qwen3_patterns": Case("qwen3", dict(r=3, lora_alpha=5, target_modules=r".*\.(q_proj|up_proj)", layers_to_transform=None,
                                         rank_pattern={"layers.1.self_attn.q_proj": 2, "up_proj": 4}, alpha_pattern={r"layers\.[02]\.mlp\.up_proj": 9})),
    "qwen3_some_layers": Case("qwen3", dict(r=2, lora_alpha=3, target_modules=["gate_proj", "k_proj"], layers_to_transform=[0, 2])),
}


def randomise(model: torch.nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(model.named_parameters()):
        if not re.search(r"lora_[AB]|modules_to_save", name):
            continue
        normal = torch.randn(parameter.shape, generator=generator)
        if "modules_to_save" in name:
            parameter.data += 0.3 * normal
        else:
            parameter.data.copy_(normal / parameter.shape[1] ** 0.5 if "lora_A" in name else 0.4 * normal)


def make(name: str, case: Case) -> None:
    folder, checkpoint = HERE / "peft" / name, HERE / "checkpoints" / case.checkpoint
    shutil.rmtree(folder, ignore_errors=True)
    settings = {key: value for key, value in copy.deepcopy(case.config).items() if value is not None}
    model = peft.get_peft_model(golden_numbers.load(checkpoint), peft.LoraConfig(task_type="CAUSAL_LM", **settings))
    randomise(model, zlib.crc32(name.encode()))
    model.peft_config["default"].base_model_name_or_path = case.checkpoint  # the folder of this machine is nobody's business
    model.eval().save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink()
    settings = json.loads((folder / "adapter_config.json").read_text())
    settings |= {key: sorted(value) for key, value in settings.items() if isinstance(value, list)}  # sets, which Python writes in another order each time
    (folder / "adapter_config.json").write_text(json.dumps(settings, indent=1) + "\n")

    prompt = json.loads((checkpoint / "golden.json").read_text())["prompts"][1]
    base = golden_numbers.logits_of(golden_numbers.load(checkpoint), prompt)
    read_back = peft.PeftModel.from_pretrained(golden_numbers.load(checkpoint), folder).eval()
    logits = golden_numbers.logits_of(read_back, prompt)
    merged = golden_numbers.logits_of(read_back.merge_and_unload(), prompt)
    effect, difference = golden_numbers.relative(base, logits), golden_numbers.relative(logits, merged)
    assert golden_numbers.relative(golden_numbers.logits_of(model, prompt), logits) < 1e-6, f"{name}: the adapter read back is another one"
    assert effect > 0.1, f"{name}: the adapter changes the logits by {effect}"
    versions = {module.__name__: module.__version__ for module in (torch, transformers, peft)}
    golden = dict(source="spec/golden/make_peft.py", versions=versions, checkpoint=case.checkpoint, prompt=prompt, effectOfAdapter=effect, mergedDifference=difference,
                  logits=golden_numbers.encode(logits), mergedLogits=golden_numbers.encode(merged))
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")
    for path in folder.iterdir():
        path.chmod(0o644)
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(name, f"{size / 1e3:.0f} kB", f"changes the logits by {effect:.2f}", f"merged differs by {difference:.1e}")


def main(names: list[str]) -> None:
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    warnings.simplefilter("ignore")
    for name in names or CASES:
        make(name, CASES[name])


if __name__ == "__main__":
    main(sys.argv[1:])
