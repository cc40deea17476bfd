"""A gate that learns: the base's own logits with a weight of ours, noise, and the base's own way to choose."""

from __future__ import annotations

from typing import Any

import torch

from model.routing import RoutingPolicy, route
from model.training.noise import add_gumbel
from model.training.switches import Routed, Switches

__all__ = ["TrainedGate"]


class TrainedGate(torch.nn.Module):
    """Stands where a block of transformers has its gate, with its interface.

        z = the base's own product, with the learned weight        (T, E)
        chosen and weights = route(z + noise, policy)              model.routing, model.training.noise

    Without noise that is the base's own choice. With it the weights are those of the noisy logits, as in Shazeer et al.
    (2017, arXiv 1701.06538, equations 3 to 5), so an expert that was chosen by chance also counts.
    """

    def __init__(self, base: Any, policy: RoutingPolicy, switches: Switches, *, layer: int) -> None:
        super().__init__()
        self.base = base
        self.weight = torch.nn.Parameter(base.weight.detach().float().clone())  # (E, D)
        self._policy = policy
        self._switches = switches
        self._layer = layer

    def forward(self, hidden: Any) -> tuple[Any, Any, Any]:
        """Choose the experts of each token.

        Args:
            hidden: Shape (..., D).

        Returns:
            Logits (T, E), weights (T, K) and experts (T, K).
        """
        if not self._switches.on:
            return self.base(hidden)
        learned = {"weight": self.weight.to(self.base.weight.dtype)}
        logits = torch.func.functional_call(self.base, learned, (hidden,))[0]  # (T, E)
        noisy = add_gumbel(logits, temperature=self._switches.noise, generator=self._switches.generator)  # (T, E)
        routing = route(noisy, self._policy, layer=self._layer)
        self._switches.routed.append(Routed(self._layer, logits, routing.experts))
        return logits, routing.weights.to(logits.dtype), routing.experts
