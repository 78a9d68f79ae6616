"""PyTorch's side of the cases S4 and S5: reads one JSON command a line on stdin, answers each with one JSON line on stdout.

  {"op": "setup", "vocabSize": V, "hiddenSize": D, "layers": k, "rows": N, "responseRows": [...], "seed": 1, "signal": 2, "threads": 1}
  {"op": "s4", "penaltyWeight": 0.1, "distillationWeight": 0.1}     the objective, vectorised, on the response rows
  {"op": "s5", "penaltyWeight": 0.1}                                the released trainer's way, over all rows
"""
import json
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    print(json.dumps({"missing": str(error)}), flush=True)
    sys.exit(0)

from inputs import make_inputs
from released_trainer import released_loss


def ilrec_loss(head, final, intermediate, labels, layers, penalty_weight, distillation_weight):
    """L_CPO + lambda L_CPD in eager PyTorch; head [V, D], final [P, D], intermediate [k * P, D], labels [P]."""
    rows, target = final.shape[0], labels[:, None]
    logits = F.linear(final, head)  # [P, V]
    if distillation_weight == 0:  # then the layers' mean is all that is needed, and one projection gives it
        students = None
        with torch.no_grad():
            ensemble = F.linear(intermediate.view(layers, rows, -1).mean(0), head)  # [P, V]
    else:
        students = F.linear(intermediate, head)  # [k * P, V]
        ensemble = students.detach().view(layers, rows, -1).mean(0)  # [P, V]

    with torch.no_grad():
        teacher_log = F.log_softmax(logits, 1)  # [P, V]
        threshold = teacher_log.gather(1, target).exp()  # [P, 1]
        probabilities = F.softmax(ensemble, 1)  # [P, V]
        weights = torch.where(probabilities >= threshold, probabilities, 0.0).scatter_(1, target, 0.0)  # [P, V]
        weights.mul_(penalty_weight / weights.sum(1, keepdim=True).clamp_min(1e-30))
    loss = F.cross_entropy(torch.addcmul(logits, weights, logits.abs()), labels)  # the label's own logit has weight 0
    if students is None:
        return loss

    # The fastest of six ways tried: F.kl_div with and without log_target, F.cross_entropy with soft labels, and with logsumexp.
    teacher = teacher_log.exp()  # [P, V]
    negative_entropy = (teacher * teacher_log).sum() / rows
    cross_entropy = -(F.log_softmax(students, 1).view(layers, rows, -1) * teacher).sum() / (layers * rows)
    return loss + distillation_weight * (negative_entropy + cross_entropy)


def timed(loss_of, leaves):
    """One forward and backward pass: milliseconds, loss, norm of each leaf's gradient."""
    for leaf in leaves:
        leaf.grad = None
    began = time.perf_counter()
    loss = loss_of()
    loss.backward()
    ms = (time.perf_counter() - began) * 1e3
    norms = [0.0 if leaf.grad is None else torch.linalg.vector_norm(leaf.grad).item() for leaf in leaves]
    return {"ms": ms, "loss": loss.item(), "gradNorms": norms}


def main():
    print(json.dumps({"ready": torch.__version__}), flush=True)
    inputs = None
    for line in sys.stdin:
        command = json.loads(line)
        op = command.pop("op")
        if op == "setup":
            torch.set_num_threads(command.pop("threads"))
            inputs = None  # frees the former ones first
            inputs = make_inputs(command)
            answer = {"threads": torch.get_num_threads()}
        elif op == "s4":
            final, intermediate = inputs.response_leaves()
            answer = timed(
                lambda: ilrec_loss(inputs.head, final, intermediate, inputs.response_labels, inputs.layers, command["penaltyWeight"], command["distillationWeight"]),
                (final, intermediate),
            )
        elif op == "s5":
            hidden = inputs.all_leaves()
            answer = timed(lambda: released_loss(inputs.head, hidden, inputs.labels, command["penaltyWeight"]), hidden)
        else:
            answer = {"error": f"op must be setup, s4 or s5, got {op}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
