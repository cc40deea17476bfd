"""Gumbel noise for a gate, so that experts which are seldom the best are tried in training.

    z' = z + temperature * g        g = -log(-log(u)),  u uniform in (0, 1)

The best expert of z' is a sample of softmax(z / temperature), and its best K are K samples without replacement
(Gumbel, 1954; Kool et al., 2019, arXiv 1903.06059). Temperature 0 is no noise: the gate as it serves. Draws come from a
generator, on its device, so a run can be repeated.
"""

from __future__ import annotations

import math
from typing import Any

from model.errors import RoutingRejected

__all__ = ["add_gumbel", "annealed"]


def add_gumbel(logits: Any, *, temperature: float, generator: Any) -> Any:
    """Return logits with noise; float32, their shape. The gradient with respect to the logits is one.

    Raises:
        RoutingRejected: the temperature is below 0 or not finite.
    """
    import torch

    if not math.isfinite(temperature) or temperature < 0:
        raise RoutingRejected(f"A noise temperature of {temperature}.", remedy="Use 0 for none, 1 for the gate's own.")
    if temperature == 0:
        return logits.float()
    uniform = torch.rand(logits.shape, generator=generator, device=generator.device)
    # rand gives [0, 1): the least float above 0 for 0, and what is next to 1 stays finite under both logarithms
    gumbel = -torch.log(-torch.log(uniform.clamp_min(torch.finfo(torch.float32).tiny)))
    return logits.float() + temperature * gumbel.to(logits.device)


def annealed(step: int, steps: int, *, start: float = 1.0, end: float = 0.0) -> float:
    """Return the temperature at a step: from `start` down to `end` in a half cosine, `end` from `steps` on."""
    share = min(1.0, max(0.0, step / max(1, steps)))
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * share))
