"""One layer's way from the gate's logits to experts and weights when serving: by the policy, and by who asks.

`model.vllm.policies.choose` is the arithmetic on a CPU and `model.kernels.triton_router` on a GPU; this adds what
serving has beside it: the domain of each token's request (model.vllm.domains), the checkpoint's own bias, the counting
of load (model.vllm.load). A layer without any of them costs one more call.

T tokens, E experts, K chosen, N domains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from model.routing import RoutingPolicy, prior_table
from model.vllm.domains import rows_of_batch
from model.vllm.policies import choose

__all__ = ["LayerRouter"]


class LayerRouter:
    """Routes one layer.

    Args:
        policy: Of the whole model.
        layer: Counted from 0.
        correction: The checkpoint's own bias of this layer, float32, shape (E,), read anew in each pass; None: none.
        count: Called with the chosen experts, int, shape (T, K), of each pass; None: nobody counts.
    """

    def __init__(
        self,
        policy: RoutingPolicy,
        layer: int,
        *,
        correction: torch.Tensor | None = None,
        count: Callable[[torch.Tensor], None] | None = None,
    ) -> None:
        self.policy = policy.of_layer(layer)
        # the prior is added here, token by token
        self._arithmetic = replace(self.policy, priors=(), prior_strength=0.0, default_domain="")
        self.count = count
        self._correction = correction
        self._bias = policy.bias(layer)
        self._by_domain = bool(policy.priors) and policy.prior_strength != 0
        self._on: torch.device | None = None
        self._table: torch.Tensor | None = None  # (N + 1, E)
        self._added: torch.Tensor | None = None  # (E)

    def __call__(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Choose.

        Args:
            logits: The gate's, any float type, shape (T, E).

        Returns:
            weights: float32, shape (T, K), contiguous.
            experts: int32, shape (T, K), contiguous, the most wanted first.

        Raises:
            RoutingRejected: the logits are of another shape.
        """
        if self._on != logits.device:
            self._place(logits.device)
        if self._table is not None:
            logits = logits.float() + self._table[rows_of_batch(self.policy, logits)]  # (T, E)
        bias = self._added if self._correction is None else self._whole_bias(self._correction)  # (E)
        routed = _choose_on_gpu if logits.is_cuda else choose
        weights, experts = routed(logits, self._arithmetic, layer=0, bias=bias)  # (T, K)
        if self.count is not None:
            self.count(experts)
        return weights, experts

    def _whole_bias(self, correction: torch.Tensor) -> torch.Tensor:
        return correction if self._added is None else correction + self._added

    def _place(self, device: torch.device) -> None:
        """Make the constants once, in the first pass: a CUDA graph, recorded later, must not make any."""
        if self._by_domain:
            self._table = prior_table(self.policy, device=device)
        if self._bias:
            self._added = torch.tensor(self._bias, dtype=torch.float32, device=device)
        self._on = device


def _choose_on_gpu(
    logits: torch.Tensor, policy: RoutingPolicy, *, layer: int, bias: Any | None
) -> tuple[torch.Tensor, torch.Tensor]:
    from model.kernels.triton_router import MOST_EXPERTS, route_triton

    if policy.experts > MOST_EXPERTS:
        return choose(logits, policy, layer=layer, bias=bias)
    routing = route_triton(logits, policy, layer=layer, bias=bias)
    return routing.weights, routing.experts.int()
