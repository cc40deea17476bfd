"""What the VNNI kernel must compute, in torch: activations quantized as it does, then products in float64."""

from __future__ import annotations

from typing import Any

import torch

from model.kernels import cpu
from model.kernels.packing import ExpertMatrix, dequantize, quantize_groups


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def quantized(
    experts: int, outputs: int, inputs: int, *, seed: int = 1, scale: torch.dtype = torch.bfloat16, **how: Any
) -> ExpertMatrix:
    how = {"bits": 4, "group": 128, "symmetric": True} | how
    return quantize_groups((noise(experts, outputs, inputs, seed=seed) / inputs**0.5).to(scale), **how)


def rounded(x: torch.Tensor, group: int) -> torch.Tensor:
    """Activations as they are after int8 by group, float64."""
    parts = x.float().unflatten(-1, (-1, group))  # (T, G, S)
    most = parts.abs().amax(-1, keepdim=True)  # (T, G, 1)
    # torch computes number / tensor by a reciprocal, one unit off; two tensors are divided as C++ does
    inverse = torch.where(most > 0, torch.full_like(most, 127.0).div(most), 0.0)
    return (torch.round(parts * inverse).double() * (most / 127.0).double()).flatten(-2)  # (T, I)


def product(x: torch.Tensor, matrix: ExpertMatrix, expert: int = 0) -> torch.Tensor:
    """Return x @ W[expert]^T after rounding x, float64, shape (T, N)."""
    values = dequantize(matrix)[expert].double()  # (N, I)
    return rounded(x, matrix.group) @ values.T


def mlp(x: torch.Tensor, gate_up: ExpertMatrix, down: ExpertMatrix, expert: int = 0) -> torch.Tensor:
    gate, up = product(x, gate_up, expert).chunk(2, dim=-1)  # (T, F), (T, F)
    return product(torch.nn.functional.silu(gate) * up, down, expert)  # (T, D)


def mixture(
    x: torch.Tensor,
    shared: tuple[ExpertMatrix, ExpertMatrix] | None,
    shared_scale: Any,
    routed: tuple[ExpertMatrix, ExpertMatrix] | None,
    experts: torch.Tensor,
    weights: torch.Tensor,
) -> torch.Tensor:
    total = torch.zeros(x.shape, dtype=torch.float64)
    if shared is not None:
        total += shared_scale * mlp(x, *shared)
    if routed is not None:
        for token, slot in torch.cartesian_prod(torch.arange(x.shape[0]), torch.arange(experts.shape[1])).tolist():
            part = mlp(x[token : token + 1], *routed, int(experts[token, slot]))
            total[token] += weights[token, slot].double() * part[0]
    return total


def packed_mixture(kind: cpu.Kind, shared: Any, routed: Any) -> dict[str, Any]:
    """The matrices of `model.kernels.cpu.mixture`, packed."""
    names = (("shared_gate_up", "shared_down"), ("gate_up", "down"))
    return {
        name: cpu.pack(matrix, kind=kind) if pair is not None else None
        for pair, both in ((shared, names[0]), (routed, names[1]))
        for name, matrix in zip(both, pair or (None, None), strict=True)
    }
