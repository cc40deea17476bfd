"""The router's second pass, for a capacity: gives each token its best experts with room, in the order of the batch.

Dimensions: T tokens, E experts, W = E rounded up to a power of two, K chosen experts.

The rule is model.capacity's, whose `place` is the reference: with r tokens still to come, a token may take at most the
slack S = sum of min(f_e, r) - r * K of its experts from those with f_e <= r free places. In the token's own order of
preference that is two running sums:

    may[p]   = f > 0  and  (f > r  or  (running count of p' <= p with 0 < f <= r) <= S)
    taken[p] = may[p]  and  (running count of may) <= K

A token's choice needs all choices before it, so this is one program that walks the batch; it is exact and the same each
time, and its time grows with T. Prompts of thousands of tokens wait for it: another reason to leave the capacity off
when serving.

| argument | type | shape | layout |
|---|---|---|---|
| order | int64 | (T, E), each row all experts, the most wanted first | contiguous |
| raw | float32 | (T, 2, E): scores in that order, and their logarithms | contiguous |
| experts | int64 | (T, K) | contiguous, written |
| weights | float32 | (T, K) | contiguous, written |
| backup | int8 | (T, K) | contiguous, written |
| free | int32 | (E,): the capacity, each | contiguous, read and written: the places that are left |
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl

from model.kernels.triton_weights import SCORES, final_weights
from model.routing import Routing, RoutingPolicy

__all__ = ["place_constants", "place_triton"]


@triton.jit
def place_kernel(
    order: tl.tensor,
    raw: tl.tensor,
    experts: tl.tensor,
    weights: tl.tensor,
    backup: tl.tensor,
    free: tl.tensor,
    tokens: tl.tensor,  # T
    scaling: tl.tensor,
    E: tl.constexpr,  # noqa: N803 -- Triton writes compile-time constants so
    K: tl.constexpr,  # noqa: N803
    W: tl.constexpr,  # noqa: N803
    SCORES: tl.constexpr,  # noqa: N803
    RENORMALIZE: tl.constexpr,  # noqa: N803
) -> None:
    """Walk the batch."""
    place = tl.arange(0, W)  # (W)
    inside = place < E  # (W)
    for token in range(tokens):
        first = token * E
        expert = tl.load(order + first + place, mask=inside, other=0)  # (W)
        room = tl.load(free + expert, mask=inside, other=0)  # (W)
        behind = tokens - 1 - token
        slack = tl.sum(tl.minimum(room, behind), axis=0) - behind * K
        costly = ((room > 0) & (room <= behind)).to(tl.int32)  # (W)
        may = (room > 0) & ((costly == 0) | (tl.cumsum(costly, axis=0) <= slack))  # (W)
        rank = tl.cumsum(may.to(tl.int32), axis=0)  # (W)
        taken = may & (rank <= K)  # (W)
        tl.debug_barrier()  # all have read the places before any is taken
        tl.store(free + expert, room - 1, mask=taken)
        tl.debug_barrier()  # and all are taken before the next token reads
        score = tl.load(raw + 2 * first + place, mask=inside, other=0.0)  # (W)
        log = tl.load(raw + 2 * first + E + place, mask=inside, other=0.0)  # (W)
        value = final_weights(score, log, taken, 0, SCORES, RENORMALIZE) * scaling  # (W)
        slot = token * K + rank - 1  # (W)
        tl.store(experts + slot, expert, mask=taken)
        tl.store(weights + slot, value, mask=taken)
        tl.store(backup + slot, (place >= K).to(tl.int8), mask=taken)


def place_triton(order: Any, raw: Any, policy: RoutingPolicy, *, count: int, capacity: int) -> Routing:
    """Give each token its best experts with room, and their weights.

    Args:
        order: See the module.
        raw: See the module.
        policy: For the weights.
        count: K.
        capacity: C, from `model.capacity.capacity_of`.
    """
    tokens, width = order.shape
    experts = torch.empty((tokens, count), dtype=torch.int64, device=order.device)  # (T, K)
    weights = torch.empty((tokens, count), dtype=torch.float32, device=order.device)  # (T, K)
    backup = torch.empty((tokens, count), dtype=torch.int8, device=order.device)  # (T, K)
    if tokens:
        free = torch.full((width,), capacity, dtype=torch.int32, device=order.device)  # (E)
        place_kernel[(1,)](
            *(order, raw, experts, weights, backup, free, tokens, float(policy.scaling)),
            **place_constants(policy, count=count),
        )
    return Routing(experts, weights, backup.bool())


def place_constants(policy: RoutingPolicy, *, count: int) -> dict[str, Any]:
    """Return the compile-time constants, for the launch and for `model.kernels.resources`."""
    return {
        "E": policy.experts,
        "K": count,
        "W": triton.next_power_of_2(policy.experts),
        "SCORES": SCORES[policy.scores],
        "RENORMALIZE": policy.renormalize,
    }
