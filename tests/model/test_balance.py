from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.balance import BalanceState, measured_load, rebalance, rebalance_layers
from model.errors import RoutingRejected
from model.routing import RoutingPolicy, route


def test_the_bias_moves_against_the_load() -> None:
    state = rebalance(BalanceState.even(4, speed=0.5), (0, 4, 2, 2))
    assert state.bias == (0.5, -0.5, 0.0, 0.0)
    assert state.steps == 1


def test_the_old_state_stays() -> None:
    state = BalanceState.even(2)
    rebalance(state, (5, 1))
    assert state == BalanceState.even(2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        state.speed = 1.0  # type: ignore[misc]


@given(load=st.lists(st.integers(0, 2**40), min_size=1, max_size=9))
def test_no_step_is_longer_than_the_speed_and_none_goes_the_wrong_way(load: list[int]) -> None:
    state = rebalance(BalanceState.even(len(load), speed=1.0), tuple(load))
    mean = sum(load) / len(load)
    for bias, count in zip(state.bias, load, strict=True):
        assert bias in (-1.0, 0.0, 1.0)
        assert bias * (mean - count) >= 0


def test_an_even_or_empty_step_moves_nothing() -> None:
    assert rebalance(BalanceState.even(3), (7, 7, 7)).bias == (0.0,) * 3
    assert rebalance(BalanceState.even(3), (0, 0, 0)).bias == (0.0,) * 3


@pytest.mark.parametrize("scores", ["softmax", "sigmoid"])
def test_a_skewed_gate_becomes_even(scores: str) -> None:
    policy = RoutingPolicy(experts=8, top_k=2, scores=scores)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(1)
    state = BalanceState.even(8, speed=0.01)
    skew = torch.linspace(0, 2, 8)
    loads = []
    for _ in range(150):
        logits = torch.randn(256, 8, generator=generator) + skew
        load = measured_load(route(logits, policy, bias=state.tensor()).experts, 8)
        loads.append(load)
        state = rebalance(state, load)
    assert max(loads[0]) > 2 * 64, "without a bias the fullest expert has more than twice the mean of 64"
    assert max(map(sum, zip(*loads[-20:], strict=True))) < 1.1 * 20 * 64


def test_the_load_counts_every_choice() -> None:
    assert measured_load(torch.tensor([[0, 2], [2, 3]]), 5) == (1, 0, 2, 1, 0)
    assert measured_load(torch.zeros(0, 2, dtype=torch.int64), 3) == (0, 0, 0)


@pytest.mark.parametrize(("bias", "speed"), [((), 0.1), ((float("nan"),), 0.1), ((0.0,), -1.0), ((0.0,), float("inf"))])
def test_a_state_that_makes_no_sense_is_refused(bias: tuple[float, ...], speed: float) -> None:
    with pytest.raises(RoutingRejected):
        BalanceState(bias, speed)


def test_the_load_of_another_layer_is_refused() -> None:
    with pytest.raises(RoutingRejected, match="3 loads for 4 experts"):
        rebalance(BalanceState.even(4), (1, 2, 3))


def test_all_layers_take_a_step_and_a_dense_one_stays() -> None:
    load = ((0, 4, 2, 2), (0, 0, 0, 0), (9, 0, 0, 0))
    first = rebalance_layers((), load, speed=0.5)
    assert first == ((0.5, -0.5, 0.0, 0.0), (0.0,) * 4, (-0.5, 0.5, 0.5, 0.5))
    assert rebalance_layers(first, load, speed=0.5)[0] == (1.0, -1.0, 0.0, 0.0)


def test_the_biases_of_all_layers_are_a_policys() -> None:
    policy = RoutingPolicy(experts=4, top_k=1, bias_by_layer=rebalance_layers((), ((8, 0, 0, 0),), speed=0.25))
    assert route(torch.tensor([[0.4, 0.3, 0.2, 0.1]]), policy).experts.tolist() == [[1]]


@pytest.mark.parametrize("biases", [((0.0, 0.0),), ((0.0,), (0.0,)), ((0.0, float("nan")), (0.0, 0.0))], ids=str)
def test_loads_of_another_model_are_refused(biases: tuple[tuple[float, ...], ...]) -> None:
    with pytest.raises(RoutingRejected):
        rebalance_layers(biases, ((1, 2), (3, 4)))
