"""The experts of a mixture in plain torch: what every kernel must compute.

Dimensions: T tokens, K chosen experts, E experts, D model, F width of an expert.

    g, u = split(x @ W_gate_up[e]^T)                      W_gate_up (E, 2F, D): the F rows of the gate, then those of up
    y_k  = weight_k * ((silu(g) * u) @ W_down[e]^T)       W_down (E, D, F), silu(g) = g / (1 + exp(-g))
    y    = sum over k of y_k

Everything is in float32 (or float64, for a bound on float32), weights dequantized first. Rounding to a narrower type,
where a kernel stores between its two products, is the kernel's to answer for: its tolerance says so.
"""

from __future__ import annotations

from typing import Any

from model.errors import KernelRejected
from model.kernels.packing import ExpertMatrix, dequantize

__all__ = ["check_experts", "experts_reference"]


def experts_reference(
    hidden: Any, experts: Any, weights: Any, gate_up: ExpertMatrix, down: ExpertMatrix, *, dtype: Any = None
) -> Any:
    """Compute the chosen experts of each token, one expert after the other.

    Args:
        hidden: Floats, shape (T, D).
        experts: int64, shape (T, K), each below E.
        weights: float32, shape (T, K).
        gate_up: (E, 2F, D).
        down: (E, D, F).
        dtype: What to compute in; float32 by default.

    Returns:
        Shape (T, D), type `dtype`.

    Raises:
        KernelRejected: shapes or types that do not go together.
    """
    import torch

    check_experts(hidden, experts, weights, gate_up, down)
    kind = dtype or torch.float32
    first, second = dequantize(gate_up).to(kind), dequantize(down).to(kind)  # (E, 2F, D), (E, D, F)
    result = torch.zeros(hidden.shape, dtype=kind, device=hidden.device)  # (T, D)
    for expert in range(gate_up.experts):
        tokens, slots = torch.where(experts == expert)  # (t), (t)
        gate, up = (hidden[tokens].to(kind) @ first[expert].T).chunk(2, dim=-1)  # (t, F), (t, F)
        products = (torch.nn.functional.silu(gate) * up) @ second[expert].T  # (t, D)
        result.index_add_(0, tokens, products * weights[tokens, slots, None].to(kind))
    return result


def check_experts(hidden: Any, experts: Any, weights: Any, gate_up: ExpertMatrix, down: ExpertMatrix) -> None:
    """Refuse what no kernel takes. The values of `experts` are not read: that would wait for the device.

    Raises:
        KernelRejected: see its message.
    """
    import torch

    if hidden.ndim != 2 or not hidden.is_floating_point() or hidden.shape[1] != gate_up.inputs:
        raise KernelRejected(
            f"Hidden states of shape {tuple(hidden.shape)}, type {hidden.dtype}.",
            remedy=f"Floats of shape (tokens, {gate_up.inputs}) are needed.",
        )
    if (gate_up.experts, gate_up.outputs, gate_up.inputs) != (down.experts, 2 * down.inputs, down.outputs):
        raise KernelRejected(
            f"Gate and up of {gate_up.experts} x {gate_up.outputs} x {gate_up.inputs} do not fit down of "
            f"{down.experts} x {down.outputs} x {down.inputs}.",
            remedy="(E, 2F, D) and (E, D, F) are needed.",
        )
    if experts.ndim != 2 or experts.shape[0] != hidden.shape[0] or experts.dtype not in (torch.int32, torch.int64):
        raise KernelRejected(
            f"Chosen experts of shape {tuple(experts.shape)}, type {experts.dtype}.",
            remedy="Whole numbers of shape (tokens, chosen) are needed.",
        )
    if weights.shape != experts.shape or weights.dtype != torch.float32:
        raise KernelRejected(
            f"Routing weights of shape {tuple(weights.shape)}, type {weights.dtype}.",
            remedy="float32 of the shape of the chosen experts is needed.",
        )
