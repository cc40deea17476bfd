"""int4 whose scales are searched: each group takes the step that loses least of what its inputs carry.

Dimensions: N outputs, I inputs, S group size, H importance of an input.

Round-to-nearest spends its 16 levels on the range of a group, which one outlier sets. Here every group tries a few
narrower ranges, moves each one's step to the least-squares optimum, and keeps the one with the smallest error

    sum over i in the group of  H_i * (w_i - s * (q_i - z))^2,        H_i = E[x_i^2]

which is the error that the group adds to the layer's output when the inputs are uncorrelated (the diagonal of the
Hessian of GPTQ, Frantar et al., 2022; llama.cpp's importance matrix is the same number). Elementwise arithmetic and
short sums: the same weights give the same bytes whatever the number of threads, and a build needs no text.

Symmetric groups may have a negative step: the largest weight, whatever its sign, is then -8 of 16 levels instead of
7 of 15.
"""

from __future__ import annotations

from typing import Any, Final

from model.errors import KernelRejected
from model.kernels.packing import ExpertMatrix

__all__ = ["search_groups"]

_BITS: Final = 4
_MOST: Final = 15
_MIDDLE: Final = 8
_SHRINK: Final = (1.0, 0.93, 0.86, 0.79, 0.72, 0.65)
"""Shares of a group's range that are tried."""
_WEIGHTS_AT_ONCE: Final = 1 << 16
"""Keeps what one step reads and writes in the processor's cache."""


def search_groups(weight: Any, importance: Any | None, *, group: int, symmetric: bool) -> ExpertMatrix:
    """Quantize a matrix to 4 bits.

    Args:
        weight: Floats, shape (1, N, I); the scales have its type.
        importance: H, float32, shape (I), not negative; None: every input counts the same.
        group: S; divides I.
        symmetric: Whether the zero point is fixed at 8.

    Returns:
        Integers, scales and, unless symmetric, zero points.

    Raises:
        KernelRejected: the inputs do not divide into groups, or there are not as many importances as inputs.
    """
    import torch

    inputs = weight.shape[-1]
    if inputs % group:
        raise KernelRejected(
            f"A weight of shape {tuple(weight.shape)} does not divide into groups of {group}.",
            remedy="Use a model whose layers are multiples of the group, or pad them with zeros.",
        )
    if importance is not None and tuple(importance.shape) != (inputs,):
        raise KernelRejected(
            f"{tuple(importance.shape)} importances for {inputs} inputs.", remedy="Measure them anew for this model."
        )
    counts = torch.ones(inputs) if importance is None else importance.float()
    counts = counts.unflatten(0, (-1, group))  # (I/S, S)
    usual = counts.mean(-1, keepdim=True)  # (I/S, 1)
    # An input that was never seen still has a weight: a ten-thousandth of its group's mean.
    counts = torch.where(usual > 0, counts / usual.clamp_min(1e-30) + 1e-4, torch.ones_like(counts))
    rows = max(1, _WEIGHTS_AT_ONCE // inputs)
    parts = [
        _searched(chunk.float().unflatten(-1, (-1, group)), counts, weight.dtype, symmetric=symmetric)
        for chunk in weight[0].split(rows)
    ]
    values, scale, zero = (torch.cat(pieces) for pieces in zip(*parts, strict=True))
    values = values.flatten(-2)  # (N, I)
    packed = values[:, 0::2] | (values[:, 1::2] << _BITS)  # (N, I/2)
    return ExpertMatrix(packed[None].contiguous(), scale[None], None if symmetric else zero[None], _BITS, group)


def _searched(weight: Any, counts: Any, scale_type: Any, *, symmetric: bool) -> tuple[Any, Any, Any]:
    """Quantize groups of shape (N, I/S, S); return integers, scales and zero points, uint8, `scale_type`, uint8.

    For given integers v = q - z the best step is sum(H w v) / sum(H v^2), and with it the error falls short of
    sum(H w^2) by sum(H w v)^2 / sum(H v^2): the range whose integers make this largest is kept.
    """
    import torch

    low, high = weight.amin(-1).clamp_max(0), weight.amax(-1).clamp_min(0)  # (N, I/S)
    weighted = weight * counts  # (N, I/S, S)
    gained = torch.full_like(low, -1.0)
    step, zero = torch.ones_like(low), torch.full_like(low, _MIDDLE)
    for share in _SHRINK:
        tried, offset = _range(low * share, high * share, symmetric=symmetric)
        values = _rounded(weight, tried, offset)
        product, square = (weighted * values).sum(-1), values.square().mul_(counts).sum(-1)  # (N, I/S)
        gain = product.square() / square.clamp_min(1e-30)
        better = gain > gained
        gained = torch.where(better, gain, gained)
        step = torch.where(better, torch.where(square > 0, product / square, tried), step)
        zero = torch.where(better, offset, zero)
    step = torch.where(step != 0, step, torch.ones_like(step)).to(scale_type)
    values = _rounded(weight, step.float(), zero)
    return (values + zero[..., None]).to(torch.uint8), step, zero.to(torch.uint8)


def _range(low: Any, high: Any, *, symmetric: bool) -> tuple[Any, Any]:
    """Return the step and the zero point, float32, that spread 16 levels over a range."""
    import torch

    if symmetric:
        extreme = torch.where(-low >= high, low, high)  # (N, I/S)
        step = extreme / -_MIDDLE
        return torch.where(step != 0, step, torch.ones_like(step)), torch.full_like(step, _MIDDLE)
    step = (high - low) / _MOST
    step = torch.where(step != 0, step, torch.ones_like(step))
    return step, torch.round(-low / step).clamp_(0, _MOST)


def _rounded(weight: Any, step: Any, zero: Any) -> Any:
    """Return the nearest integers v = q - z, float32, shape (N, I/S, S)."""
    import torch

    centre = zero[..., None]
    values = (weight * (1.0 / step)[..., None]).round_()
    return torch.minimum(torch.maximum(values, -centre, out=values), _MOST - centre, out=values)
