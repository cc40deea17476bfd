"""The stability index against values made by hand, and the report over recent transactions."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.finance.transactions.drift import ENOUGH, LEAST, Baseline, psi, reading
from domains.finance.transactions.errors import RiskModelUnusable
from domains.finance.transactions.features import FEATURES
from domains.finance.transactions.recent import KEPT, Recent


def test_the_index_of_two_bins_is_what_a_hand_computes() -> None:
    # (0.4 - 0.5) ln(0.4/0.5) + (0.6 - 0.5) ln(0.6/0.5) = 0.022314 + 0.018232
    assert psi(np.array([0.5, 0.5]), np.array([0.4, 0.6])) == pytest.approx(0.0405465, abs=1e-6)


def test_the_index_of_three_bins_is_what_a_hand_computes() -> None:
    # 0.1 ln(0.3/0.2) + 0 + -0.1 ln(0.2/0.3) = 0.0405465 + 0.0405465
    assert psi(np.array([0.2, 0.5, 0.3]), np.array([0.3, 0.5, 0.2])) == pytest.approx(0.081093, abs=1e-6)


def test_an_empty_bin_counts_much_and_not_infinitely() -> None:
    index = psi(np.array([0.5, 0.5]), np.array([1.0, 0.0]))
    assert index == pytest.approx(0.5 * math.log(2) + (0.5 - LEAST) * math.log(0.5 / LEAST), rel=1e-6)


SHARES = st.lists(st.floats(0.01, 1), min_size=3, max_size=3).map(lambda given: np.array(given) / sum(given))


@given(SHARES, SHARES)
def test_the_index_is_never_negative_and_the_same_both_ways(one: np.ndarray, two: np.ndarray) -> None:
    assert psi(one, two) >= 0
    assert psi(one, two) == pytest.approx(float(psi(two, one)))
    assert psi(one, one) == 0


@pytest.mark.parametrize(
    ("index", "said"),
    [(0.0, "stable"), (0.0999, "stable"), (0.1, "moderate"), (0.249, "moderate"), (0.25, "shifted"), (9.0, "shifted")],
)
def test_an_index_is_read_as_usual(index: float, said: str) -> None:
    assert reading(index) == said


def values(n: int, *, shift: float = 0.0, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (n, 2))


def test_the_same_population_is_stable_and_a_shifted_one_is_not() -> None:
    baseline = Baseline.fit(values(20_000))
    assert (baseline.compare(values(5_000, seed=2)) < 0.02).all()
    assert (baseline.compare(values(5_000, shift=1.0, seed=2)) > 0.25).all()


def test_a_feature_that_stops_applying_is_seen() -> None:
    baseline = Baseline.fit(values(5_000))
    later = values(5_000, seed=2)
    later[::2, 0] = np.nan
    index = baseline.compare(later)
    assert index[0] > 0.25 > 0.1 > index[1]


def test_a_feature_of_one_value_or_none_is_no_trouble() -> None:
    column = np.column_stack([np.full(100, 3.0), np.full(100, np.nan)])
    baseline = Baseline.fit(column)
    assert (baseline.compare(column) == 0).all()
    assert baseline.compare(np.array([[4.0, 1.0]]))[1] > 0.25


def test_a_baseline_that_was_written_and_read_is_the_same() -> None:
    baseline = Baseline.fit(values(500))
    again = Baseline.of(json.loads(json.dumps(baseline.as_json())))
    np.testing.assert_array_equal(again.edges, baseline.edges)
    np.testing.assert_array_equal(again.shares, baseline.shares)


@pytest.mark.parametrize(
    "data",
    [None, {}, [], {"edges": [1], "shares": [1]}, {"edges": [[1, 2]], "shares": [[1, 2]]}, {"edges": "x", "shares": 3}],
)
def test_what_is_no_baseline_is_refused(data: object) -> None:
    with pytest.raises(RiskModelUnusable):
        Baseline.of(data)


def add(recent: Recent, n: int, probability: float = 0.5, other: float = 0.1) -> None:
    recent.add(np.zeros((n, len(FEATURES))), np.zeros(n), np.full(n, probability), np.full(n, other))


def test_too_few_transactions_are_given_no_reading() -> None:
    recent, baseline = Recent(), Baseline.fit(np.zeros((10, len(FEATURES) + 1)))
    add(recent, ENOUGH - 1)
    assert recent.drift(baseline)[1] == "too few"
    add(recent, 1)
    assert recent.drift(baseline)[1] == "stable"


def test_the_ring_keeps_the_last_and_counts_all() -> None:
    recent = Recent()
    for _ in range(3):
        add(recent, KEPT // 2, probability=0.1)
    add(recent, KEPT + 7, probability=0.9)
    assert len(recent) == KEPT
    assert recent.compare(review_from=0.5).champion_only == KEPT


def test_champion_and_challenger_are_compared_where_a_person_would_look() -> None:
    recent = Recent()
    for champion, challenger in ((0.9, 0.9), (0.9, 0.1), (0.1, 0.9), (0.1, 0.1), (0.2, 0.1)):
        add(recent, 1, champion, challenger)
    found = recent.compare(review_from=0.5)
    assert (found.both, found.champion_only, found.challenger_only, found.neither) == (1, 1, 1, 2)
    assert found.correlation is not None
    assert Recent().compare(review_from=0.5).correlation is None
