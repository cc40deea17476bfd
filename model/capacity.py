"""No expert takes more tokens than it has room for, and no token is dropped: the overflow goes to backup experts.

Dimensions: T tokens, E experts, K chosen experts.

The capacity of an expert is C = ceil(factor * T * K / E), at least ceil(T * K / E): below the even share not everybody
could be held, so a factor under 1 counts as 1. A capacity that cannot hold everybody does not exist here.

Tokens are served in their order in the batch. Each takes its K best experts that have room, except that it must leave
those behind it a solution. With r tokens still to come after it and f_e the free places of expert e, those r tokens
can all be served, each by K different experts, exactly when

    sum over e of min(f_e, r) >= r * K                                           (Gale-Ryser, equal demands)

A place taken from an expert with f_e > r costs that sum nothing, any other place costs one. So with the slack
S = sum of min(f_e, r) - r * K the token may take at most S of its K experts from those with f_e <= r, and the
condition, true at the start, stays true. Where nobody overflows, the result is that without a capacity.

The experts of a token depend on the tokens before it in the batch, so a server leaves the capacity off.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

__all__ = ["capacity_of", "place"]


def capacity_of(tokens: int, count: int, experts: int, *, factor: float) -> int:
    """Return C, the tokens that one expert takes. The factor is read as it is written: 1.1 means 11/10."""
    share = Fraction(tokens * count, experts)
    return math.ceil(share * max(Fraction(1), Fraction(str(factor))))


def place(order: Any, count: int, *, capacity: int) -> Any:
    """Give each token its best `count` experts with room.

    Args:
        order: int64, shape (T, E), each row all the experts, the most wanted first.
        count: K.
        capacity: C, from `capacity_of`.

    Returns:
        int64, shape (T, K), each row in the token's own order of preference.
    """
    import torch

    tokens, experts = order.shape
    free = [capacity] * experts
    rows = []
    for behind, wanted in zip(range(tokens - 1, -1, -1), order.tolist(), strict=True):
        slack = sum(min(places, behind) for places in free) - behind * count
        taken: list[int] = []
        for expert in wanted:
            costs = free[expert] <= behind
            if len(taken) == count or not free[expert] or (costs and not slack):
                continue
            slack -= costs
            free[expert] -= 1
            taken.append(expert)
        rows.append(taken)
    return torch.tensor(rows, dtype=torch.int64, device=order.device).reshape(tokens, count)
