"""What Hugging Face's tokenizers and transformers make of odd tokenizer files: added tokens with every flag, texts with odd spaces, splits and
decoders of all kinds, and tokens that only tokenizer_config.json has. Writes odd_tokenizers.json: few small vocabularies, and cases that change them."""

import copy
import json
import os
import random
import tempfile

import tokenizers
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

FEFF = "\ufeff"
CORPUS = ["the banjo strings, the other weather", "don't we'll", f"{FEFF}banjo {FEFF}banjo a{FEFF}b {FEFF}{FEFF}", "12 345 ²² ½½ ٣٤ ٣٤", "naïve café Größe 電動 電動", "a\u0085b a\u0085b", "snake_case  two  spaces"] * 3
TEXTS = [
    "a guitar, guitars; myguitar guitar_1 guitaré guitar", "  guitar  guitar ", f"{FEFF}guitar {FEFF} guitar{FEFF}", f"a{FEFF}b", FEFF, "a\u0085b \u0085 c\u0085",
    "x\u00a0guitar\u2003guitar", "² ½ ٣٤ x²", "don't  WE'LL", "電guitar 電動 guitar電 🔧🙂", "guitar<x><x>guitar <x> guitar", "<y> <y>guitar<y>\n<y>", "x  <z>  y<z>z",
    "ΑΣ ΟΔΟΣ.", "(hello),[world]!!", "▁guitar ▁▁a", "\u200bguitar\u200d", " lead", "trail  ", "the other banjo", "",
]
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


def bytes_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=330, show_progress=False, special_tokens=["<s>", "</s>"], initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    return tokenizer


def pieces_tokenizer():
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(CORPUS[:3], trainers.BpeTrainer(vocab_size=60, show_progress=False))
    learned = json.loads(trained.to_str())["model"]
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)] + list(learned["vocab"])
    vocab = {token: id for id, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[tuple(merge) for merge in learned["merges"]], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    return tokenizer


def words_tokenizer():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=90, show_progress=False, special_tokens=["<unk>"]))
    return tokenizer


BASES = {"bytes": bytes_tokenizer, "pieces": pieces_tokenizer, "words": words_tokenizer}


def part(value):
    """A part as tokenizer.json has it."""
    return json.loads(value.__getstate__()) if value is not None else None


def added(*tokens):
    """Added tokens as tokenizer.json lists them."""
    return [dict(id=id, content=content, **{flag: flag in flags for flag in FLAGS}) for id, content, *flags in tokens]


def decoder_of(*tokens):
    """Added tokens as tokenizer_config.json lists them."""
    return {str(token.pop("id")): token for token in added(*tokens)}


