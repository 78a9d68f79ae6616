"""What TRL's own loss code makes of small tensors of log-probabilities, and PyTorch where TRL lacks the loss: preference/golden.json.

DPO: `DPOTrainer._compute_loss`, loss_type "sigmoid". RosePO: from TRL's "sigmoid" and "robust", see below.
S-DPO: PyTorch, written from the formula, as TRL lacks it. MSL, TCA4Rec: PyTorch, from the formulas. GRPO: `GRPOTrainer._compute_loss`, loss_type "grpo", and the advantages as in `_generate_and_score_completions`.
Usage: python -P make_preference.py (-P, because the folder peft here would hide the package of that name)
"""

import json
from pathlib import Path
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.utils import nanstd

Q, G, T = 5, 4, 3
generator = torch.Generator().manual_seed(13)


def log_probs(*shape: int) -> torch.Tensor:
    return -torch.rand(*shape, generator=generator) * 4 - 0.1


def listed(tensor: torch.Tensor) -> list:
    return [float(f"{value:.8g}") for value in tensor.detach().flatten().tolist()]


class Recorder(dict):
    def __missing__(self, key):
        self[key] = []
        return self[key]


def accelerator() -> SimpleNamespace:
    return SimpleNamespace(device=torch.device("cpu"), num_processes=1, gather=lambda x: x, gather_for_metrics=lambda x: x, reduce=lambda x, **_: x)


def dpo(policy: torch.Tensor, reference: torch.Tensor, beta: float, loss_type: str, smoothing: float = 0.0) -> torch.Tensor:
    """TRL's loss of pairs [Q, 2] whose responses have one token each: the token-wise log-probabilities are then those of the responses."""
    count = policy.shape[0]
    per_token = torch.cat([policy[:, 0], policy[:, 1]]).unsqueeze(1)  # [2 Q, 1], chosen ones first
    trainer = SimpleNamespace(
        accelerator=accelerator(), aux_loss_enabled=False, ld_alpha=None, precompute_ref_logps=True, f_divergence_type="reverse_kl",
        loss_types=[loss_type], loss_weights=[1.0], beta=beta, label_smoothing=smoothing, use_weighting=False, args=SimpleNamespace(),
        _metrics={"train": Recorder(), "eval": Recorder()}, ref_model=None, _total_train_tokens=0)

    class Model:
        training = False

        def __call__(self, **_):
            zeros = torch.zeros(2 * count, 1)  # what only the metrics read
            return SimpleNamespace(log_probs=per_token, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool())

    trainer.model = Model()
    ids = torch.zeros(2 * count, 2, dtype=torch.long)
    inputs = dict(input_ids=ids, attention_mask=torch.ones_like(ids), completion_mask=torch.tensor([[0, 1]] * (2 * count)),
                  ref_chosen_logps=reference[:, 0], ref_rejected_logps=reference[:, 1])
    return DPOTrainer._compute_loss(trainer, trainer.model, inputs, False)


def with_gradient(loss_of, policy: torch.Tensor) -> dict:
    leaf = policy.clone().requires_grad_(True)
    loss = loss_of(leaf)
    loss.backward()
    return dict(loss=float(f"{loss.item():.8g}"), gradient=listed(leaf.grad))


def dpo_case() -> dict:
    policy, reference = log_probs(Q, 2), log_probs(Q, 2)
    return dict(shape=[Q, 2], beta=0.7, policy=listed(policy), reference=listed(reference), **with_gradient(lambda p: dpo(p, reference, 0.7, "sigmoid"), policy))


def rose_po_case() -> dict:
    """TRL's robust loss is ((1 - e) a - e b) / (1 - 2 e), a = -log sigma(D), b = -log sigma(-D); a is its "sigmoid". So (1 - e) a + e b = 2 (1 - e) a - (1 - 2 e) robust."""
    policy, reference, e, beta = log_probs(Q, 2), log_probs(Q, 2), 0.3, 0.7
    loss_of = lambda p: 2 * (1 - e) * dpo(p, reference, beta, "sigmoid") - (1 - 2 * e) * dpo(p, reference, beta, "robust", e)
    return dict(shape=[Q, 2], beta=beta, doubt=e, policy=listed(policy), reference=listed(reference), **with_gradient(loss_of, policy))


def s_dpo_case() -> dict:
    policy, reference, beta = log_probs(Q, G), log_probs(Q, G), 0.7

    def loss_of(p):
        ratios = p - reference
        return -F.logsigmoid(-torch.log(torch.exp(beta * (ratios[:, 1:] - ratios[:, :1])).sum(1))).mean()

    return dict(shape=[Q, G], beta=beta, policy=listed(policy), reference=listed(reference), **with_gradient(loss_of, policy))


