"""Writes text_tokenizers.json: small tokenizers of the kinds that checkpoints bring, with ids and texts as Hugging Face's tokenizers give them.

Run: python spec/golden/make_text_tokenizers.py   (tokenizers is the only package it needs)
"""
import json
import os
import random

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CORPUS = [
    "Acoustic guitar strings, light gauge (.011-.052)", "Electric guitar strings", "Microphone stand with boom arm", "Café racer helmet",
    "USB-C cable 2m", "Don't stop believin' - sheet music", "Straße nach München", "日本語の本 第3巻", "Пианино для начинающих", "ukulele 12345 67", "The quick brown fox",
    "Guitar pick set, 24 pieces", "Drum sticks 5A", "guitar capo", "strings for violin 4/4", "  two  spaces", "tab\tand\nnewline",
]
TEXTS = CORPUS + [
    "", " ", "   leading", "trailing   ", "a\n\n b\r\nc", "e\u0301 vs \u00e9", "\u1ea1\u0323", "emoji 👩‍👩‍👧 🎸🎸", "\u00a0nbsp\u2003em", "It's we'll I'M you'Ve", "1234567890 1,000.5",
    "null \u0000 byte", "don\u2019t", "العربية", "<|end|>middle<|end|>", "x<a_1><b_22>y <a_1> z", "<a_1", "ﬁ ligature ½", "ÀÉÎ", "word" * 40, "한국어 텍스트", "\ud7ff\ue000\U0010ffff", "/path/to\\file", "Ünï¢ødé",
]
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def train(tokenizer, size, alphabet):
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=["<|begin|>", "<|end|>"], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)


def byte_level(split=None, normalizer=None, size=330, ignore_merges=False):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer:
        tokenizer.normalizer = normalizer
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=split is None)
    tokenizer.pre_tokenizer = level if split is None else pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(split), "isolated"), level])
    tokenizer.decoder = decoders.ByteLevel()
    train(tokenizer, size, pre_tokenizers.ByteLevel.alphabet())
    return tokenizer


def gpt2():
    return byte_level()


def qwen2():
    return byte_level(QWEN, normalizers.NFC())


def llama3():
    tokenizer = byte_level(LLAMA3, ignore_merges=True)
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True), processors.TemplateProcessing(single="<|begin|> $A", pair="<|begin|> $A <|begin|> $B", special_tokens=[("<|begin|>", 0)])])
    return tokenizer


def smollm2():
    tokenizer = byte_level()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    return tokenizer


def llama2():
    base = Tokenizer(models.BPE())
    base.pre_tokenizer = pre_tokenizers.Metaspace()
    base.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=120, show_progress=False))
    learned = json.loads(base.to_str())["model"]
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)] + list(learned["vocab"])
    vocab = {token: id for id, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[tuple(merge) for merge in learned["merges"]], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    return tokenizer


def cases(tokenizer, texts):
    rows = []
    for text in texts:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        rows.append([text, ids, tokenizer.encode(text).ids, tokenizer.decode(ids, skip_special_tokens=False), tokenizer.decode(ids)])
    return rows


def main():
    random.seed(0)
    out = {"source": f"tokenizers {tokenizers.__version__}, spec/golden/make_text_tokenizers.py", "columns": ["text", "ids", "idsWithSpecialTokens", "decoded", "decodedWithoutSpecialTokens"], "corpusSize": len(CORPUS), "tokenizers": {}}
    for make in (gpt2, qwen2, llama3, smollm2, llama2):
        tokenizer = make()
        added = Tokenizer.from_str(tokenizer.to_str())
        added.add_tokens([AddedToken(token, normalized=False) for token in ["<a_1>", "<b_22>", "guitar"]])
        out["tokenizers"][make.__name__] = {"tokenizer": json.loads(tokenizer.to_str()), "cases": cases(tokenizer, TEXTS), "casesWithAddedTokens": cases(added, TEXTS)}
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "text_tokenizers.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(out, file, ensure_ascii=True, separators=(",", ":"))
        file.write("\n")


main()
