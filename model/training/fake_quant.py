"""Fake quantization: a weight that behaves as its int4 groups do, and still has a gradient (QAT).

Dimensions: N outputs, I inputs, S group size.

    forward:   dequantize(quantize(w))       model.kernels.packing: round to nearest, scales recomputed from w
    backward:  dL/dw = dL/dw_quantized       the straight-through estimator (Bengio et al., 2013, arXiv 1308.3432)

The scales are functions of w's extremes, which no gradient runs through, and no value falls outside of them, so there
is nothing to clip and the estimator is the identity.
"""

from __future__ import annotations

from typing import Any

from model.kernels.packing import dequantize, quantize_groups

__all__ = ["fake_quantize"]


def fake_quantize(weight: Any, *, bits: int = 4, group: int = 128, symmetric: bool = True) -> Any:
    """Return the weight as its quantized form would compute.

    Args:
        weight: Floats, shape (N, I) or (E, N, I).
        bits: 4 or 8.
        group: S; divides I.
        symmetric: Whether the zero point is fixed.

    Returns:
        The shape and type of the weight, with the gradient of the identity.

    Raises:
        KernelRejected: the inputs do not divide into groups.
    """
    matrices = weight if weight.ndim == 3 else weight[None]  # (E, N, I)
    held = quantize_groups(matrices.detach(), bits=bits, group=group, symmetric=symmetric)
    rounded = dequantize(held).to(weight.dtype).reshape(weight.shape)
    # the values of `rounded`, exactly; w - w alone carries the gradient
    return rounded + (weight - weight.detach())
