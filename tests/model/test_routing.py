from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import ModelError, RoutingRejected
from model.routing import DomainPrior, RoutingPolicy, gate_logits, route

SEEDS = st.integers(0, 2**31)
TOKENS = st.sampled_from([0, 1, 2, 7, 31, 48])
ROUNDING = {"rtol": 1e-6, "atol": 1e-7}  # one or two units in the last place of float32


def noise(tokens: int, experts: int, seed: int = 0, *, spread: float = 2.0) -> torch.Tensor:
    return torch.randn(tokens, experts, generator=torch.Generator().manual_seed(seed)) * spread


@st.composite
def policies(draw: st.DrawFn, **fixed: Any) -> RoutingPolicy:
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    size = draw(st.integers(2 if groups > 1 else 1, 6))
    top_groups = draw(st.integers(1, groups))
    values: dict[str, Any] = {
        "experts": groups * size,
        "top_k": draw(st.integers(1, size * top_groups)),
        "groups": groups,
        "top_groups": top_groups,
        "group_score": draw(st.sampled_from(["largest", "two_largest"])),
        "scores": draw(st.sampled_from(["softmax", "sigmoid", "softmax_of_chosen"])),
        "renormalize": draw(st.booleans()),
        "temperature": draw(st.sampled_from([0.01, 0.5, 1.0, 3.0])),
        "entropy_gain": draw(st.sampled_from([-2.0, 0.0, 1.0])),
    }
    return RoutingPolicy(**(values | fixed))


@given(policy=policies(renormalize=True), tokens=TOKENS, seed=SEEDS)
@settings(max_examples=70, deadline=None)
def test_weights_are_positive_and_sum_to_one(policy: RoutingPolicy, tokens: int, seed: int) -> None:
    routing = route(noise(tokens, policy.experts, seed), policy)
    assert routing.weights.dtype == torch.float32
    assert routing.weights.shape == routing.experts.shape == (tokens, policy.top_k)
    assert bool((routing.weights >= 0).all())
    torch.testing.assert_close(routing.weights.sum(-1), torch.ones(tokens), **ROUNDING)


@given(policy=policies(), tokens=TOKENS, seed=SEEDS)
@settings(max_examples=70, deadline=None)
def test_a_token_has_its_number_of_different_experts(policy: RoutingPolicy, tokens: int, seed: int) -> None:
    experts = route(noise(tokens, policy.experts, seed), policy).experts
    assert experts.dtype == torch.int64
    assert all(len(set(row)) == policy.top_k for row in experts.tolist())
    assert all(0 <= expert < policy.experts for row in experts.tolist() for expert in row)


@given(policy=policies(), tokens=TOKENS, seed=SEEDS)
@settings(max_examples=70, deadline=None)
def test_a_permutation_of_the_tokens_permutes_the_result(policy: RoutingPolicy, tokens: int, seed: int) -> None:
    logits = noise(tokens, policy.experts, seed)
    mixed = torch.randperm(tokens, generator=torch.Generator().manual_seed(seed))
    straight, permuted = route(logits, policy), route(logits[mixed], policy)
    assert torch.equal(straight.experts[mixed], permuted.experts)
    assert torch.equal(straight.weights[mixed], permuted.weights)


@pytest.mark.parametrize("together", [1, 7, 48])
@given(policy=policies(), seed=SEEDS)
@settings(max_examples=40, deadline=None)
def test_a_token_does_not_depend_on_its_batch(together: int, policy: RoutingPolicy, seed: int) -> None:
    """From the hidden states on, to the bit: the gate's own product is part of it."""
    hidden = noise(together, 67, seed)
    gate = noise(policy.experts, 67, seed + 1, spread=0.3)
    batch = route(gate_logits(hidden, gate), policy)
    for token in range(together):
        alone = route(gate_logits(hidden[token : token + 1], gate), policy)
        assert torch.equal(alone.experts[0], batch.experts[token])
        assert torch.equal(alone.weights[0], batch.weights[token])


