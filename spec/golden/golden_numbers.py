"""What transformers makes of a checkpoint: hidden states of every layer, logits, greedy and beam generations, in float32 with eager attention."""

import base64
import copy
import itertools
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, GenerationConfig, LogitsProcessor, LogitsProcessorList

NEW_TOKENS = 11
PROMPT_LENGTHS = (19, 7)
FAR = 1009  # tokens of a long prompt: there float32's rounding of an angle is as large as 1e-4 radians
NOISE = 3e-4  # generations must be the same under log-probabilities that are off by this much, so that rounding cannot decide one


def load(folder: Path, dtype: torch.dtype = torch.float32, **settings) -> torch.nn.Module:
    """A plain float32 model whose own generation settings are forgotten. `settings` replace entries of config.json."""
    config = None
    if settings:
        from transformers import AutoConfig, CONFIG_MAPPING

        raw = AutoConfig.from_pretrained(folder).get_config_dict(folder)[0]
        config = CONFIG_MAPPING[raw["model_type"]](**(copy.deepcopy(raw) | settings))
    model = AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=dtype, attn_implementation="eager").eval()
    model.generation_config = GenerationConfig()
    return model


def encode(tensor: torch.Tensor) -> dict:
    """Little-endian float32 in base64: exact, and half as long as decimal digits."""
    return dict(shape=list(tensor.shape), float32=base64.b64encode(tensor.detach().to(torch.float32).contiguous().numpy().astype("<f4").tobytes()).decode())


@torch.no_grad()
def logits_of(model: torch.nn.Module, prompt: list[int]) -> torch.Tensor:
    return model(torch.tensor([prompt])).logits[0]


@torch.no_grad()
def forward(model: torch.nn.Module, prompt: list[int]) -> dict:
    """`hiddenStates`: the embeddings, then each block's output, L + 1 in all; `normed`: the last one behind the final norm; each [T, D]. `logits` [T, V]."""
    blocks = model.transformer.h if hasattr(model, "transformer") else model.model.layers
    inputs, outputs = [], []
    handles = [blocks[0].register_forward_pre_hook(lambda module, args, kwargs: inputs.append(args[0] if args else kwargs["hidden_states"]), with_kwargs=True)]
    handles += [block.register_forward_hook(lambda module, args, output: outputs.append(output)) for block in blocks]
    result = model(torch.tensor([prompt]), output_hidden_states=True)
    for handle in handles:
        handle.remove()
    states = inputs + outputs
    for ours, theirs in zip(states[:-1], result.hidden_states[:-1], strict=True):
        assert torch.equal(ours, theirs)
    return dict(prompt=prompt, hiddenStates=[encode(state[0]) for state in states], normed=encode(result.hidden_states[-1][0]), logits=encode(result.logits[0]))


def gradients(model: torch.nn.Module, prompt: list[int]) -> dict:
    """Mean cross-entropy of each token after the first, and of its gradient by each parameter the norm and the product with cos(0.7), cos(1.4), ..."""
    ids = torch.tensor([prompt])
    loss = torch.nn.functional.cross_entropy(model(ids).logits[0, :-1], ids[0, 1:])
    loss.backward()
    found = {}
    for name, parameter in model.named_parameters():
        gradient = parameter.grad.to(torch.float64).flatten()
        found[name] = [gradient.norm().item(), gradient @ torch.cos(0.7 * torch.arange(1, len(gradient) + 1, dtype=torch.float64))]
        found[name] = [float(f"{value:.9g}") for value in found[name]]
    model.zero_grad()
    return dict(loss=loss.item(), parameters=found)


