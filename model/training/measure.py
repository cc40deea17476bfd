"""How good a model in training is on rows that it does not learn from: no noise, nothing changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from model.training.batches import EncodedRow, batch_of
from model.training.graft import Graft
from model.training.objective import answer_loss, hidden_states, kl_loss
from model.training.rows import GENERAL

__all__ = ["Measurement", "measure"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """Figures of one moment, in the order in which they are measured.

    Attributes:
        answer: Mean -log p of an answer's token, in nats, over all domains.
        by_domain: The same, by domain.
        general: Mean KL of a token of general text to the model without experts, in nats; None: no such row.
        load: Share of its layer's pairs of token and expert that each expert had, by layer. Shares of a layer sum to 1.
        least_load: The least of them over the even share 1 / E; 1 is even, 0 an expert that nobody chose.
    """

    answer: float
    by_domain: dict[str, float]
    general: float | None
    load: dict[int, tuple[float, ...]]
    least_load: float

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as JSON has them."""
        return {
            "answer": self.answer,
            "by_domain": dict(self.by_domain),
            "general": self.general,
            "load": {str(layer): list(shares) for layer, shares in self.load.items()},
            "least_load": self.least_load,
        }


def measure(grafted: Graft, rows: Sequence[EncodedRow], *, quantized: bool, on: bool = True) -> Measurement:
    """Measure a model on rows, one at a time, so that the figures do not depend on how rows are put together.

    Args:
        grafted: The model; its switches are as before afterwards.
        rows: At least one with an answer.
        quantized: Whether the experts compute as they will be served.
        on: False: the model without its experts.
    """
    switches = grafted.switches
    before = (switches.on, switches.noise, switches.quantized)
    switches.on, switches.noise, switches.quantized = on, 0.0, quantized
    try:
        with torch.no_grad():
            return _measure(grafted, rows)
    finally:
        switches.on, switches.noise, switches.quantized = before
        switches.routed.clear()


def _measure(grafted: Graft, rows: Sequence[EncodedRow]) -> Measurement:
    sums: dict[str, list[float]] = {}
    counts = {layer: torch.zeros(len(grafted.experts[layer].experts)) for layer in grafted.layers}
    for row in rows:
        batch = batch_of([row], device=grafted.model.device)
        hidden = hidden_states(grafted, batch)
        for gate in grafted.switches.routed:
            counts[gate.layer] += gate.experts.flatten().bincount(minlength=len(counts[gate.layer])).cpu()
        if row.domain == GENERAL:
            with grafted.switches.off():
                total, number = kl_loss(grafted, hidden, hidden_states(grafted, batch), batch)
        else:
            total, number = answer_loss(grafted, hidden, batch)
        held = sums.setdefault(row.domain, [0.0, 0.0])
        held[0] += float(total)
        held[1] += number
    general = sums.pop(GENERAL, None)
    load = {layer: tuple((shares / shares.sum().clamp_min(1)).tolist()) for layer, shares in counts.items()}
    return Measurement(
        answer=sum(held[0] for held in sums.values()) / sum(held[1] for held in sums.values()),
        by_domain={domain: held[0] / held[1] for domain, held in sorted(sums.items())},
        general=general[0] / general[1] if general else None,
        load=load,
        least_load=min(min(shares) * len(shares) for shares in load.values()),
    )
