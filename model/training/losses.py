"""Losses that keep the experts of a mixture in even use, and the gate's logits small.

Dimensions: T tokens, E experts, K chosen experts.

    balance = E * sum over e of f_e * p_e         f_e: tokens that chose e, over T;  p_e: mean probability of e
    z       = mean over t of (log sum over e of exp(z[t, e]))^2

f is counted, so the gradient runs through p alone, and lowers the probability of the experts in the most use. For
K = 1 balance is equation 4 of the Switch Transformer (Fedus et al., 2021, arXiv 2101.03961), without its factor alpha;
GShard (Lepikhin et al., 2020) has the same product. Even use gives K; all tokens at the same K experts give E where the
gate is sure. The z loss is ST-MoE's (Zoph et al., 2022, arXiv 2202.08906, equation 5).
"""

from __future__ import annotations

from typing import Any

from model.errors import RoutingRejected

__all__ = ["balance_loss", "z_loss"]


def balance_loss(logits: Any, experts: Any, *, mask: Any | None = None) -> Any:
    """Return the load-balancing loss.

    Args:
        logits: Floats, shape (T, E).
        experts: int64, shape (T, K), the chosen ones.
        mask: bool, shape (T,): which tokens count; None: all. Padding does not count.

    Returns:
        float32, a scalar; 0 where no token counts.

    Raises:
        RoutingRejected: shapes that do not go together.
    """
    import torch

    if logits.ndim != 2 or experts.ndim != 2 or logits.shape[0] != experts.shape[0]:
        raise RoutingRejected(
            f"Logits {tuple(logits.shape)} and experts {tuple(experts.shape)}.", remedy="(T, E) and (T, K) are needed."
        )
    count = _counting(logits, mask)  # (T, 1)
    total = count.sum().clamp_min(1)
    chances = torch.softmax(logits.float(), dim=-1)  # (T, E)
    chosen = torch.zeros_like(chances).scatter_(-1, experts, 1.0)  # (T, E)
    used = (chosen * count).sum(0) / total  # (E)
    mean = (chances * count).sum(0) / total  # (E)
    return logits.shape[1] * (used * mean).sum()


def z_loss(logits: Any, *, mask: Any | None = None) -> Any:
    """Return the z loss of logits (T, E): float32, a scalar; 0 where no token counts."""
    import torch

    count = _counting(logits, mask)[:, 0]  # (T)
    return (torch.logsumexp(logits.float(), dim=-1).square() * count).sum() / count.sum().clamp_min(1)


def _counting(logits: Any, mask: Any | None) -> Any:
    import torch

    if mask is None:
        return torch.ones((logits.shape[0], 1), device=logits.device)
    if tuple(mask.shape) != (logits.shape[0],):
        raise RoutingRejected(f"A mask of shape {tuple(mask.shape)}.", remedy=f"({logits.shape[0]},) is needed.")
    return mask.float()[:, None]
