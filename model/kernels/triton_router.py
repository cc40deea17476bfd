"""The router in Triton: prior, temperature, scores, bias, groups, top-k and weights in one pass over the logits.

Dimensions: T tokens, E experts, W = E rounded up to a power of two, K chosen experts, R rows of a program.

The formula is model.routing's, whose `route` is the reference. One program holds R rows of W logits in registers and
takes K times the best of what is open: the largest score + bias, among equals the largest logit, then the lowest index.
That is the reference's order without a sort, so ties are decided alike.

| argument | type | shape | layout |
|---|---|---|---|
| logits | float32, bfloat16, float16 | (T, E) | any strides |
| bias | float32 | (E,) | contiguous, or None |
| prior | float32 | (N + 1, E), times its strength | contiguous, or None |
| domains | int32 | (T,), -1 for none | contiguous, or None |
| experts | int64 | (T, K) | contiguous, written |
| weights | float32 | (T, K) | contiguous, written |

No alignment is needed. E up to 512: the row must fit into registers.

A capacity needs to know the tokens before, so it cannot be part of a pass whose rows are independent. It is a second
pass (model.kernels.triton_capacity) over what this one writes when K = E, the whole order of preference.

Exponentials may round otherwise than torch's, so weights agree to a few units in the last place of float32, and a
choice by score + bias can differ where two sums are that close. Logits that are not finite give experts that are valid
and weights that are not.
"""

from __future__ import annotations

from typing import Any, Final

import torch
import triton
import triton.language as tl

from model.capacity import capacity_of
from model.errors import KernelRejected
from model.kernels.triton_capacity import place_triton
from model.kernels.triton_weights import SCORES, final_weights, log_of
from model.routing import Routing, RoutingPolicy, check_inputs, prior_table, whole_bias

__all__ = ["MOST_EXPERTS", "route_triton", "router_constants", "router_rows"]

MOST_EXPERTS: Final = 512


@triton.jit
def first_of(wanted: tl.tensor, left: tl.tensor, column: tl.tensor, W: tl.constexpr) -> tl.tensor:  # noqa: N803
    """Return the lowest column of each row that is wanted, or left where none is: int32, shape (R,)."""
    found = tl.min(tl.where(wanted, column[None, :], W), axis=1)  # (R)
    return tl.where(found < W, found, tl.min(tl.where(left, column[None, :], W), axis=1))


@triton.jit
def softmax_rows(values: tl.tensor) -> tl.tensor:
    """Return the softmax along the second axis."""
    powers = tl.exp(values - tl.max(values, axis=1)[:, None])
    return powers / tl.sum(powers, axis=1)[:, None]


@triton.jit
def temperature_of(
    wanted: tl.tensor,  # (R, W)
    temperature: tl.tensor,
    gain: tl.tensor,
    E: tl.constexpr,  # noqa: N803
    BY_ENTROPY: tl.constexpr,  # noqa: N803
) -> tl.tensor:
    """Return tau: a scalar, or by the entropy of each row, shape (R, 1)."""
    if BY_ENTROPY:
        chances = softmax_rows(wanted / temperature)  # (R, W)
        # a chance of zero adds nothing, and its logarithm must not be taken
        terms = tl.where(chances > 0, chances * tl.log(tl.where(chances > 0, chances, 1.0)), 0.0)  # (R, W)
        entropy = -tl.sum(terms, axis=1) / tl.log(E * 1.0)  # (R)
        return (temperature * tl.exp(gain * (entropy - 0.5)))[:, None]
    else:
        return temperature


@triton.jit
def scores_of(tempered: tl.tensor, SCORES: tl.constexpr) -> tl.tensor:  # noqa: N803
    """Return the scores, shape (R, W)."""
    if SCORES == 0:
        return softmax_rows(tempered)
    elif SCORES == 1:
        return 1 / (1 + tl.exp(-tempered))
    else:
        return tempered


