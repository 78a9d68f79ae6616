"""Makes spec/golden/t5: tiny random T5 checkpoints, 1.0 (tied) and 1.1 (untied), and what transformers computes with them.

    pip install torch==2.15.0 transformers==5.24.0     # the versions used are in each golden.json
    python spec/golden/make_t5.py

Weights are seeded normal numbers, large enough that attention is far from uniform. A setting that would not show in the logits stops the script.
"""

import itertools
import json
import shutil
import zlib
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import GenerationConfig, LogitsProcessorList, T5Config, T5ForConditionalGeneration

from golden_numbers import NEW_TOKENS, Noise, encode, relative, same, search

ROOT = Path(__file__).parent / "t5"
VOCAB = 37
PROMPT_LENGTHS = (19, 7)
WRITTEN = 8  # tokens of the decoder in forward passes

COMMON = dict(architectures=["T5ForConditionalGeneration"], model_type="t5", vocab_size=VOCAB, d_model=18, d_kv=5, num_heads=3, dropout_rate=0.1,
              layer_norm_epsilon=0.03, pad_token_id=0, eos_token_id=1, decoder_start_token_id=0, is_encoder_decoder=True)
CASES = {
    # as t5-small's: no word of ties, gates or the distance
    "t5_1_0": COMMON | dict(d_ff=23, num_layers=3, num_decoder_layers=2, relative_attention_num_buckets=8),
    "t5_1_1": COMMON | dict(d_ff=21, num_layers=3, relative_attention_num_buckets=12, relative_attention_max_distance=11, feed_forward_proj="gated-gelu",
                            tie_word_embeddings=False),
}
MUTANTS = {
    "t5_1_0": dict(relative_attention_max_distance=20, layer_norm_epsilon=1e-6, feed_forward_proj="gelu", scale_decoder_outputs=False),
    "t5_1_1": dict(relative_attention_max_distance=128, layer_norm_epsilon=1e-6, feed_forward_proj="gated-relu", tie_word_embeddings=True),
}