@given(
    tokens=TOKENS,
    width=st.integers(1, 70),
    experts=st.integers(1, 9),
    kind=st.sampled_from([torch.float32, torch.bfloat16]),
)
@settings(max_examples=60, deadline=None)
def test_the_gate_is_a_matrix_product(tokens: int, width: int, experts: int, kind: torch.dtype) -> None:
    hidden, gate = noise(tokens, width).to(kind), noise(experts, width, 1).to(kind)
    exact = hidden.double() @ gate.double().T
    # pairwise sums err by at most log2(width) + 1 roundings of the sum of magnitudes; 2^-24 each
    bound = (hidden.double().abs() @ gate.double().abs().T) * 8 * 2**-24
    assert bool(((gate_logits(hidden, gate) - exact).abs() <= bound + 1e-30).all())


def test_the_gate_in_slices_is_the_gate() -> None:
    hidden, gate = noise(9, 2048), noise(1024, 2048, 1)  # 2^21 products a token: eight tokens a slice
    assert torch.equal(gate_logits(hidden, gate)[8:], gate_logits(hidden[8:], gate))


@given(policy=policies(entropy_gain=0.0, groups=1, top_groups=1), seed=SEEDS)
@settings(max_examples=60, deadline=None)
def test_temperature_towards_zero_gives_the_best_expert_alone(policy: RoutingPolicy, seed: int) -> None:
    if policy.scores == "sigmoid":
        policy = dataclasses.replace(policy, scores="softmax")  # sigmoids saturate at one: many winners
    logits = noise(5, policy.experts, seed)
    # distinct by 0.5 and more, so that exp(-0.5 / 0.01) = 2e-22 is all that is left of the second
    logits = logits.argsort(-1).argsort(-1) * 0.5
    cold = route(logits, dataclasses.replace(policy, temperature=0.01))
    assert torch.equal(cold.experts[:, 0], logits.argmax(-1))
    torch.testing.assert_close(cold.weights[:, 0], torch.ones(5), **ROUNDING)


def test_scores_that_underflow_still_choose_by_their_logits() -> None:
    logits = torch.tensor([[0.0, -300.0, -200.0, -400.0]])
    assert route(logits, RoutingPolicy(experts=4, top_k=4)).experts.tolist() == [[0, 2, 1, 3]]


@pytest.mark.parametrize("scores", ["softmax", "sigmoid", "softmax_of_chosen"])
def test_weights_survive_the_underflow_of_all_chosen_scores(scores: Any) -> None:
    logits = torch.tensor([[-1000.0, -1000.5, -1001.0, 0.0]])
    if scores != "sigmoid":
        logits[0, 3] = -999.0
    policy = RoutingPolicy(experts=4, top_k=2, scores=scores, temperature=0.5)
    bias = torch.tensor([5.0, 5.0, 0.0, -5000.0])
    routing = route(logits, policy, bias=bias)
    assert routing.experts.tolist() == [[0, 1]]
    torch.testing.assert_close(routing.weights, torch.softmax(torch.tensor([[1.0, 0.0]]), -1), **ROUNDING)


@pytest.mark.parametrize("scores", ["softmax", "sigmoid", "softmax_of_chosen"])
def test_ties_go_to_the_lower_index(scores: Any) -> None:
    policy = RoutingPolicy(experts=7, top_k=3, scores=scores)
    assert route(torch.zeros(2, 7), policy).experts.tolist() == [[0, 1, 2]] * 2
    assert route(torch.tensor([[1.0, 2, 1, 2, 1, 2, 0]]), policy).experts.tolist() == [[1, 3, 5]]
    negative = torch.tensor([[0.0, -0.0, 0.0, -0.0, 1.0, -1.0, 0.0]])
    assert route(negative, policy).experts.tolist() == [[4, 0, 1]]


def test_tied_groups_go_to_the_lower_group() -> None:
    policy = RoutingPolicy(experts=6, top_k=2, groups=3, top_groups=1)
    assert route(torch.tensor([[0.0, 1, 1, 0, 1, 1]]), policy).experts.tolist() == [[1, 0]]


