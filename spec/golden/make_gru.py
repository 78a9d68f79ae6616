"""What torch.nn.GRU makes of seeded weights: states and the gradients of sum(states * upstream), for spec/layers/gru.spec.ts."""

import json
from pathlib import Path

import torch

B, T, D, H = 2, 5, 3, 7

torch.manual_seed(0)
gru = torch.nn.GRU(D, H, batch_first=True, dtype=torch.float64)
for parameter in gru.parameters():
    torch.nn.init.normal_(parameter, std=0.7)
x = torch.randn(B, T, D, dtype=torch.float64, requires_grad=True)
upstream = torch.randn(B, T, H, dtype=torch.float64)
states, _ = gru(x)
(states * upstream).sum().backward()


def flat(tensor: torch.Tensor) -> list[float]:
    return [float(f"{value:.9g}") for value in tensor.detach().flatten().tolist()]


# [in, 3 H], as the layer has them
weights = [gru.weight_ih_l0.T, gru.weight_hh_l0.T, gru.bias_ih_l0, gru.bias_hh_l0]
gradients = [gru.weight_ih_l0.grad.T, gru.weight_hh_l0.grad.T, gru.bias_ih_l0.grad, gru.bias_hh_l0.grad]
golden = dict(
    torch=torch.__version__.split("+")[0],
    shape=[B, T, D, H],
    weights=[flat(weight) for weight in weights],
    inputs=flat(x),
    upstream=flat(upstream),
    states=flat(states),
    inputGradient=flat(x.grad),
    weightGradients=[flat(gradient) for gradient in gradients],
)
Path(__file__).with_name("gru.json").write_text(json.dumps(golden) + "\n")
