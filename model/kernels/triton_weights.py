"""What the router's two passes share: from the scores of the chosen experts to their weights. Device code.

The formula is model.routing's. A pass holds candidates along one axis and a mask of those taken.
"""

from __future__ import annotations

from typing import Final

import triton
import triton.language as tl

__all__ = ["SCORES", "final_weights", "log_of"]

SCORES: Final = {"softmax": 0, "sigmoid": 1, "softmax_of_chosen": 2}
"""The scores of a policy as the kernels' compile-time constant."""


@triton.jit
def log_of(tempered: tl.tensor, SCORES: tl.constexpr) -> tl.tensor:  # noqa: N803
    """Return the logarithm of the scores, up to a constant a row: softmax keeps l / tau, sigmoid takes its own."""
    if SCORES == 1:
        return tl.minimum(tempered, 0.0) - tl.log(1 + tl.exp(-tl.abs(tempered)))
    return tempered


@triton.jit
def final_weights(
    scores: tl.tensor,
    logs: tl.tensor,
    taken: tl.tensor,  # int1
    axis: tl.constexpr,
    SCORES: tl.constexpr,  # noqa: N803
    RENORMALIZE: tl.constexpr,  # noqa: N803
) -> tl.tensor:
    """Return the weights of what is taken along an axis, zero elsewhere; the shape of the scores."""
    held = tl.where(taken, logs, float("-inf"))
    powers = tl.where(taken, tl.exp(held - tl.expand_dims(tl.max(held, axis), axis)), 0.0)
    ratios = powers / tl.expand_dims(tl.sum(powers, axis), axis)
    if SCORES == 2:
        return ratios
    weights = tl.where(taken, scores, 0.0)
    if RENORMALIZE:
        total = tl.expand_dims(tl.sum(weights, axis), axis)
        # as the reference: scores that are about to underflow are taken from their logarithms
        weights = tl.where(total > 1e-20, weights / tl.maximum(total, 1e-20), ratios)
    return weights
