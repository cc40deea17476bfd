"""Routed experts that learn, beside weights that do not: whole small ones, or low-rank additions to large ones.

Dimensions: T tokens, K chosen experts, E experts, D model, F width of an expert, r rank, N outputs and I inputs of one
of an expert's three matrices.

    y[t] = sum over k of weight[t, k] * down(silu(gate(x[t])) * up(x[t]))       of expert e = experts[t, k]

    full      gate(x) = x @ W^T                      W (N, I) is learned
    adapter   gate(x) = x @ W^T + (x @ A^T) @ B^T    W stays; A (r, I) and B (N, r) are learned, B from zero

An adapter is LoRA (Hu et al., 2021, arXiv 2106.09685) with alpha = r, one for each matrix of each expert. PEFT's way
for weights that lie in one tensor (E, N, I) adds a tensor of that size to it at every step; only the experts that have
tokens are touched here.

What is learned is float32, whatever the base is: a step of AdamW on a weight in bfloat16 is mostly rounded away. It is
rounded to the type of x where it is used, and, where `Switches.quantized`, to its served groups first
(model.training.fake_quant).
"""

from __future__ import annotations

from typing import Any, Final

import torch

from model.training.switches import Switches

__all__ = ["PROJECTIONS", "AdaptedExpert", "FullExpert", "TrainedExperts"]

PROJECTIONS: Final = ("gate_proj", "up_proj", "down_proj")
"""The three matrices of an expert, named as checkpoints name them."""


class FullExpert(torch.nn.Module):
    """An expert whose matrices are learned whole, starting from those of the base."""

    def __init__(self, matrices: dict[str, Any], switches: Switches) -> None:
        super().__init__()
        self._switches = switches
        for name in PROJECTIONS:
            self.register_parameter(name, torch.nn.Parameter(matrices[name].detach().float().clone()))

    def product(self, name: str, rows: Any) -> Any:
        """Multiply rows (t, I) with a matrix: (t, N)."""
        weight = getattr(self, name).to(rows.dtype)
        return torch.nn.functional.linear(rows, self._switches.served(weight))

    def learned(self) -> dict[str, Any]:
        """Return what is learned, by the rest of its name in a checkpoint."""
        return {f"{name}.weight": getattr(self, name) for name in PROJECTIONS}


class AdaptedExpert(torch.nn.Module):
    """An expert whose matrices stay, each with a low-rank addition."""

    def __init__(self, matrices: dict[str, Any], switches: Switches, *, rank: int, generator: Any) -> None:
        super().__init__()
        self._switches = switches
        self._fixed = matrices  # views of the base's own parameters, so no second copy
        for name in PROJECTIONS:
            outputs, inputs = matrices[name].shape
            # as LoRA: A of variance 1 / I, B zero, so that the first step starts at the base
            first = torch.randn((rank, inputs), generator=generator) / inputs**0.5
            device = matrices[name].device
            self.register_parameter(f"{name}_a", torch.nn.Parameter(first.to(device)))
            self.register_parameter(f"{name}_b", torch.nn.Parameter(torch.zeros((outputs, rank), device=device)))

    def product(self, name: str, rows: Any) -> Any:
        """Multiply rows (t, I) with a matrix and its addition: (t, N)."""
        linear = torch.nn.functional.linear
        fixed, first, second = self._fixed[name], getattr(self, f"{name}_a"), getattr(self, f"{name}_b")
        if self._switches.quantized:  # what is served is one matrix
            return linear(rows, self._switches.served((fixed.float() + second @ first).to(rows.dtype)))
        return linear(rows, fixed) + linear(linear(rows, first.to(rows.dtype)), second.to(rows.dtype))

    def learned(self) -> dict[str, Any]:
        """Return what is learned, by the rest of its name in a checkpoint (PEFT's names)."""
        parts = (("lora_A", "a"), ("lora_B", "b"))
        return {
            f"{name}.{long}.weight": getattr(self, f"{name}_{short}") for name in PROJECTIONS for long, short in parts
        }


class TrainedExperts(torch.nn.Module):
    """Stands where a block of transformers has its experts, with their interface.

    With `Switches.on` off it gives what the model gave without training: nothing for whole experts (the dense model),
    the base's experts for adapted ones.
    """

    def __init__(self, base: Any, experts: list[Any], switches: Switches) -> None:
        super().__init__()
        self.base = base
        self.experts = torch.nn.ModuleList(experts)
        self._switches = switches

    def forward(self, hidden: Any, experts: Any, weights: Any) -> Any:
        """Compute the chosen experts.

        Args:
            hidden: x, shape (T, D).
            experts: int64, shape (T, K).
            weights: Shape (T, K).

        Returns:
            y, the shape and type of x.
        """
        if not self._switches.on:
            adapted = isinstance(self.experts[0], AdaptedExpert)
            return self.base(hidden, experts, weights) if adapted else torch.zeros_like(hidden)
        result = torch.zeros_like(hidden)  # (T, D)
        for place, expert in enumerate(self.experts):
            tokens, slots = torch.where(experts == place)  # (t), (t)
            if tokens.numel():
                rows = hidden[tokens]  # (t, D)
                inner = self.base.act_fn(expert.product("gate_proj", rows)) * expert.product("up_proj", rows)  # (t, F)
                parts = expert.product("down_proj", inner) * weights[tokens, slots, None].to(hidden.dtype)  # (t, D)
                result.index_add_(0, tokens, parts)
        return result