def test_what_ranks_the_groups() -> None:
    logits = torch.tensor([[2.0, -9.0, 1.5, 1.5, 0.0, 0.0]])
    largest = RoutingPolicy(experts=6, top_k=1, groups=3, top_groups=1, scores="sigmoid")
    assert route(logits, largest).experts.tolist() == [[0]]
    two = dataclasses.replace(largest, group_score="two_largest")
    assert route(logits, two).experts.tolist() == [[2]]


def test_the_temperature_changes_weights_and_not_the_choice() -> None:
    logits = noise(31, 8)
    cool, warm = (route(logits, RoutingPolicy(experts=8, top_k=2, temperature=value)) for value in (0.5, 2.0))
    assert torch.equal(cool.experts, warm.experts)
    assert bool((cool.weights[:, 0] > warm.weights[:, 0]).all())


def test_the_temperature_by_entropy_is_as_the_formula_says() -> None:
    logits = torch.tensor([[0.0, 0.0, 0.0, 0.0], [50.0, 0.0, 0.0, 0.0], [1.0, 0.5, 0.0, -1.0]])
    policy = RoutingPolicy(experts=4, top_k=4, temperature=0.8, entropy_gain=1.5)
    for row in logits:
        chances = torch.softmax(row.double() / 0.8, -1)
        entropy = float(-(chances * chances.log()).nan_to_num().sum() / torch.tensor(4.0).log())
        tau = 0.8 * torch.tensor(1.5 * (entropy - 0.5)).exp()
        routing = route(row[None], policy)
        expected = torch.softmax(row / tau, -1)[routing.experts[0]].float()
        torch.testing.assert_close(routing.weights[0], expected, rtol=1e-5, atol=1e-6)


def test_an_unsure_token_is_made_flatter_and_a_sure_one_sharper() -> None:
    logits = torch.tensor([[0.3, 0.2, 0.1, 0.0], [4.0, 0.0, 0.0, 0.0]])
    plain = route(logits, RoutingPolicy(experts=4, top_k=2)).weights
    moved = route(logits, RoutingPolicy(experts=4, top_k=2, entropy_gain=2.0)).weights
    assert moved[0, 0] < plain[0, 0]
    assert moved[1, 0] > plain[1, 0]


@given(seed=SEEDS, strengths=st.lists(st.floats(0, 50), min_size=2, max_size=5, unique=True).map(sorted))
@settings(max_examples=80, deadline=None)
def test_a_stronger_prior_never_lowers_its_expert(seed: int, strengths: list[float]) -> None:
    logits, domains = noise(7, 6, seed), torch.zeros(7, dtype=torch.int64)
    prior = (DomainPrior("legal", (0.0, 0.0, 1.0, 0.0, 0.0, 0.0)),)
    shares = []
    for strength in strengths:
        policy = RoutingPolicy(experts=6, top_k=6, priors=prior, prior_strength=strength)
        routing = route(logits, policy, domains=domains)
        shares.append(torch.zeros(7, 6).scatter(1, routing.experts, routing.weights)[:, 2])
    assert all(bool((after >= before - 1e-6).all()) for before, after in itertools.pairwise(shares))


def test_each_token_has_the_prior_of_its_own_domain() -> None:
    priors = (DomainPrior("legal", (9.0, 0, 0, 0)), DomainPrior("medical", (0, 9.0, 0, 0)))
    policy = RoutingPolicy(experts=4, top_k=1, priors=priors, prior_strength=1.0)
    domains = torch.tensor([policy.domain("medical"), policy.domain("poetry"), policy.domain("legal")])
    assert domains.tolist() == [1, -1, 0]
    logits = torch.tensor([[0.0, 0, 0, 1]] * 3)
    assert route(logits, policy, domains=domains).experts.tolist() == [[1], [3], [0]]
    assert route(logits, policy).experts.tolist() == [[3]] * 3


def test_the_default_domain_is_that_of_tokens_for_which_none_is_said() -> None:
    priors = (DomainPrior("legal", (9.0, 0, 0, 0)), DomainPrior("medical", (0, 9.0, 0, 0)))
    policy = RoutingPolicy(experts=4, top_k=1, priors=priors, prior_strength=1.0, default_domain="medical")
    logits = torch.tensor([[0.0, 0, 0, 1]] * 2)
    assert route(logits, policy).experts.tolist() == [[1], [1]]
    assert route(logits, policy, domains=torch.tensor([0, -1])).experts.tolist() == [[0], [3]]