def randomise(model: torch.nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(model.named_parameters()):
        normal = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim == 1:  # scale of a norm
            value = 1 + 0.3 * normal
        elif "shared" in name:
            value = 1.5 * normal
        elif "relative_attention_bias" in name:
            value = normal
        else:
            value = 1.3 * normal / parameter.shape[1] ** 0.5
        parameter.data.copy_(value)


def write(name: str, config: dict, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    model = T5ForConditionalGeneration(T5Config(**config))
    if config.get("tie_word_embeddings") is False:  # transformers 5 makes every new T5 with a tied head
        model.lm_head.weight = torch.nn.Parameter(torch.empty(VOCAB, config["d_model"]))
    randomise(model, zlib.crc32(name.encode()))
    model.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    (folder / "generation_config.json").write_text(json.dumps(dict(do_sample=True, num_beams=4, max_new_tokens=2), indent=1) + "\n")
    if name == "t5_1_0":  # what old files hold besides: copies of the embedding, and a table that nobody reads
        path = folder / "model.safetensors"
        tensors = load_file(path)
        extras = {f"{stack}.embed_tokens.weight": tensors["shared.weight"].clone() for stack in ("encoder", "decoder")}
        extras["decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"] = torch.full((8, 3), 9.0)
        save_file(tensors | extras, path, metadata=dict(format="pt"))


def load(folder: Path, dtype: torch.dtype = torch.float32, **settings) -> torch.nn.Module:
    config = T5Config(**(json.loads((folder / "config.json").read_text()) | settings))
    model = T5ForConditionalGeneration.from_pretrained(folder, config=config, dtype=dtype, attn_implementation="eager").eval()
    model.generation_config = GenerationConfig()
    return model


@torch.no_grad()
def forward(model: torch.nn.Module, prompt: list[int], written: list[int]) -> dict:
    """`encoded` [S, D] behind the encoder's final norm; `logits` [T, V] of the start token and `written` without its last."""
    result = model(torch.tensor([prompt]), decoder_input_ids=torch.tensor([[0, *written[:-1]]]))
    return dict(prompt=prompt, written=written, encoded=encode(result.encoder_last_hidden_state[0]), logits=encode(result.logits[0]))


def gradients(model: torch.nn.Module, prompt: list[int], written: list[int]) -> dict:
    """Mean cross-entropy of `written`, and of its gradient by each parameter the norm and the product with cos(0.7), cos(1.4), ..."""
    loss = model(torch.tensor([prompt]), labels=torch.tensor([written])).loss
    loss.backward()
    found = {}
    for name, parameter in model.named_parameters():
        gradient = parameter.grad.to(torch.float64).flatten()
        product = gradient @ torch.cos(0.7 * torch.arange(1, len(gradient) + 1, dtype=torch.float64))
        found[name] = [float(f"{value:.9g}") for value in (gradient.norm().item(), product)]
    return dict(loss=loss.item(), parameters=found)


@torch.no_grad()
def generate(model: torch.nn.Module, prompt: list[int], options: dict, noise: int | None = None, use_cache: bool = True) -> list[dict]:
    eos = options["eosTokenId"]
    config = GenerationConfig(max_new_tokens=options["maxNewTokens"], do_sample=False, num_beams=options["numBeams"], eos_token_id=eos, pad_token_id=0,
                              num_return_sequences=options["numReturnSequences"], use_cache=use_cache, decoder_start_token_id=0,
                              return_dict_in_generate=True, output_scores=True)
    if options["numBeams"] > 1:
        config.length_penalty, config.early_stopping = options["lengthPenalty"], options["earlyStopping"]
    ids = torch.tensor([prompt])
    processors = LogitsProcessorList([] if noise is None else [Noise(noise)])
    result = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config, logits_processor=processors)
    rows = []
    for row, sequence in enumerate(result.sequences[:, 1:].tolist()):
        end = next((at + 1 for at, token in enumerate(sequence) if token == eos), len(sequence))
        rows.append(dict(tokens=sequence[:end], score=result.sequences_scores[row].item() if options["numBeams"] > 1 else None))
    return rows


def stable(model: torch.nn.Module, double: torch.nn.Module, prompt: list[int], options: dict) -> list[dict] | None:
    """The sequences, or null where rounding could choose others."""
    rows = generate(model, prompt, options)
    others = [generate(double, prompt, options), generate(model, prompt, options, use_cache=False)]
    others += [generate(model, prompt, options, noise=seed) for seed in range(3)]
    return rows if all(same(rows, other) for other in others) else None


def generations(model: torch.nn.Module, double: torch.nn.Module, prompts: list[list[int]]) -> list[dict] | None:
    plain = generate(model, prompts[0], search(None))[0]["tokens"]
    if len(set(plain)) < 4:  # a model that says one thing over and over shows nothing
        return None
    eos = plain[4]
    kinds = [search(None), search(eos), search(None, beams=3, returned=3), search(eos, beams=4, returned=4, penalty=0.7, stop=True)]
    found = []
    for options in kinds:
        results = [stable(model, double, prompt, options) for prompt in prompts]
        if any(rows is None for rows in results):
            return None
        found.append(dict(options=options, sequences=results))
    return found if len({len(row["tokens"]) for rows in found[3]["sequences"] for row in rows}) > 1 else None


def measure(folder: Path) -> dict:
    model, double = load(folder), load(folder, torch.float64)
    for seed in itertools.count():
        assert seed < 300, f"{folder.name}: no prompts with clear generations"
        generator = torch.Generator().manual_seed(seed)
        prompts = [torch.randint(2, VOCAB, (length,), generator=generator).tolist() for length in PROMPT_LENGTHS]
        found = generations(model, double, prompts)
        if found is not None:
            break
    written = [torch.randint(2, VOCAB, (WRITTEN,), generator=generator).tolist() for _ in prompts]
    effects = {}
    expected = logits_of(model, prompts[0], written[0])
    for setting, value in MUTANTS[folder.name].items():
        effects[setting] = relative(expected, logits_of(load(folder, **{setting: value}), prompts[0], written[0]))
        assert effects[setting] > 0.01, f"{folder.name}: {setting} changes the logits by {effects[setting]}"
    return dict(promptSeed=seed, effectOfSettings=effects, forward=[forward(model, *pair) for pair in zip(prompts, written)], prompts=prompts,
                generations=found, gradients=gradients(double, prompts[0], written[0]))


@torch.no_grad()
def logits_of(model: torch.nn.Module, prompt: list[int], written: list[int]) -> torch.Tensor:
    return model(torch.tensor([prompt]), decoder_input_ids=torch.tensor([[0, *written[:-1]]])).logits[0]


def buckets() -> list[dict]:
    """Buckets of the relative positions -200 to 200."""
    from transformers.models.t5.modeling_t5 import T5Attention

    found = []
    for bidirectional, num_buckets, max_distance in itertools.product((True, False), (32, 8), (128, 20)):
        values = T5Attention._relative_position_bucket(torch.arange(-200, 201), bidirectional, num_buckets, max_distance)
        found.append(dict(bidirectional=bidirectional, numBuckets=num_buckets, maxDistance=max_distance, buckets=values.tolist()))
    return found


def main() -> None:
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    versions = {module.__name__: module.__version__ for module in (torch, transformers)}
    source = "spec/golden/make_t5.py"
    for name, config in CASES.items():
        folder = ROOT / name
        write(name, config, folder)
        golden = dict(source=source, versions=versions, **measure(folder))
        (folder / "golden.json").write_text(json.dumps(golden) + "\n")
        for path in folder.iterdir():
            path.chmod(0o644)
        print(name, f"{sum(path.stat().st_size for path in folder.iterdir()) / 1e3:.0f} kB", golden["effectOfSettings"])
    (ROOT / "buckets.json").write_text(json.dumps(dict(source=source, versions=versions, cases=buckets())) + "\n")


if __name__ == "__main__":
    main()