@triton.jit
def open_groups(
    choice: tl.tensor,  # (R, W)
    column: tl.tensor,  # (W)
    R: tl.constexpr,  # noqa: N803 -- Triton writes compile-time constants so
    W: tl.constexpr,  # noqa: N803
    SIZE: tl.constexpr,  # noqa: N803
    GROUPS: tl.constexpr,  # noqa: N803
    TOP_GROUPS: tl.constexpr,  # noqa: N803
    TWO: tl.constexpr,  # noqa: N803
    PADDED: tl.constexpr,  # noqa: N803
) -> tl.tensor:
    """Return which experts are in the best groups: int1, shape (R, W)."""
    place = tl.arange(0, PADDED)  # (PADDED)
    rank = tl.full((R, PADDED), float("-inf"), dtype=tl.float32)
    for group in tl.static_range(GROUPS):
        member = (column // SIZE == group)[None, :]  # (1, W)
        held = tl.where(member, choice, float("-inf"))  # (R, W)
        best = tl.max(held, axis=1)  # (R)
        if TWO:
            first = first_of(member & (choice == best[:, None]), member & (choice == choice), column, W)  # (R)
            best += tl.max(tl.where(column[None, :] == first[:, None], float("-inf"), held), axis=1)
        rank = tl.where(place[None, :] == group, best[:, None], rank)
    opened = tl.zeros((R, W), dtype=tl.int1)
    left = tl.broadcast_to((place < GROUPS)[None, :], (R, PADDED))
    for _ in tl.static_range(TOP_GROUPS):
        best = tl.max(tl.where(left, rank, float("-inf")), axis=1)  # (R)
        group = first_of(left & (rank == best[:, None]), left, place, PADDED)  # (R)
        left = left & (place[None, :] != group[:, None])
        opened = opened | ((column // SIZE)[None, :] == group[:, None])
    return opened


@triton.jit
def router_kernel(
    logits: tl.tensor,
    bias: tl.tensor,
    prior: tl.tensor,
    domains: tl.tensor,
    experts: tl.tensor,
    weights: tl.tensor,
    raw: tl.tensor,  # (T, 2, E): scores and their logarithms for the second pass, or None
    tokens: tl.tensor,  # T
    logits_t: tl.tensor,
    logits_e: tl.tensor,
    temperature: tl.tensor,
    gain: tl.tensor,
    scaling: tl.tensor,
    E: tl.constexpr,  # noqa: N803
    K: tl.constexpr,  # noqa: N803
    W: tl.constexpr,  # noqa: N803
    K_PADDED: tl.constexpr,  # noqa: N803
    R: tl.constexpr,  # noqa: N803
    SCORES: tl.constexpr,  # noqa: N803
    RENORMALIZE: tl.constexpr,  # noqa: N803
    BY_ENTROPY: tl.constexpr,  # noqa: N803
    GROUPS: tl.constexpr,  # noqa: N803
    TOP_GROUPS: tl.constexpr,  # noqa: N803
    TWO: tl.constexpr,  # noqa: N803
    G_PADDED: tl.constexpr,  # noqa: N803
) -> None:
    """Route R tokens."""
    row = tl.program_id(0) * R + tl.arange(0, R)  # (R)
    there = row < tokens  # (R)
    column = tl.arange(0, W)  # (W)
    inside = (column < E)[None, :]  # (1, W)
    address = logits + row.to(tl.int64)[:, None] * logits_t + column[None, :] * logits_e  # (R, W)
    wanted = tl.load(address, mask=there[:, None] & inside, other=0.0).to(tl.float32)  # (R, W)
    if prior is not None:
        domain = tl.load(domains + row, mask=there, other=-1)  # (R)
        address = prior + domain[:, None] * E + column[None, :]  # (R, W)
        wanted += tl.load(address, mask=(domain >= 0)[:, None] & inside, other=0.0)
    wanted = tl.where(inside, wanted, float("-inf"))
    tempered = wanted / temperature_of(wanted, temperature, gain, E, BY_ENTROPY)  # (R, W)
    scores = scores_of(tempered, SCORES)  # (R, W)
    choice = scores  # (R, W)
    if bias is not None:
        choice += tl.load(bias + column, mask=column < E, other=0.0)[None, :]
    SIZE: tl.constexpr = E // GROUPS  # noqa: N806
    left = tl.broadcast_to(inside, (R, W))
    opened = left
    if TOP_GROUPS < GROUPS:
        opened = open_groups(choice, column, R, W, SIZE, GROUPS, TOP_GROUPS, TWO, G_PADDED)
    logs = log_of(tempered, SCORES)  # (R, W)
    slot = tl.arange(0, K_PADDED)  # (K)
    chosen = tl.zeros((R, K_PADDED), dtype=tl.int32)
    chosen_score = tl.zeros((R, K_PADDED), dtype=tl.float32)
    chosen_log = tl.zeros((R, K_PADDED), dtype=tl.float32)
    for place in range(K):
        pool = left & (opened | (place >= SIZE * TOP_GROUPS))  # (R, W)
        best = tl.max(tl.where(pool, choice, float("-inf")), axis=1)  # (R)
        tied = pool & (choice == best[:, None])  # (R, W)
        best = tl.max(tl.where(tied, wanted, float("-inf")), axis=1)  # (R)
        expert = first_of(tied & (wanted == best[:, None]), pool, column, W)  # (R)
        this = column[None, :] == expert[:, None]  # (R, W)
        left = left & (column[None, :] != expert[:, None])
        here = (slot == place)[None, :]  # (1, K)
        chosen = tl.where(here, expert[:, None], chosen)
        chosen_score = tl.where(here, tl.sum(tl.where(this, scores, 0.0), axis=1)[:, None], chosen_score)
        chosen_log = tl.where(here, tl.sum(tl.where(this, logs, 0.0), axis=1)[:, None], chosen_log)
    stored = there[:, None] & (slot < K)[None, :]  # (R, K)
    address = row.to(tl.int64)[:, None] * K + slot[None, :]  # (R, K)
    tl.store(experts + address, chosen.to(tl.int64), mask=stored)
    if raw is not None:
        address = raw + row.to(tl.int64)[:, None] * (2 * K) + slot[None, :]  # (R, K)
        tl.store(address, chosen_score, mask=stored)
        tl.store(address + K, chosen_log, mask=stored)
    else:
        taken = tl.broadcast_to((slot < K)[None, :], (R, K_PADDED))  # (R, K)
        value = final_weights(chosen_score, chosen_log, taken, 1, SCORES, RENORMALIZE) * scaling  # (R, K)
        tl.store(weights + address, value, mask=stored)


def router_rows(experts: int) -> int:
    """Return R: rows of 1,024 logits in all, so that each of 128 threads holds 8."""
    return max(1, min(32, 1024 // triton.next_power_of_2(experts)))


def route_triton(
    logits: Any, policy: RoutingPolicy, *, layer: int = 0, bias: Any | None = None, domains: Any | None = None
) -> Routing:
    """Choose experts and weights; the arguments, result and errors of `model.routing.route`.

    The domains' values are checked on the host only there, since that waits for the device: a row beyond the priors
    must not come.

    Raises:
        RoutingRejected: as `model.routing.route`.
        KernelRejected: more experts than fit, a type or device that the kernel does not take.
    """
    check_inputs(logits, policy, bias, domains, values=False)
    _check_device(logits, policy)
    tokens, width = logits.shape
    count = policy.chosen(layer)
    bias = whole_bias(policy, layer, bias, device=logits.device)  # (E)
    second = policy.capacity_factor is not None
    written = width if second else count
    experts = torch.empty((tokens, written), dtype=torch.int64, device=logits.device)  # (T, K or E)
    weights = torch.empty((tokens, written), dtype=torch.float32, device=logits.device)  # (T, K or E)
    raw = torch.empty((tokens, 2, width), dtype=torch.float32, device=logits.device) if second else None  # (T, 2, E)
    if tokens:
        height = router_rows(width)
        router_kernel[(triton.cdiv(tokens, height),)](
            *(logits, None if bias is None else bias.float().contiguous(), *_prior(policy, domains, logits)),
            *(experts, weights, raw, tokens, *logits.stride()),
            *(float(policy.temperature), float(policy.entropy_gain), float(policy.scaling)),
            **router_constants(policy, count=written, rows=height),
        )
    if raw is None:
        return Routing(experts, weights, torch.zeros_like(experts, dtype=torch.bool))
    room = capacity_of(tokens, count, width, factor=policy.capacity_factor or 1.0)
    return place_triton(experts, raw, policy, count=count, capacity=room)


def router_constants(policy: RoutingPolicy, *, count: int, rows: int) -> dict[str, Any]:
    """Return the router's compile-time constants, for its launch and for `model.kernels.resources`."""
    return {
        "E": policy.experts,
        "K": count,
        "W": triton.next_power_of_2(policy.experts),
        "K_PADDED": triton.next_power_of_2(count),
        "R": rows,
        "SCORES": SCORES[policy.scores],
        "RENORMALIZE": policy.renormalize,
        "BY_ENTROPY": policy.entropy_gain != 0 and policy.experts > 1,
        "GROUPS": policy.groups,
        "TOP_GROUPS": policy.top_groups,
        "TWO": policy.group_score == "two_largest",
        "G_PADDED": triton.next_power_of_2(policy.groups),
    }


def _prior(policy: RoutingPolicy, domains: Any | None, logits: Any) -> tuple[Any | None, Any | None]:
    if not policy.priors or policy.prior_strength == 0 or (domains is None and not policy.default_domain):
        return None, None
    if domains is None:
        domains = logits.new_full((logits.shape[0],), policy.domain(policy.default_domain), dtype=torch.int32)  # (T)
    return prior_table(policy, device=logits.device), domains.int().contiguous()  # (N + 1, E), (T)


def _check_device(logits: Any, policy: RoutingPolicy) -> None:
    if policy.experts > MOST_EXPERTS or logits.dtype not in (torch.float32, torch.bfloat16, torch.float16):
        raise KernelRejected(
            f"{policy.experts} experts, logits of type {logits.dtype}.",
            remedy=f"Up to {MOST_EXPERTS} experts, float32, bfloat16 or float16; the reference takes others.",
        )
    if logits.device.type != "cuda" and isinstance(router_kernel, triton.JITFunction):
        raise KernelRejected(
            f"Triton's kernels do not run on the device {logits.device}.",
            remedy="Use model.routing.route there, or set TRITON_INTERPRET=1 before Python starts, for tests.",
        )