def test_a_prior_of_strength_zero_is_no_prior() -> None:
    policy = RoutingPolicy(experts=4, top_k=2, priors=(DomainPrior("legal", (9.0, 0, 0, 0)),))
    logits = noise(7, 4)
    assert torch.equal(
        route(logits, policy, domains=torch.zeros(7, dtype=torch.int64)).weights, route(logits, policy).weights
    )


@pytest.mark.parametrize("scores", ["softmax", "sigmoid"])
def test_the_bias_moves_the_choice_and_never_the_weight(scores: Any) -> None:
    policy = RoutingPolicy(experts=4, top_k=2, scores=scores, renormalize=False)
    logits = torch.tensor([[3.0, 2.0, 1.0, 0.0]])
    pushed = route(logits, policy, bias=torch.tensor([0.0, 0.0, 0.0, 2.0]))
    assert pushed.experts.tolist() == [[3, 0]]
    plain = torch.softmax(logits, -1) if scores == "softmax" else torch.sigmoid(logits)
    assert torch.equal(pushed.weights, plain[:, [3, 0]])


def test_layers_may_have_different_biases_and_the_callers_is_added() -> None:
    policy = RoutingPolicy(experts=3, top_k=1, bias_by_layer=((0.0, 0.0, 0.0), (0.0, 4.0, 0.0)))
    logits = torch.tensor([[1.0, 0.0, 0.0]])
    assert [route(logits, policy, layer=layer).experts.item() for layer in (0, 1)] == [0, 1]
    assert route(logits, policy, layer=1, bias=torch.tensor([5.0, 0.0, 0.0])).experts.item() == 0
    assert route(logits, policy, layer=1, bias=torch.tensor([3.5, 0.0, 0.0])).experts.item() == 1
    assert torch.equal(route(logits, policy, layer=1).weights, torch.ones(1, 1))
    with pytest.raises(RoutingRejected, match="bias_by_layer, and layer 2"):
        route(logits, policy, layer=2)


def test_layers_may_choose_different_numbers() -> None:
    policy = RoutingPolicy(experts=5, top_k=2, top_k_by_layer=(1, 4))
    assert [route(noise(3, 5), policy, layer=layer).experts.shape[1] for layer in (0, 1)] == [1, 4]
    with pytest.raises(RoutingRejected, match="layer 2"):
        route(noise(3, 5), policy, layer=2)


def test_one_layers_policy_routes_as_the_whole_one_does() -> None:
    policy = RoutingPolicy(experts=5, top_k=2, top_k_by_layer=(1, 4), bias_by_layer=((0.0,) * 5, (0, 0, 0.9, 0, 0)))
    logits = noise(7, 5)
    alone = policy.of_layer(1)
    assert (alone.top_k, alone.top_k_by_layer, alone.bias_by_layer) == (4, (), ())
    whole, parts = route(logits, policy, layer=1), route(logits, alone, bias=torch.tensor(policy.bias(1)))
    assert torch.equal(whole.experts, parts.experts)
    assert torch.equal(whole.weights, parts.weights)


def test_all_experts_chosen_is_the_whole_distribution() -> None:
    logits = noise(11, 5)
    routing = route(logits, RoutingPolicy(experts=5, top_k=5, renormalize=False))
    dense = torch.zeros(11, 5).scatter(1, routing.experts, routing.weights)
    assert torch.equal(dense, torch.softmax(logits, -1))


def test_one_expert() -> None:
    routing = route(noise(3, 1), RoutingPolicy(experts=1, top_k=1, entropy_gain=1.0))
    assert routing.experts.tolist() == [[0]] * 3
    assert routing.weights.tolist() == [[1.0]] * 3