def far(model: torch.nn.Module, double: torch.nn.Module, vocab_size: int) -> dict:
    """Logits [FAR / 2, 5] of the first five tokens of the vocabulary in the second half of a long prompt."""
    prompt = torch.randint(3, vocab_size, (FAR,), generator=torch.Generator().manual_seed(FAR)).tolist()
    logits = logits_of(model, prompt)[FAR // 2 :, :5]
    return dict(prompt=prompt, logits=encode(logits), float32Rounding=relative(logits_of(double, prompt)[FAR // 2 :, :5], logits))


class Noise(LogitsProcessor):
    def __init__(self, seed: int):
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, input_ids, scores):
        return scores + NOISE * (2 * torch.rand(scores.shape, generator=self.generator) - 1).to(scores.dtype)


@torch.no_grad()
def generate(model: torch.nn.Module, prompt: list[int], options: dict, noise: int | None = None, use_cache: bool = True) -> list[dict]:
    """One prompt's sequences, best first: the new tokens with the end token, and transformers' score where it has one (beam search)."""
    eos = options["eosTokenId"]
    config = GenerationConfig(max_new_tokens=options["maxNewTokens"], do_sample=False, num_beams=options["numBeams"], eos_token_id=eos, pad_token_id=0,
                              num_return_sequences=options["numReturnSequences"], use_cache=use_cache, return_dict_in_generate=True, output_scores=True)
    if options["numBeams"] > 1:
        config.length_penalty, config.early_stopping = options["lengthPenalty"], options["earlyStopping"]
    processors = LogitsProcessorList([] if noise is None else [Noise(noise)])
    ids = torch.tensor([prompt])
    result = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config, logits_processor=processors)
    ends = {eos} if isinstance(eos, int) else set(eos or [])
    rows = []
    for row, sequence in enumerate(result.sequences[:, len(prompt):].tolist()):
        end = next((at + 1 for at, token in enumerate(sequence) if token in ends), len(sequence))
        rows.append(dict(tokens=sequence[:end], score=result.sequences_scores[row].item() if options["numBeams"] > 1 else None))
    return rows


def greedy_by_hand(model: torch.nn.Module, prompt: list[int], eos: set[int]) -> list[int]:
    tokens: list[int] = []
    while len(tokens) < NEW_TOKENS and not (tokens and tokens[-1] in eos):
        tokens.append(int(logits_of(model, prompt + tokens)[-1].argmax()))
    return tokens


def same(a: list[dict], b: list[dict]) -> bool:
    return [row["tokens"] for row in a] == [row["tokens"] for row in b]


def stable(model: torch.nn.Module, double: torch.nn.Module, prompt: list[int], options: dict) -> list[dict] | None:
    """The sequences, or null where rounding could choose others."""
    rows = generate(model, prompt, options)
    if not same(rows, generate(double, prompt, options)) or not same(rows, generate(model, prompt, options, use_cache=False)):
        return None
    if any(not same(rows, generate(model, prompt, options, noise=seed)) for seed in range(3)):
        return None
    return rows


def search(eos, beams: int = 1, returned: int = 1, penalty: float = 1.0, stop=False) -> dict:
    return dict(maxNewTokens=NEW_TOKENS, numBeams=beams, eosTokenId=eos, lengthPenalty=penalty, earlyStopping=stop, numReturnSequences=returned)


def generations(model: torch.nn.Module, double: torch.nn.Module, prompts: list[list[int]]) -> list[dict] | None:
    """Each kind of search over both prompts; end tokens are ones that the search without an end likes to write in mid-sequence."""
    free = generate(model, prompts[0], search(None, beams=4, returned=4)) + generate(model, prompts[1], search(None, beams=4, returned=4))
    common = sorted({row["tokens"][at] for row in free for at in (2, 4, 6)}, key=lambda token: -sum(token in row["tokens"][1:] for row in free))
    plain = generate(model, prompts[0], search(None))[0]["tokens"]
    if len(common) < 2 or len(set(plain)) < 4:  # a model that says one thing over and over shows nothing
        return None
    first, second = common[0], common[1]
    kinds = [search(None), search(plain[4]), search(None, beams=3, returned=3), search(first, beams=4, returned=4),
             search([first, second], beams=3, returned=2, penalty=2.0, stop=True), search(first, beams=5, returned=5, penalty=0.7, stop="never"),
             search([first, second], beams=4, returned=4, penalty=-0.8), search(second, beams=3, returned=3, penalty=0.0, stop=True)]
    found = []
    for options in kinds:
        results = [stable(model, double, prompt, options) for prompt in prompts]
        if any(rows is None for rows in results):
            return None
        found.append(dict(options=options, sequences=results))
    assert [rows[0]["tokens"] for rows in found[1]["sequences"]] == [greedy_by_hand(model, prompt, {plain[4]}) for prompt in prompts]
    lengths = [len(row["tokens"]) for kind in found[3:] for rows in kind["sequences"] for row in rows]
    return found if min(lengths) < NEW_TOKENS - 2 and max(lengths) == NEW_TOKENS and len(set(lengths)) > 3 else None


def measure(folder: Path, vocab_size: int) -> dict:
    """Numbers for the first seeded prompts whose every generation is clear of ties and ends at several lengths."""
    model = load(folder)
    double = load(folder, torch.float64, **(dict(reorder_and_upcast_attn=False) if hasattr(model.config, "n_embd") else {}))  # which works in float32 only
    for seed in itertools.count():
        assert seed < 300, f"{folder.name}: no prompts with clear generations"
        generator = torch.Generator().manual_seed(seed)
        prompts = [torch.randint(3, vocab_size, (length,), generator=generator).tolist() for length in PROMPT_LENGTHS]
        found = generations(model, double, prompts)
        if found is not None:
            break
    rounding = max(relative(logits_of(double, prompt), logits_of(model, prompt)) for prompt in prompts)
    long = far(model, double, vocab_size) if folder.name in ("llama2", "llama_linear", "qwen2_5") else None
    return dict(promptSeed=seed, float32Rounding=rounding, prompts=prompts, forward=[forward(model, prompt) for prompt in prompts], generations=found, gradients=gradients(double, prompts[0]), far=long)


def relative(expected: torch.Tensor, got: torch.Tensor) -> float:
    """Largest difference over the largest expected value."""
    return ((expected - got).abs().max() / expected.abs().max()).item()
