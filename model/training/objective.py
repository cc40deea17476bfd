"""What a training step makes smaller: four terms, summed with the weights of the settings.

Dimensions: B rows, S tokens, D model, V vocabulary, n positions that count.

    loss = answer + balance * L_balance + z * L_z + kl * L_kl

    answer     mean over the tokens of answers of  -log p(token | what stands before it)
    L_balance  model.training.losses, mean over the trained layers
    L_z        the same
    L_kl       mean over the tokens of general text of  sum over v of q(v) * (log q(v) - log p(v))

p is the model that learns and q the model with its experts off. The KL term runs from q to p (the "forward" direction,
as in distillation: Hinton et al., 2015, arXiv 1503.02531, at temperature 1), so p must cover whatever q holds likely.

The output layer is computed at the n positions that count alone: with a vocabulary of 151,936 the logits of 2,048
positions are 1.2 GB in float32. Sums are divided by the number of tokens of the whole step, not of each batch: else a
short batch would weigh as much as a long one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from model.training.batches import Batch
from model.training.graft import Graft
from model.training.losses import balance_loss, z_loss
from model.training.rows import GENERAL

__all__ = ["Gates", "answer_loss", "gate_losses", "hidden_states", "kl_loss"]


@dataclass(frozen=True, slots=True, eq=False)
class Gates:
    """The losses of all trained gates on one batch, float32 scalars: means over the layers."""

    balance: Any
    z: Any


def hidden_states(grafted: Graft, batch: Batch) -> Any:
    """Run the model up to its output layer: shape (B, S, D). Empties and refills `switches.routed`.

    Activations of the layers below `Graft.first_layer` do not change while training, so this is the place to start from
    stored ones.
    """
    grafted.switches.routed.clear()
    found = grafted.model.model(input_ids=batch.ids, attention_mask=batch.there, use_cache=False)
    return found.last_hidden_state


def answer_loss(grafted: Graft, hidden: Any, batch: Batch) -> tuple[Any, int]:
    """Return the sum of -log p over the tokens of the answers, float32, and how many they are."""
    wanted = batch.answers[:, 1:]  # (B, S-1)
    logits = grafted.model.lm_head(hidden[:, :-1][wanted]).float()  # (n, V)
    return torch.nn.functional.cross_entropy(logits, batch.ids[:, 1:][wanted], reduction="sum"), int(wanted.sum())


def kl_loss(grafted: Graft, hidden: Any, dense: Any, batch: Batch) -> tuple[Any, int]:
    """Return the sum of KL(q || p) over the tokens of general text, float32, and how many they are.

    Args:
        grafted: For the output layer.
        hidden: Of the model that learns, shape (B, S, D).
        dense: Of the model with its experts off, without a gradient.
        batch: Whose rows of the domain "general" count.
    """
    general = torch.tensor([domain == GENERAL for domain in batch.domains], device=batch.ids.device)  # (B)
    wanted = (batch.there[:, 1:] > 0) & general[:, None]  # (B, S-1)
    ours = torch.log_softmax(grafted.model.lm_head(hidden[:, :-1][wanted]).float(), dim=-1)  # (n, V)
    theirs = torch.log_softmax(grafted.model.lm_head(dense[:, :-1][wanted]).float(), dim=-1)  # (n, V)
    return torch.nn.functional.kl_div(ours, theirs, reduction="sum", log_target=True), int(wanted.sum())


def gate_losses(grafted: Graft, batch: Batch) -> Gates:
    """Return the losses of the gates on the batch that `hidden_states` saw last; padding does not count."""
    mask = batch.there.flatten() > 0  # (T)
    routed = grafted.switches.routed
    balance = torch.stack([balance_loss(gate.logits, gate.experts, mask=mask) for gate in routed]).mean()
    return Gates(balance, torch.stack([z_loss(gate.logits, mask=mask) for gate in routed]).mean())
