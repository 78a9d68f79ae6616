"""What a step of the released trainer's loss costs, written anew after a description of it; none of its code is here.

What it stands for: the logits of the final and of k intermediate layers over the whole vocabulary at ALL positions, prompt and padding
too; a Python loop that at each response token takes the ensemble's softmax over the vocabulary, compares it with the threshold and writes
that token's penalised logits into the logits of the batch; cross-entropy over all positions' logits; backward.

Where the description leaves a choice, the cheaper one is taken: the ensemble is off the tape, so that backward reaches the final layer's
logits alone; distillation and reward are off, as released; the head is frozen, as LoRA leaves it; labels are shifted, not logits. Two
repairs that cost nothing to speak of let the loss be checked: the penalty's branches are the right way round, and the logits are copied
once before they are written to (released, writing into them makes backward fail).
"""
import torch
import torch.nn.functional as F

IGNORED = -100


def released_loss(head, hidden, labels, penalty_weight):
    """head [V, D], hidden k + 1 of [N, D] with the final layer first, labels [N]."""
    final, *intermediate = [F.linear(rows, head) for rows in hidden]  # k + 1 of [N, V]
    penalised = final.clone()  # [N, V]
    for position in (labels != IGNORED).nonzero()[:, 0].tolist():
        label = labels[position]
        with torch.no_grad():
            ensemble = torch.stack([logits[position] for logits in intermediate]).mean(0)  # [V]
            probabilities = F.softmax(ensemble, 0)
            threshold = F.softmax(final[position], 0)[label]
            negatives = probabilities >= threshold
            negatives[label] = False
            weights = torch.where(negatives, probabilities, 0.0)
            weights = weights / weights.sum().clamp_min(1e-30)
        logits = final[position]  # [V]
        penalised[position] = torch.where(negatives, logits + penalty_weight * weights * logits.abs(), logits)
    return F.cross_entropy(penalised, labels, ignore_index=IGNORED)
