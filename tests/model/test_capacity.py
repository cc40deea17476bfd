from __future__ import annotations

import dataclasses
import itertools
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.capacity import capacity_of, place
from model.routing import RoutingPolicy, route


@st.composite
def crowds(draw: st.DrawFn) -> tuple[torch.Tensor, int]:
    """Preferences of up to 24 tokens, from spread out to all alike, and K."""
    experts = draw(st.integers(1, 7))
    tokens = draw(st.integers(0, 24))
    kinds = draw(st.integers(1, 4))
    styles = [draw(st.permutations(range(experts))) for _ in range(kinds)]
    rows = [draw(st.sampled_from(styles)) for _ in range(tokens)]
    return torch.tensor(rows, dtype=torch.int64).reshape(tokens, experts), draw(st.integers(1, experts))


@given(crowd=crowds(), factor=st.sampled_from([0.1, 1.0, 1.1, 1.5, 4.0]))
@settings(max_examples=400, deadline=None)
def test_capacity_is_kept_and_nobody_is_dropped(crowd: tuple[torch.Tensor, int], factor: float) -> None:
    order, count = crowd
    tokens, experts = order.shape
    capacity = capacity_of(tokens, count, experts, factor=factor)
    placed = place(order, count, capacity=capacity)
    assert placed.shape == (tokens, count)
    assert all(len(set(row)) == count for row in placed.tolist())
    assert max(Counter(placed.flatten().tolist()).values(), default=0) <= capacity


@given(crowd=crowds())
@settings(max_examples=150, deadline=None)
def test_where_nobody_overflows_nothing_changes(crowd: tuple[torch.Tensor, int]) -> None:
    order, count = crowd
    best = order[:, :count]
    fullest = max(Counter(best.flatten().tolist()).values(), default=0)
    even = capacity_of(order.shape[0], count, order.shape[1], factor=1.0)
    assert torch.equal(place(order, count, capacity=max(fullest, even)), best)


@given(crowd=crowds())
@settings(max_examples=100, deadline=None)
def test_a_token_keeps_its_order_of_preference(crowd: tuple[torch.Tensor, int]) -> None:
    order, count = crowd
    placed = place(order, count, capacity=capacity_of(*order.shape[:1], count, order.shape[1], factor=1.0))
    for row, wanted in zip(placed.tolist(), order.tolist(), strict=True):
        assert [wanted.index(expert) for expert in row] == sorted(wanted.index(expert) for expert in row)


@pytest.mark.parametrize(("tokens", "experts", "count"), [(3, 3, 2), (4, 3, 1), (2, 4, 3), (3, 4, 2)])
def test_no_better_choice_was_open_to_any_token(tokens: int, experts: int, count: int) -> None:
    """Against every assignment there is: each token has the best set that leaves a solution for those behind it."""
    capacity = capacity_of(tokens, count, experts, factor=1.0)
    for seed in range(40):
        generator = torch.Generator().manual_seed(seed)
        order = torch.stack([torch.randperm(experts, generator=generator) for _ in range(tokens)])
        ranks = order.argsort(-1).tolist()
        sets = list(itertools.combinations(range(experts), count))
        kept = [
            choice
            for choice in itertools.product(sets, repeat=tokens)
            if max(Counter(itertools.chain(*choice)).values()) <= capacity
        ]
        best = min(
            kept, key=lambda choice: [sorted(ranks[token][e] for e in chosen) for token, chosen in enumerate(choice)]
        )
        placed = place(order, count, capacity=capacity)
        assert [sorted(row) for row in placed.tolist()] == [sorted(chosen) for chosen in best]


def test_one_expert_that_all_want() -> None:
    order = torch.arange(4).repeat(8, 1)
    assert place(order, 1, capacity=2).flatten().tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_token_leaves_those_behind_it_two_different_experts() -> None:
    """Served greedily, the last token would find two places with one and the same expert."""
    order = torch.tensor([[0, 1, 2], [0, 1, 2], [2, 0, 1]])
    placed = place(order, 2, capacity=2)
    assert placed.tolist() == [[0, 1], [0, 2], [2, 1]] or Counter(placed.flatten().tolist()) == {0: 2, 1: 2, 2: 2}
    assert all(len(set(row)) == 2 for row in placed.tolist())


@pytest.mark.parametrize(
    ("tokens", "count", "experts", "factor", "capacity"),
    [
        (10, 1, 10, 1.1, 2),
        (100, 1, 10, 1.1, 11),
        (7, 2, 4, 1.0, 4),
        (7, 2, 4, 0.25, 4),
        (0, 2, 4, 2.0, 0),
        (1, 8, 8, 1.0, 1),
    ],
)
def test_the_capacity_is_exact(tokens: int, count: int, experts: int, factor: float, capacity: int) -> None:
    assert capacity_of(tokens, count, experts, factor=factor) == capacity


def test_backups_are_marked_and_weighed() -> None:
    policy = RoutingPolicy(experts=4, top_k=2, capacity_factor=1.0)
    logits = torch.tensor([[4.0, 3.0, 2.0, 1.0]] * 4)
    routing = route(logits, policy)
    assert routing.experts.tolist() == [[0, 1], [0, 1], [2, 3], [2, 3]]
    assert routing.backup.tolist() == [[False] * 2] * 2 + [[True] * 2] * 2
    # backups have the weights of their own scores: 2 against 1 is as 4 against 3
    torch.testing.assert_close(routing.weights, routing.weights[:1].expand(4, 2))


def test_backups_come_from_the_best_groups_first() -> None:
    policy = RoutingPolicy(experts=6, top_k=1, groups=3, top_groups=1, capacity_factor=1.0)
    logits = torch.tensor([[5.0, -3.0, 4.0, 3.9, 1.0, 1.0]] * 6)
    assert route(logits, policy).experts.flatten().tolist() == [0, 1, 2, 3, 4, 5]


@given(seed=st.integers(0, 2**31), tokens=st.sampled_from([1, 5, 23]), scores=st.sampled_from(["softmax", "sigmoid"]))
@settings(max_examples=60, deadline=None)
def test_weights_sum_to_one_with_backups_of_no_score(seed: int, tokens: int, scores: str) -> None:
    logits = torch.randn(tokens, 6, generator=torch.Generator().manual_seed(seed)) * 200
    policy = RoutingPolicy(experts=6, top_k=2, capacity_factor=1.0)
    routing = route(logits, dataclasses.replace(policy, scores=scores))
    torch.testing.assert_close(routing.weights.sum(-1), torch.ones(tokens))


def test_a_capacity_makes_a_token_depend_on_its_batch() -> None:
    """The reason why serving leaves it off; it would be a defect of the documentation if this failed."""
    policy = RoutingPolicy(experts=4, top_k=1, capacity_factor=1.0)
    logits = torch.tensor([[2.0, 1.0, 0.0, 0.0]] * 4)
    assert route(logits[3:], policy).experts.tolist() != route(logits, policy).experts[3:].tolist()