def test_scaling_comes_last() -> None:
    logits = noise(5, 4)
    plain, scaled = (route(logits, RoutingPolicy(experts=4, top_k=2, scaling=value)) for value in (1.0, 2.5))
    assert torch.equal(scaled.weights, plain.weights * 2.5)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_any_float_type_is_computed_in_float32(kind: torch.dtype) -> None:
    logits = noise(5, 8).to(kind)
    assert torch.equal(
        route(logits, RoutingPolicy(experts=8, top_k=2)).weights,
        route(logits.float(), RoutingPolicy(experts=8, top_k=2)).weights,
    )


def test_strides_do_not_matter() -> None:
    wide = noise(8, 14)
    strided = wide.T[::2]  # (7, 8), neither dimension contiguous
    policy = RoutingPolicy(experts=8, top_k=3)
    assert torch.equal(route(strided, policy).experts, route(strided.contiguous(), policy).experts)


@pytest.mark.parametrize(
    "fields",
    [
        {"experts": 0},
        {"experts": 4.0},
        {"experts": True, "top_k": True},
        {"top_k": 0},
        {"top_k": 9},
        {"top_k_by_layer": (2, 9)},
        {"scores": "argmax"},
        {"group_score": "mean"},
        {"groups": 3},
        {"groups": 2, "top_groups": 3},
        {"groups": 4, "top_groups": 1, "top_k": 3},
        {"groups": 8, "top_groups": 4, "group_score": "two_largest"},
        {"temperature": 0.0},
        {"temperature": -1.0},
        {"temperature": float("nan")},
        {"scaling": float("inf")},
        {"scaling": "2"},
        {"entropy_gain": 17.0},
        {"capacity_factor": 0.0},
        {"capacity_factor": -1.0},
        {"prior_strength": float("nan")},
        {"priors": (DomainPrior("legal", (1.0,)),)},
        {"priors": (DomainPrior("legal", (float("nan"),) * 8),)},
        {"priors": (DomainPrior("legal", (0.0,) * 8),) * 2},
        {"default_domain": "legal"},
        {"bias_by_layer": ((0.0,) * 7,)},
        {"bias_by_layer": ((float("inf"),) * 8,)},
    ],
    ids=str,
)
def test_a_policy_that_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(RoutingRejected) as caught:
        RoutingPolicy(**({"experts": 8, "top_k": 2} | fields))
    assert isinstance(caught.value, ModelError)
    assert caught.value.remedy


def test_a_policy_is_a_value() -> None:
    policy = RoutingPolicy(experts=8, top_k=2)
    assert policy == RoutingPolicy(experts=8, top_k=2)
    assert hash(policy) == hash(RoutingPolicy(experts=8, top_k=2))
    with pytest.raises(dataclasses.FrozenInstanceError):
        policy.top_k = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("logits", "more"),
    [
        (torch.zeros(3, 7), {}),
        (torch.zeros(8), {}),
        (torch.zeros(3, 8, dtype=torch.int64), {}),
        (torch.zeros(3, 8), {"bias": torch.zeros(7)}),
        (torch.zeros(3, 8), {"bias": torch.zeros(1, 8)}),
        (torch.zeros(3, 8), {"domains": torch.zeros(2, dtype=torch.int64)}),
        (torch.zeros(3, 8), {"domains": torch.zeros(3)}),
        (torch.zeros(3, 8), {"domains": torch.full((3,), 1)}),
        (torch.zeros(3, 8), {"domains": torch.full((3,), -2)}),
    ],
)
def test_tensors_that_do_not_fit_are_refused(logits: torch.Tensor, more: dict[str, torch.Tensor]) -> None:
    policy = RoutingPolicy(experts=8, top_k=2, priors=(DomainPrior("legal", (0.0,) * 8),), prior_strength=1.0)
    with pytest.raises(RoutingRejected):
        route(logits, policy, **more)


@pytest.mark.parametrize(("hidden", "gate"), [((3, 4), (8, 5)), ((3,), (8, 3)), ((3, 0), (8, 0))])
def test_a_gate_that_does_not_fit_is_refused(hidden: tuple[int, ...], gate: tuple[int, ...]) -> None:
    with pytest.raises(RoutingRejected):
        gate_logits(torch.zeros(hidden), torch.zeros(gate))
