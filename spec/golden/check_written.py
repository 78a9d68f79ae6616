"""Reads folders that this package wrote with transformers, peft and tokenizers, and compares what they compute with what we computed.

    npx tsx spec/golden/write_for_check.ts OUT       # writes checkpoints and adapters, each with ours.json
    python spec/golden/check_written.py OUT/*

ours.json: `prompt`; `logits` [T, V] as `{ shape, float32 }`; `tolerance`, largest difference over the largest logit (what the stored precision allows);
`texts` with the `ids` our tokenizer gives them, or null; and for an adapter `base`, a folder of spec/golden/checkpoints, and `numbers`, how many its file holds.
"""

import base64
import json
import sys
import warnings
from pathlib import Path

import numpy
import torch
import transformers
from tokenizers import Tokenizer

import golden_numbers

CHECKPOINTS = Path(__file__).parent / "checkpoints"


def decode(tensor: dict) -> torch.Tensor:
    values = numpy.frombuffer(base64.b64decode(tensor["float32"]), dtype="<f4").reshape(tensor["shape"])
    return torch.from_numpy(values.copy())


def check_model(folder: Path, ours: dict) -> dict[str, float]:
    """Logits of the whole checkpoint; no tensor may be missing, left over or of another shape."""
    _, loading = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    wrong = {what: sorted(map(str, names)) for what, names in loading.items() if names}
    assert not wrong, f"{folder}: transformers reports {wrong}"
    return {"logits": golden_numbers.relative(decode(ours["logits"]), golden_numbers.logits_of(golden_numbers.load(folder), ours["prompt"]))}


def check_adapter(folder: Path, ours: dict) -> dict[str, float]:
    """Logits with the adapter beside its base and merged into it."""
    import peft
    from safetensors import safe_open

    base = golden_numbers.load(CHECKPOINTS / ours["base"])
    plain = golden_numbers.logits_of(base, ours["prompt"])
    model = peft.PeftModel.from_pretrained(base, folder).eval()
    with safe_open(folder / "adapter_model.safetensors", "pt") as file:
        written = {name: file.get_tensor(name) for name in file.keys()}
    # A tensor under a name that peft does not know is passed over without a word: each written one must be in the model that was read.
    read = peft.get_peft_model_state_dict(model, save_embedding_layers=False)
    assert set(written) == set(read), f"{folder}: peft knows {sorted(set(read) ^ set(written))} only on one side"
    assert all(torch.equal(written[name].float(), read[name].float()) for name in written), f"{folder}: peft read other numbers"
    numbers = sum(value.numel() for value in written.values())
    assert numbers == ours["numbers"], f"{folder}: {numbers} numbers, {ours['numbers']} expected"
    expected, got = decode(ours["logits"]), golden_numbers.logits_of(model, ours["prompt"])
    assert golden_numbers.relative(plain, got) > 1e-2, f"{folder}: the adapter changes nothing"
    return {"logits": golden_numbers.relative(expected, got), "merged logits": golden_numbers.relative(expected, golden_numbers.logits_of(model.merge_and_unload(), ours["prompt"]))}


def check_texts(folder: Path, texts: list[dict]) -> None:
    """The written tokenizer in `tokenizers`, and through transformers' own reading of tokenizer_config.json."""
    readers = {"tokenizers": lambda text: Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text, add_special_tokens=False).ids,
               "transformers": lambda text: transformers.PreTrainedTokenizerFast.from_pretrained(folder)(text, add_special_tokens=False)["input_ids"]}
    for name, encode in readers.items():
        for row in texts:
            assert encode(row["text"]) == row["ids"], f"{folder}: {name} gives {encode(row['text'])} for {row['text']!r}, ours {row['ids']}"


def main(folders: list[str]) -> int:
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    warnings.simplefilter("ignore")
    failed = 0
    for folder in map(Path, folders):
        ours = json.loads((folder / "ours.json").read_text())
        try:
            errors = (check_adapter if (folder / "adapter_config.json").exists() else check_model)(folder, ours)
            if ours.get("texts"):
                check_texts(folder, ours["texts"])
            good = all(error <= ours["tolerance"] for error in errors.values())
            print("ok    " if good else "WRONG ", folder.name, *(f"{what} differ by {error:.1e}" for what, error in errors.items()), f"{len(ours.get('texts') or [])} texts")
        except AssertionError as error:
            good = False
            print("WRONG ", error)
        failed += not good
    return 1 if failed or not folders else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
