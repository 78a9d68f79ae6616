"""Small random GGUF files, written by the gguf package, and what it dequantises them to. Writes gguf/types.gguf, gguf/unknown.gguf and gguf/golden.json."""

import base64
import json
import os
from importlib.metadata import version

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gguf")
HALVES = {Type.Q4_K: (0, 2), Type.Q5_K: (0, 2), Type.Q6_K: (208,)}  # where a block has float16 scales


def stored(type, rows, width, random):
    """A random tensor as the file holds it: the K types from random bytes with usual scales, since the package cannot quantise to them."""
    if type == Type.F32:
        return random.standard_normal((rows, width)).astype(np.float32)
    if type == Type.F16:
        return random.standard_normal((rows, width)).astype(np.float16)
    if type not in HALVES:
        return gguf.quants.quantize(random.standard_normal((rows, width)).astype(np.float32), type)
    values, size = gguf.GGML_QUANT_SIZES[type]
    blocks = random.integers(0, 256, (rows * width // values, size), dtype=np.uint8)
    for at in HALVES[type]:
        blocks[:, at : at + 2] = random.uniform(-0.01, 0.02, (len(blocks), 1)).astype(np.float16).view(np.uint8)
    return blocks.reshape(rows, -1)


def main():
    random = np.random.default_rng(0)
    os.makedirs(FOLDER, exist_ok=True)
    writer = gguf.GGUFWriter(os.path.join(FOLDER, "types.gguf"), "llama")
    metadata = {
        "an.int8": ("add_int8", -7), "an.uint16": ("add_uint16", 65535), "an.int32": ("add_int32", -(2**31)), "an.int64": ("add_int64", -(2**60)), "an.uint64": ("add_uint64", 2**53 - 1),
        "a.float": ("add_float32", 0.15625), "a.double": ("add_float64", 0.1), "a.bool": ("add_bool", True), "a.text": ("add_string", "\ufeffnaïve 電 🙂"),
        "a.list": ("add_array", ["a", "", "▁b"]), "a.list.of.numbers": ("add_array", [1.5, -2.5]), "a.list.of.lists": ("add_array", [[1, 2], [3]]),
    }
    for key, (method, value) in metadata.items():
        getattr(writer, method)(key, value)
    golden = {}
    for type in (Type.F32, Type.F16, Type.BF16, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0, Type.Q4_K, Type.Q5_K, Type.Q6_K):
        width = gguf.GGML_QUANT_SIZES[type][0] * (7 if gguf.GGML_QUANT_SIZES[type][0] == 1 else 2 if type not in HALVES else 1)
        data = stored(type, 3, width, random)
        writer.add_tensor(f"{type.name}.weight", data, raw_dtype=type)
        values = gguf.quants.dequantize(data, type).astype("<f4")
        golden[f"{type.name}.weight"] = dict(dtype=type.name, shape=[3, width], float32=base64.b64encode(values.tobytes()).decode())
    writer.add_tensor("vector", np.arange(5, dtype=np.float32))
    golden["vector"] = dict(dtype="F32", shape=[5], float32=base64.b64encode(np.arange(5, dtype="<f4").tobytes()).decode())
    close(writer)

    writer = gguf.GGUFWriter(os.path.join(FOLDER, "unknown.gguf"), "llama")
    writer.add_custom_alignment(64)
    writer.add_tensor("known", np.ones((2, 3), dtype=np.float32))
    writer.add_tensor("unknown", random.integers(0, 256, (2, 18), dtype=np.uint8), raw_dtype=Type.IQ4_NL)
    writer.add_tensor("last", np.full((1, 2), 7, dtype=np.float32))
    close(writer)
    out = dict(source=f"gguf {version('gguf')}, spec/golden/make_gguf.py", metadata={key: str(value) if isinstance(value, int) and abs(value) > 2**53 else value for key, (_, value) in metadata.items()}, tensors=golden)
    with open(os.path.join(FOLDER, "golden.json"), "w", encoding="utf-8") as file:
        json.dump(out, file, separators=(",", ":"))
        file.write("\n")


def close(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main()
