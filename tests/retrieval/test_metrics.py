"""Metrics against numbers worked out by hand."""

from __future__ import annotations

from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.metrics import hit_at, interval, mean, ndcg_at, recall_at


def test_ndcg_by_hand():
    # relevant at ranks 2 and 4, a third one not found: (1/log2 3 + 1/log2 5) / (1 + 1/log2 3 + 1/log2 4)
    expected = (1 / log2(3) + 1 / log2(5)) / (1 + 1 / log2(3) + 0.5)
    assert ndcg_at(10, ["x", "a", "y", "b"], {"a", "b", "c"}) == pytest.approx(expected)
    assert expected == pytest.approx(0.498189, abs=1e-6)


def test_ndcg_at_its_ends():
    assert ndcg_at(10, ["a", "b"], {"a", "b"}) == 1.0
    assert ndcg_at(10, ["x"], {"a"}) == 0.0
    assert ndcg_at(10, [], {"a"}) == 0.0
    assert ndcg_at(10, ["a"], set()) == 0.0
    assert ndcg_at(2, ["x", "y", "a"], {"a"}) == 0.0
    assert ndcg_at(1, ["a", "x"], {"a", "b", "c"}) == 1.0  # no order could have more in one place


def test_recall_and_hit_by_hand():
    assert recall_at(2, ["a", "x", "b"], {"a", "b"}) == 0.5
    assert recall_at(3, ["a", "x", "b"], {"a", "b"}) == 1.0
    assert recall_at(3, ["a"], set()) == 0.0
    assert hit_at(2, ["x", "y", "a"], {"a"}) == 0.0
    assert hit_at(3, ["x", "y", "a"], {"a"}) == 1.0


@given(st.lists(st.sampled_from("abcdefgh"), unique=True), st.frozensets(st.sampled_from("abcdefgh")))
def test_all_lie_between_nothing_and_everything(ranking: list[str], relevant: frozenset[str]):
    for metric in (ndcg_at, recall_at, hit_at):
        assert 0.0 <= metric(5, ranking, relevant) <= 1.0 + 1e-12


def test_the_interval_holds_the_mean_narrows_with_n_and_repeats():
    few, many = [0.0, 1.0] * 10, [0.0, 1.0] * 1000
    low, high = interval(few, seed=1)
    assert low < mean(few) < high
    assert (low, high) == interval(few, seed=1)
    narrow = interval(many, seed=1)
    assert narrow[1] - narrow[0] < (high - low) / 5
    # of a share of a half the interval is about 1.96 standard errors wide on each side
    assert narrow[1] - narrow[0] == pytest.approx(2 * 1.96 * 0.5 / 2000**0.5, rel=0.15)
    assert interval([1.0] * 5, seed=1) == (1.0, 1.0)
    assert interval([], seed=1) == (0.0, 0.0)
    assert mean([]) == 0.0
