"""Tiny tokenizers in the form that each family publishes: its normalizer, its splitting expression, its post-processor and its special tokens."""

import json
from collections import Counter
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CORPUS = [
    "The quick brown fox bought 12 drill bits and 3 sanding discs for the workshop.",
    "Cordless drill 18V with battery, charger and case; 2 speed gearbox, 50 Nm.",
    "the theory of the other weather, neither here nor there, rather than thirty-three",
    "Safety glasses, clear lens, anti-fog coating. It's what we'd use, they'll say; I'm sure.",
    "Schraubenschlüssel für Straßenbau, Größe 13 mm: naïve café façade, señor, œuvre",
    "Продажа инструментов и станков, 電動工具 と 木工 機械, أدوات كهربائية",
]

TEXTS = [
    "Cordless drill 18V",
    " the  theory of\tspaces \n\n and lines ",
    "It's they'LL 12345 o'clock!!",
    "Größe é e\u0301 naïve façade",
    "電動工具 🔧🙂 и станки أدوات",
    "<|endoftext|>not special?</s> <unk>",
    "",
    " ",
]

LLAMA3_SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN_SPLIT = LLAMA3_SPLIT.replace(r"\p{N}{1,3}", r"\p{N}")


def byte_level(vocab_size: int, special: list[str], *, split: str | None = None, digits: bool = False, nfc: bool = False, prefix_space: bool = False) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    if nfc:
        tokenizer.normalizer = normalizers.NFC()
    steps = [pre_tokenizers.Split(Regex(split), "isolated")] if split else []
    steps += [pre_tokenizers.Digits(individual_digits=True)] if digits else []
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=prefix_space, use_regex=split is None))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps) if len(steps) > 1 else steps[0]
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size - len(special), initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return tokenizer


def sentencepiece(vocab_size: int) -> Tokenizer:
    """Llama 2's and Mistral's: spaces become U+2581, characters that are not in the vocabulary fall back to their bytes."""
    normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trained = Tokenizer(models.BPE())
    trained.normalizer = normalizer
    trained.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    fixed = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    counts = Counter("".join(CORPUS[:4]).replace(" ", "▁"))
    rare = sorted(counts, key=lambda character: (-counts[character], character))[27:]  # left to their bytes; the trainer's own limit draws among equally frequent ones
    common = ["".join(character for character in line if character not in rare) for line in CORPUS[:4]]
    trained.train_from_iterator(common, trainers.BpeTrainer(vocab_size=vocab_size - len(fixed), show_progress=False))
    model = json.loads(trained.to_str())["model"]
    vocab = {token: id for id, token in enumerate(fixed)}
    for token in sorted(model["vocab"], key=model["vocab"].get):
        vocab[token] = len(vocab)
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[tuple(pair) for pair in model["merges"]], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizer
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in fixed[:3]])
    return tokenizer


def make(kind: str) -> tuple[Tokenizer, dict]:
    """The tokenizer and what its tokenizer_config.json says."""
    if kind == "sentencepiece":
        config = dict(tokenizer_class="LlamaTokenizer", add_bos_token=True, add_eos_token=False, bos_token="<s>", eos_token="</s>", unk_token="<unk>",
                      pad_token=None, legacy=False, clean_up_tokenization_spaces=False)
        return sentencepiece(331), config
    if kind == "llama3":
        special = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"]
        tokenizer = byte_level(293, special, split=LLAMA3_SPLIT)
        template = processors.TemplateProcessing(single=f"{special[0]} $A", pair=f"{special[0]} $A {special[0]} $B", special_tokens=[(special[0], 290)])
        tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
        return tokenizer, dict(tokenizer_class="PreTrainedTokenizerFast", bos_token=special[0], eos_token=special[1], clean_up_tokenization_spaces=True)
    if kind == "smollm2":
        special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
        config = dict(tokenizer_class="GPT2Tokenizer", bos_token=special[1], eos_token=special[2], pad_token=special[2], unk_token=special[0], add_prefix_space=False)
        return byte_level(307, special, digits=True), config
    if kind == "qwen":
        special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
        config = dict(tokenizer_class="Qwen2Tokenizer", bos_token=None, eos_token=special[2], pad_token=special[0], unk_token=None, add_prefix_space=False)
        return byte_level(307, special, split=QWEN_SPLIT, nfc=True), config
    if kind == "gpt2":
        special = ["<|endoftext|>"]
        config = dict(tokenizer_class="GPT2Tokenizer", bos_token=special[0], eos_token=special[0], unk_token=special[0], add_prefix_space=False)
        return byte_level(281, special), config
    raise ValueError(f"make: kind must be a known tokenizer, got {kind}")


def write(kind: str, folder: Path) -> None:
    tokenizer, config = make(kind)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    added = {str(id): dict(content=token.content, special=token.special, normalized=token.normalized, lstrip=token.lstrip, rstrip=token.rstrip,
                           single_word=token.single_word) for id, token in sorted(tokenizer.get_added_tokens_decoder().items())}
    config = dict(added_tokens_decoder=added, **config, model_max_length=64)
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")


def measure(folder: Path) -> list[dict]:
    """What the written tokenizer makes of each text."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    rows = []
    for text in TEXTS:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        rows.append(dict(text=text, ids=ids, idsWithSpecialTokens=tokenizer.encode(text, add_special_tokens=True).ids,
                         decoded=tokenizer.decode(ids, skip_special_tokens=False), decodedWithoutSpecialTokens=tokenizer.decode(ids, skip_special_tokens=True)))
    return rows