def grpo_case() -> dict:
    policy, reference = log_probs(Q, T), log_probs(Q, T)
    mask = (torch.arange(T) < torch.tensor([3, 1, 2, 3, 2]).unsqueeze(1)).float()
    advantages, beta = torch.randn(Q, generator=generator), 0.2

    def loss_of(p):
        trainer = SimpleNamespace(
            accelerator=accelerator(), aux_loss_enabled=False, _entropy_bonus_enabled=False, top_entropy_quantile=1.0, off_policy_mask_threshold=None, importance_sampling_level="token",
            beta=beta, loss_type="grpo", epsilon_low=0.2, epsilon_high=0.2, use_vllm=False, current_gradient_accumulation_steps=1,
            args=SimpleNamespace(delta=None, use_bias_correction_kl=False), model=SimpleNamespace(training=False), _metrics={"train": Recorder(), "eval": Recorder()},
            _get_per_token_logps_and_entropies=lambda *_, **__: (p, torch.zeros_like(p), None))
        ids = torch.zeros(Q, T, dtype=torch.long)
        return GRPOTrainer._compute_loss(trainer, None, dict(prompt_ids=ids, prompt_mask=ids, completion_ids=ids, completion_mask=mask, advantages=advantages,
                                                             ref_per_token_logps=reference))

    return dict(shape=[Q, T], klWeight=beta, policy=listed(policy), reference=listed(reference), mask=listed(mask), advantages=listed(advantages),
                **with_gradient(loss_of, policy))


def advantages_case() -> dict:
    """As `_generate_and_score_completions` makes them, with TRL's own `nanstd`."""
    rewards = torch.randn(Q, G, generator=generator)
    rewards[1] = 0.5
    std = nanstd(rewards, dim=1).unsqueeze(1)
    return dict(shape=[Q, G], rewards=listed(rewards), advantages=listed((rewards - torch.nanmean(rewards, dim=1, keepdim=True)) / (std + 1e-4)))


def restricted(loss_of, temperature: float) -> dict:
    """Losses of logits [P, V] among allowed tokens; a position with one allowed token has no choice and is left out."""
    rows, tokens = 6, 7
    logits = torch.randn(rows, tokens, generator=generator)
    allowed = torch.rand(rows, tokens, generator=generator) < 0.5
    labels = torch.randint(tokens, (rows,), generator=generator)
    allowed[torch.arange(rows), labels] = True
    allowed[2] = F.one_hot(labels[2], tokens).bool()
    reward = torch.rand(rows, tokens, generator=generator) * allowed
    reward = reward / reward.sum(1, keepdim=True)
    reward[4] = 0
    choice = allowed.sum(1) > 1
    masked = lambda z: z.masked_fill(~allowed, -torch.inf)[choice] / temperature
    return dict(shape=[rows, tokens], temperature=temperature, logits=listed(logits), labels=labels.tolist(), allowed=allowed.int().flatten().tolist(), reward=listed(reward),
                **with_gradient(lambda z: loss_of(masked(z), labels[choice], reward[choice]), logits))


def msl_case() -> dict:
    """MSL is the cross-entropy among the allowed tokens."""
    return restricted(lambda z, labels, _: F.cross_entropy(z, labels), 1.7)


def tca4rec_case() -> dict:
    """TCA4Rec from its formula; where the collaborative model has no mass, the label has all of it."""
    weight = 0.3

    def loss_of(z, labels, reward):
        share = weight * (reward.sum(1, keepdim=True) > 0)
        q = (1 - share) * F.one_hot(labels, z.shape[1]) + share * reward
        return (torch.logsumexp(z, 1) - torch.log((q * torch.exp(z)).sum(1))).mean()

    return dict(collaborativeWeight=weight, **restricted(loss_of, 1.3))


golden = dict(dpo=dpo_case(), rosePo=rose_po_case(), sDpo=s_dpo_case(), grpo=grpo_case(), advantages=advantages_case(), msl=msl_case(), tca4rec=tca4rec_case())
folder = Path(__file__).parent / "preference"
folder.mkdir(exist_ok=True)
cases = (f"  {json.dumps(name)}: {json.dumps(case)}" for name, case in golden.items())
(folder / "golden.json").write_text("{\n" + ",\n".join(cases) + "\n}\n")
