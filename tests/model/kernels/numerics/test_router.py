"""The router kernels against model.routing.route. Runs on a GPU, or interpreted (see ../conftest.py)."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import KernelRejected, RoutingRejected
from model.kernels.triton_router import route_triton
from model.routing import DomainPrior, Routing, RoutingPolicy, route

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
# exponentials of two libraries differ by 2 units in the last place, and the sum of K by as many again: 4 of 2^-23
ROUNDING = {"rtol": 4 * 2**-23, "atol": 1e-7}
# an entropy is a sum over E, and its exponential multiplies the logits: some ten roundings more
BY_ENTROPY = {"rtol": 2e-5, "atol": 1e-6}

POLICIES: dict[str, dict[str, Any]] = {
    "own": {"experts": 8, "top_k": 2},
    "prime": {"experts": 7, "top_k": 3, "temperature": 0.7},
    "one": {"experts": 1, "top_k": 1},
    "all": {"experts": 5, "top_k": 5, "renormalize": False},
    "softmax of chosen": {"experts": 16, "top_k": 4, "scores": "softmax_of_chosen"},
    "sigmoid": {"experts": 33, "top_k": 4, "scores": "sigmoid", "scaling": 2.5},
    "deepseek-v2": {"experts": 20, "top_k": 6, "groups": 5, "top_groups": 2, "renormalize": False, "scaling": 16.0},
    "deepseek-v3": {
        "experts": 12,
        "top_k": 4,
        "scores": "sigmoid",
        "groups": 3,
        "top_groups": 2,
        "group_score": "two_largest",
    },
}


def noise(tokens: int, experts: int, seed: int = 0, *, spread: float = 2.0) -> torch.Tensor:
    return (torch.randn(tokens, experts, generator=torch.Generator().manual_seed(seed)) * spread).to(DEVICE)


def agree(ours: Routing, theirs: Routing, rounding: dict[str, float] = ROUNDING) -> None:
    assert torch.equal(ours.experts, theirs.experts)
    assert torch.equal(ours.backup, theirs.backup)
    assert ours.weights.dtype == torch.float32
    torch.testing.assert_close(ours.weights, theirs.weights, **rounding)


@pytest.mark.parametrize(("biased", "capacity"), [(False, None), (True, None), (True, 1.0), (False, 1.5)])
@pytest.mark.parametrize("name", POLICIES)
def test_the_kernels_route_as_the_reference(name: str, biased: bool, capacity: float | None) -> None:
    policy = RoutingPolicy(**POLICIES[name], capacity_factor=capacity)
    logits = noise(9, policy.experts)
    bias = noise(1, policy.experts, 1, spread=0.2)[0] if biased else None
    agree(route_triton(logits, policy, bias=bias), route(logits, policy, bias=bias))


@given(
    experts=st.sampled_from([2, 3, 8, 13]),
    tokens=st.sampled_from([0, 1, 2, 31, 67]),
    scores=st.sampled_from(["softmax", "sigmoid", "softmax_of_chosen"]),
    coarse=st.booleans(),
    seed=st.integers(0, 2**31),
    data=st.data(),
)
@settings(max_examples=15, deadline=None)
def test_any_shape(experts: int, tokens: int, scores: Any, coarse: bool, seed: int, data: st.DataObject) -> None:
    """Coarse logits are small whole numbers, so that most tokens have ties."""
    policy = RoutingPolicy(experts=experts, top_k=data.draw(st.integers(1, experts)), scores=scores)
    logits = noise(tokens, experts, seed)
    logits = logits.round() if coarse else logits
    agree(route_triton(logits, policy), route(logits, policy))


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16])
def test_logits_of_any_type_with_strides(kind: torch.dtype) -> None:
    logits = noise(16, 22).to(kind).T[::2]  # (11, 16), neither dimension contiguous
    policy = RoutingPolicy(experts=16, top_k=3)
    agree(route_triton(logits, policy), route(logits, policy))


def test_each_token_has_the_prior_of_its_domain() -> None:
    priors = (DomainPrior("legal", (2.0, 0, 0, 0, 1.0)), DomainPrior("medical", (0, 3.0, 0, 0, 0)))
    policy = RoutingPolicy(experts=5, top_k=2, priors=priors, prior_strength=0.8, entropy_gain=1.0, temperature=0.6)
    logits = noise(13, 5)
    domains = (torch.arange(13) % 3 - 1).to(DEVICE)
    agree(route_triton(logits, policy, domains=domains), route(logits, policy, domains=domains), BY_ENTROPY)
    fixed = dataclasses.replace(policy, default_domain="medical")
    agree(route_triton(logits, fixed), route(logits, fixed), BY_ENTROPY)
    assert not torch.equal(route(logits, fixed).experts, route(logits, policy).experts)


def test_the_policys_bias_of_each_layer_is_added_to_the_callers() -> None:
    policy = RoutingPolicy(experts=5, top_k=2, bias_by_layer=((0.0,) * 5, (0.0, 0.0, 0.0, 0.3, 0.0)))
    logits, bias = noise(13, 5), torch.tensor([0.4, 0, 0, 0, 0], device=DEVICE)
    for given_bias in (None, bias):
        agree(route_triton(logits, policy, layer=1, bias=given_bias), route(logits, policy, layer=1, bias=given_bias))
    assert not torch.equal(route(logits, policy, layer=1).experts, route(logits, policy).experts)


def test_layers_choose_different_numbers() -> None:
    policy = RoutingPolicy(experts=5, top_k=2, top_k_by_layer=(1, 4))
    for layer in (0, 1):
        agree(route_triton(noise(7, 5), policy, layer=layer), route(noise(7, 5), policy, layer=layer))


@pytest.mark.parametrize("scores", ["softmax", "sigmoid"])
def test_scores_that_underflow(scores: Any) -> None:
    logits = torch.tensor([[-1000.0, -1000.5, -1001.0, -999.0], [0.0, -300.0, -200.0, -400.0]], device=DEVICE)
    bias = torch.tensor([5.0, 5.0, 0.0, -5000.0], device=DEVICE)
    policy = RoutingPolicy(experts=4, top_k=2, scores=scores, temperature=0.5)
    with np.errstate(over="ignore"):  # exp(2000) is infinite, and one over it zero, as it should be
        agree(route_triton(logits, policy, bias=bias), route(logits, policy, bias=bias))


def test_one_expert_that_all_want() -> None:
    policy = RoutingPolicy(experts=4, top_k=1, capacity_factor=1.0)
    logits = torch.tensor([[9.0, 3.0, 2.0, 1.0]] * 11, device=DEVICE)
    routing = route_triton(logits, policy)
    agree(routing, route(logits, policy))
    assert routing.experts.flatten().bincount().tolist() == [3, 3, 3, 2]


@pytest.mark.parametrize("together", [1, 7, 48])
def test_a_token_does_not_depend_on_its_batch(together: int) -> None:
    policy = RoutingPolicy(experts=8, top_k=2, scores="sigmoid", entropy_gain=0.5)
    logits = noise(48, 8)
    whole = route_triton(logits, policy)
    few = route_triton(logits[48 - together :], policy)
    assert torch.equal(few.experts, whole.experts[48 - together :])
    assert torch.equal(few.weights, whole.weights[48 - together :])


def test_logits_that_are_not_finite_give_experts_that_exist() -> None:
    """An index past the experts would read another tensor's memory in the next kernel."""
    logits = noise(3, 7)
    logits[0] = float("nan")
    logits[1, 2] = float("inf")
    with np.errstate(invalid="ignore"):
        experts = route_triton(logits, RoutingPolicy(experts=7, top_k=3)).experts
    assert all(len(set(row)) == 3 and 0 <= min(row) <= max(row) < 7 for row in experts.tolist())


def test_what_the_kernel_does_not_take_is_refused() -> None:
    with pytest.raises(KernelRejected, match="1024 experts"):
        route_triton(torch.zeros(1, 1024, device=DEVICE), RoutingPolicy(experts=1024, top_k=1))
    with pytest.raises(KernelRejected, match="float64"):
        route_triton(torch.zeros(1, 4, device=DEVICE, dtype=torch.float64), RoutingPolicy(experts=4, top_k=1))
    with pytest.raises(RoutingRejected):
        route_triton(torch.zeros(1, 5, device=DEVICE), RoutingPolicy(experts=4, top_k=1))
