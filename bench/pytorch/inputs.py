"""The numbers both sides work on; bench/cases/s4_pytorch_loss.ts makes the same, bit for bit."""
import torch

IGNORED = -100
MASK = 0xFFFFFFFF


def hashes(seed, length):
    """Well-mixed 32-bit integers, int64 [length]."""
    h = (torch.arange(length, dtype=torch.int64) + seed * 0x9E3779B1) & MASK
    h = h ^ (h >> 16)
    h = (h * 0x7FEB352D) & MASK
    h = h ^ (h >> 15)
    h = (h * 0x846CA68B) & MASK
    return h ^ (h >> 16)


def uniforms(seed, *shape):
    """Float32 in [-1, 1)."""
    length = 1
    for size in shape:
        length *= size
    return ((hashes(seed, length) >> 8).float() / 2**23 - 1).view(shape)


class Inputs:
    """Head W [V, D], hidden rows of the final layer and of k intermediate ones, k + 1 of [N, D], labels [N] with -100 off the response."""

    def __init__(self, vocab_size, hidden_size, layers, rows, response_rows, seed, signal):
        self.layers = layers
        self.head = uniforms(seed, vocab_size, hidden_size) * 0.25
        tokens = hashes(seed + 1, rows) % vocab_size
        towards_label = self.head[tokens] * signal  # [N, D]
        common = uniforms(seed + 2, rows, hidden_size) * 1.375  # what all layers share
        self.hidden = [common + uniforms(seed + 3 + layer, rows, hidden_size) + towards_label * (1.0 if layer == 0 else 0.5) for layer in range(layers + 1)]
        self.response_rows = torch.tensor(response_rows)
        self.response_labels = tokens[self.response_rows]  # [P]
        self.labels = torch.full((rows,), IGNORED, dtype=torch.int64)
        self.labels[self.response_rows] = self.response_labels
        self._response_leaves = None

    def response_leaves(self):
        """What the loss is differentiated by: [P, D] and [k * P, D]."""
        if self._response_leaves is None:
            final, *intermediate = [rows.detach()[self.response_rows] for rows in self.hidden]
            self._response_leaves = (final.requires_grad_(), torch.cat(intermediate).requires_grad_())
        return self._response_leaves

    def all_leaves(self):
        """The same for all rows, k + 1 of [N, D]."""
        return [rows.requires_grad_() for rows in self.hidden]


def make_inputs(sizes):
    return Inputs(sizes["vocabSize"], sizes["hiddenSize"], sizes["layers"], sizes["rows"], sizes["responseRows"], sizes["seed"], sizes["signal"])
