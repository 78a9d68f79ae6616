"""PyTorch's side of the case S14, whole training steps: reads one JSON command a line on stdin, answers each with one JSON line on stdout.

  {"op": "setup", "folder": "...", "numNegativeLayers": 3, "penaltyWeight": 0.1, "distillationWeight": 0.1, "learningRate": 1e-3, "weightDecay": 0.01, "threads": 1}
  {"op": "step", "ids": [[...]], "labels": [[...]]}     forward, backward and update; labels are shifted, -100 off the response
"""
import json
import struct
import sys
import time
from pathlib import Path

try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    print(json.dumps({"missing": str(error)}), flush=True)
    sys.exit(0)

from ilrec_loss import ilrec_loss
from inputs import IGNORED


def read_safetensors(path):
    """Float32 tensors by name."""
    data = bytearray(Path(path).read_bytes())
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    view = memoryview(data)[8 + length :]
    return {name: torch.frombuffer(view[slice(*entry["data_offsets"])], dtype=torch.float32).view(entry["shape"]).clone() for name, entry in header.items()}


class Decoder:
    """A Llama of plain functions, with PyTorch's own fused ones: rms_norm, scaled_dot_product_attention, AdamW."""

    def __init__(self, folder, learningRate, weightDecay):
        self.config = json.loads(Path(folder, "config.json").read_text())
        self.weights = {name: weight.requires_grad_() for name, weight in read_safetensors(Path(folder, "model.safetensors")).items()}
        self.head = self.weights["model.embed_tokens.weight" if self.config["tie_word_embeddings"] else "lm_head.weight"]
        matrices = [weight for weight in self.weights.values() if weight.dim() >= 2]
        vectors = [weight for weight in self.weights.values() if weight.dim() < 2]
        groups = [{"params": matrices, "weight_decay": weightDecay}, {"params": vectors, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=learningRate, betas=(0.9, 0.999), eps=1e-8, fused=True)

    def norm(self, x, name):
        return F.rms_norm(x, x.shape[-1:], self.weights[f"{name}.weight"], self.config["rms_norm_eps"])

    def linear(self, x, name):
        return F.linear(x, self.weights[f"{name}.weight"])

    def heads(self, x, name, count):
        batch, length, _ = x.shape
        return self.linear(x, name).view(batch, length, count, -1).transpose(1, 2)  # [B, count, T, F]

    def block(self, x, name, cos, sin):
        batch, length, _ = x.shape
        config, attention = self.config, f"{name}.self_attn"
        normed = self.norm(x, f"{name}.input_layernorm")
        query = rotate(self.heads(normed, f"{attention}.q_proj", config["num_attention_heads"]), cos, sin)
        key = rotate(self.heads(normed, f"{attention}.k_proj", config["num_key_value_heads"]), cos, sin)
        value = self.heads(normed, f"{attention}.v_proj", config["num_key_value_heads"])
        context = F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)  # [B, H, T, F]
        x = x + self.linear(context.transpose(1, 2).reshape(batch, length, -1), f"{attention}.o_proj")
        normed = self.norm(x, f"{name}.post_attention_layernorm")
        return x + self.linear(F.silu(self.linear(normed, f"{name}.mlp.gate_proj")) * self.linear(normed, f"{name}.mlp.up_proj"), f"{name}.mlp.down_proj")

    def outputs(self, ids):
        """Of every block, each [B, T, D]."""
        cos, sin = rotary_tables(ids.shape[1], self.config["head_dim"], self.config["rope_theta"])
        outputs = [F.embedding(ids, self.weights["model.embed_tokens.weight"])]
        for layer in range(self.config["num_hidden_layers"]):
            outputs.append(self.block(outputs[-1], f"model.layers.{layer}", cos, sin))
        return outputs[1:]

    def loss(self, ids, labels, numNegativeLayers, penaltyWeight, distillationWeight):
        """Response rows only, and of them the final layer's alone where nothing is asked of the others: cross-entropy, SFT."""
        response = labels != IGNORED
        outputs, targets = self.outputs(ids), labels[response]  # [P]
        final = self.norm(outputs[-1][response], "model.norm")  # [P, D]
        if penaltyWeight == 0 and distillationWeight == 0:
            return F.cross_entropy(F.linear(final, self.head), targets)
        layers = outputs[-2 : -2 - numNegativeLayers : -1]
        intermediate = self.norm(torch.cat([output[response] for output in layers]), "model.norm")  # [k * P, D]
        return ilrec_loss(self.head, final, intermediate, targets, len(layers), penaltyWeight, distillationWeight)

    def step(self, ids, labels, **coefficients):
        began = time.perf_counter()
        loss = self.loss(ids, labels, **coefficients)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return {"ms": (time.perf_counter() - began) * 1e3, "loss": loss.item()}


def rotary_tables(length, head_size, theta):
    """[T, F] each; feature i and i + F / 2 form a pair."""
    frequencies = theta ** (-torch.arange(0, head_size, 2).float() / head_size)
    angles = torch.outer(torch.arange(length).float(), frequencies).repeat(1, 2)
    return angles.cos(), angles.sin()


def rotate(x, cos, sin):
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat((-second, first), -1) * sin


def main():
    print(json.dumps({"ready": torch.__version__}), flush=True)
    decoder, coefficients = None, {}
    for line in sys.stdin:
        command = json.loads(line)
        op = command.pop("op")
        if op == "setup":
            torch.set_num_threads(command.pop("threads"))
            coefficients = {name: command.pop(name) for name in ("numNegativeLayers", "penaltyWeight", "distillationWeight")}
            decoder = None  # frees the former one first
            decoder = Decoder(**command)
            answer = {"parameters": sum(weight.numel() for weight in decoder.weights.values())}
        elif op == "step":
            answer = decoder.step(torch.tensor(command["ids"]), torch.tensor(command["labels"]), **coefficients)
        else:
            answer = {"error": f"op must be setup or step, got {op}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
