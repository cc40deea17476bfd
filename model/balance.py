"""Load balancing without an auxiliary loss: a bias for the choice of experts, moved by their measured load.

After each step the bias of an expert above the mean load falls by `speed`, below it rises by `speed`, at it stays:

    b_e <- b_e + speed * sign(mean(load) - load_e)

(DeepSeek-V3, arXiv 2412.19437, section 2.1.2; there speed = 0.001 and scores are sigmoids.) The bias enters
`model.routing.route` as `bias`: it moves the choice and never the weight, so no gradient runs against the task's own.

E experts, T tokens, K chosen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from model.errors import RoutingRejected

__all__ = ["BalanceState", "measured_load", "rebalance", "rebalance_layers"]


@dataclass(frozen=True, slots=True)
class BalanceState:
    """The balancing bias of one layer: a value, so that a step is a function of it and a checkpoint is its numbers.

    Attributes:
        bias: One number an expert, in units of the score that the choice compares.
        speed: How far one step moves it.
        steps: Updates so far.
    """

    bias: tuple[float, ...]
    speed: float = 0.001
    steps: int = 0

    def __post_init__(self) -> None:
        if not self.bias or not all(math.isfinite(value) for value in (*self.bias, self.speed)) or self.speed < 0:
            raise RoutingRejected(
                "A balancing bias needs finite numbers and a speed from 0.", remedy="Start anew: BalanceState.even(E)."
            )

    @classmethod
    def even(cls, experts: int, *, speed: float = 0.001) -> BalanceState:
        """Return the state before the first step: no bias."""
        return cls((0.0,) * experts, speed)

    def tensor(self, device: Any = "cpu") -> Any:
        """Return the bias for `route`: float32, shape (E,)."""
        import torch

        return torch.tensor(self.bias, dtype=torch.float32, device=device)


def measured_load(experts: Any, count: int) -> tuple[int, ...]:
    """Count the tokens of each of `count` experts in the chosen ones, shape (T, K)."""
    import torch

    return tuple(torch.bincount(experts.flatten().cpu(), minlength=count).tolist())


def rebalance(state: BalanceState, load: tuple[int, ...]) -> BalanceState:
    """Return the state after a step in which the experts had this load. An empty step changes no bias.

    Raises:
        RoutingRejected: the load is of another number of experts.
    """
    if len(load) != len(state.bias):
        raise RoutingRejected(
            f"{len(load)} loads for {len(state.bias)} experts.", remedy="Measure the layer that the state belongs to."
        )
    total = sum(load)
    # times E: whole numbers compare exactly
    signs = [(total > count * len(load)) - (total < count * len(load)) for count in load]
    bias = tuple(value + state.speed * sign for value, sign in zip(state.bias, signs, strict=True))
    return replace(state, bias=bias, steps=state.steps + 1)


def rebalance_layers(
    biases: Sequence[Sequence[float]], load: Sequence[Sequence[int]], *, speed: float = 0.001
) -> tuple[tuple[float, ...], ...]:
    """Return the bias of each layer after a step, for `RoutingPolicy.bias_by_layer`.

    Args:
        biases: One row a layer, one number an expert; empty: no bias so far.
        load: As many rows, as `model.vllm.load.read_load` gives them or the difference of two readings; a dense layer's
            row of zeros moves nothing.
        speed: How far one step moves a bias.

    Raises:
        RoutingRejected: the load is of another number of layers or experts, or a bias makes no sense.
    """
    before = biases or [(0.0,) * len(row) for row in load]
    if len(before) != len(load):
        raise RoutingRejected(
            f"Loads of {len(load)} layers for biases of {len(before)}.", remedy="Measure the model of the policy."
        )
    return tuple(
        rebalance(BalanceState(tuple(bias), speed), tuple(row)).bias for bias, row in zip(before, load, strict=True)
    )