def cases():
    bytes_added, pieces_added = [(0, "<s>", "special"), (1, "</s>", "special")], [(0, "<unk>", "special"), (1, "<s>", "special"), (2, "</s>", "special")]
    next_bytes, next_pieces = 330, len(json.loads(pieces_tokenizer().to_str())["model"]["vocab"])
    for flags in (["single_word"], ["single_word", "normalized"], ["normalized"], ["lstrip", "rstrip"], ["lstrip", "rstrip", "normalized", "single_word"], ["normalized", "special"], ["special", "lstrip"]):
        for base, own, id in (("bytes", bytes_added, next_bytes), ("pieces", pieces_added, next_pieces)):
            tokens = added(*own, (id, "guitar", *flags), (id + 1, "<x>"), (id + 2, "<y>", "normalized", "lstrip"), (id + 3, "<z>", "rstrip"))
            yield f"added tokens, {', '.join(flags)}", base, dict(added_tokens=tokens), None
    yield "added tokens that overlap", "bytes", dict(added_tokens=added(*bytes_added, (330, "guitar str", "single_word"), (331, "guitar"), (332, "the g", "normalized"))), None
    yield "added tokens whose characters stand for bytes", "bytes", dict(added_tokens=added(*bytes_added, (330, "café"), (331, "Ġlute"), (332, "電"))), None
    yield "added tokens named like properties of objects", "bytes", dict(added_tokens=added(*bytes_added, (330, "constructor"), (331, "__proto__"), (332, "toString"))), None
    level = pre_tokenizers.ByteLevel
    for name, made in {
        "a space before each text": level(add_prefix_space=True),
        "single digits": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), level(add_prefix_space=False)]),
        "groups of digits, each with a space": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=False), level(add_prefix_space=True)]),
        "Llama 3's expression": pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), level(add_prefix_space=False, use_regex=False)]),
        "the same inverted": pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated", invert=True), level(add_prefix_space=False, use_regex=False)]),
        "the same, only what matches": pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "removed", invert=True), level(add_prefix_space=False, use_regex=False)]),
    }.items():
        yield name, "bytes", dict(pre_tokenizer=part(made)), None
    for name, made in {
        "words of letters": pre_tokenizers.Whitespace(), "words": pre_tokenizers.WhitespaceSplit(), "pieces of three characters": pre_tokenizers.FixedLength(3), "BERT's words": pre_tokenizers.BertPreTokenizer(),
        **{f"punctuation {behavior}": pre_tokenizers.Punctuation(behavior) for behavior in ("isolated", "removed", "contiguous", "merged_with_next", "merged_with_previous")},
        **{f"spaces {behavior}": pre_tokenizers.Split(" ", behavior) for behavior in ("isolated", "removed", "contiguous", "merged_with_next", "merged_with_previous")},
        **{f"an expression with groups {behavior}": pre_tokenizers.Split(Regex(r"(\s)|(\()|(?<x>[aeiou])(n|t)?"), behavior) for behavior in ("removed", "contiguous", "merged_with_next")},
        "only spaces": pre_tokenizers.Split(" ", "removed", invert=True),
    }.items():
        yield name, "words", dict(pre_tokenizer=part(made)), None
    for scheme in ("always", "first", "never"):
        for split in (True, False):
            metaspace = dict(prepend_scheme=scheme, split=split)
            changes = dict(normalizer=None, pre_tokenizer=part(pre_tokenizers.Metaspace(**metaspace)), decoder=part(decoders.Metaspace(**metaspace)))
            yield f"metaspace {scheme}, {'split' if split else 'whole'}", "pieces", changes, None
    for name, made in {
        "stripped": normalizers.Strip(), "stripped on the left": normalizers.Strip(True, False), "stripped on the right": normalizers.Strip(False, True), "in lower case": normalizers.Lowercase(),
        "BERT's": normalizers.BertNormalizer(), "with expressions": normalizers.Replace(Regex(r"\s+"), " "), "NFKC": normalizers.NFKC(),
    }.items():
        yield f"normalised, {name}", "bytes", dict(normalizer=part(made)), None
    yield "RoBERTa's special tokens", "bytes", dict(post_processor=part(processors.RobertaProcessing(("</s>", 1), ("<s>", 0)))), None
    template = processors.TemplateProcessing(single="<s> $A </s> </s>", pair="<s> $A $B", special_tokens=[("<s>", 0), ("</s>", 1)])
    yield "a template in a sequence", "bytes", dict(post_processor=part(processors.Sequence([processors.ByteLevel(trim_offsets=True), template]))), None
    yield "config: tokens of added_tokens_decoder alone", "bytes", {}, dict(added_tokens_decoder=decoder_of(*bytes_added, (330, "<x>", "special"), (331, "guitar", "single_word"), (332, "<y>", "lstrip")))
    yield "config: other flags", "bytes", dict(added_tokens=added(*bytes_added, (330, "guitar"))), dict(added_tokens_decoder=decoder_of(*bytes_added, (330, "guitar", "single_word", "rstrip")))
    yield "config: special tokens alone", "bytes", {}, dict(pad_token="<pad>", eos_token="</s>", bos_token="<z>", unk_token="<x>", additional_special_tokens=["<y>", "</s>"])
    yield "config: a special token of the vocabulary", "words", {}, dict(unk_token="<unk>", eos_token="the")
    yield "config: both", "bytes", {}, dict(added_tokens_decoder=decoder_of((330, "<x>")), pad_token="<pad>", extra_special_tokens=["<y>"], eos_token="<x>")
    for wanted in (True, False):
        own = dict(tokenizer_class="GPT2Tokenizer", add_prefix_space=wanted, unk_token="<s>", bos_token="<s>", eos_token="</s>")
        yield f"config: add_prefix_space {wanted}", "bytes", dict(pre_tokenizer=part(level(add_prefix_space=not wanted))), own
    yield "config: add_prefix_space of a class that ignores it", "bytes", {}, dict(tokenizer_class="PreTrainedTokenizerFast", add_prefix_space=True)


def loaded(changed, config):
    """The tokenizer of tokenizers, or, with a tokenizer_config.json, the one that transformers makes."""
    if config is None:
        return Tokenizer.from_str(json.dumps(changed)), None
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("tokenizer.json", changed), ("tokenizer_config.json", config)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                json.dump(content, file)
        kind = getattr(transformers, config.get("tokenizer_class", "PreTrainedTokenizerFast"))
        whole = kind.from_pretrained(folder)
        return whole._tokenizer, dict(bosTokenId=whole.bos_token_id, eosTokenId=whole.eos_token_id, padTokenId=whole.pad_token_id)


def main():
    transformers.logging.set_verbosity_error()
    random.seed(0)
    bases = {name: json.loads(make().to_str()) for name, make in BASES.items()}
    out = []
    for name, base, changes, config in cases():
        tokenizer, ids = loaded({**copy.deepcopy(bases[base]), **changes}, config)
        rows = []
        for text in TEXTS:
            own = tokenizer.encode(text, add_special_tokens=False).ids
            whole = tokenizer.encode(text).ids
            written, plain = tokenizer.decode(own, skip_special_tokens=False), tokenizer.decode(own)
            rows.append([own, None if whole == own else whole, written, None if plain == written else plain])  # null: the one before
        size = max(tokenizer.get_vocab().values()) + 1
        draws = [[random.randrange(size) for _ in range(random.randrange(1, 8))] for _ in range(8)]
        decoded = [[draw, tokenizer.decode(draw, skip_special_tokens=False), tokenizer.decode(draw)] for draw in draws]
        out.append(dict(name=name, base=base, changes=changes, config=config, namedIds=ids, rows=rows, decoded=decoded))
    source = f"tokenizers {tokenizers.__version__}, transformers {transformers.__version__}, spec/golden/make_odd_tokenizers.py"
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "odd_tokenizers.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(dict(source=source, texts=TEXTS, bases=bases, cases=out), file, ensure_ascii=True, separators=(",", ":"))
        file.write("\n")


main()
