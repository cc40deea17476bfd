"""AUC, KS, Brier, accuracy and cost against figures worked by hand and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from domains.finance.credit import measures

BAD = np.array([1, 1, 0, 0])


def test_auc_by_hand() -> None:
    # pairs (bad, good): .9 > .5, .9 > .1, .4 < .5, .4 > .1: three of four
    assert measures.auc(np.array([0.9, 0.4, 0.5, 0.1]), BAD) == 0.75


def test_a_tie_is_half_a_pair() -> None:
    assert measures.auc(np.array([0.5, 0.5, 0.5, 0.5]), BAD) == 0.5


def test_auc_is_the_mean_over_repeats() -> None:
    repeats = np.array([[0.9, 0.8, 0.2, 0.1], [0.1, 0.2, 0.8, 0.9], [0.9, 0.4, 0.5, 0.1]])
    assert measures.auc(repeats, BAD) == pytest.approx((1 + 0 + 0.75) / 3)


@pytest.mark.parametrize("bad", [[1, 1], [0, 0], []])
def test_one_class_has_no_auc(bad: list[int]) -> None:
    assert math.isnan(measures.auc(np.zeros(len(bad)), np.array(bad, dtype=np.int64)))


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(-5, 5)), min_size=2, max_size=60))
def test_auc_is_that_of_another_library(rows: list[tuple[int, int]]) -> None:
    bad, scores = np.array([row[0] for row in rows]), np.array([float(row[1]) for row in rows])
    if 0 < bad.sum() < len(bad):
        assert measures.auc(scores, bad) == pytest.approx(roc_auc_score(bad, scores))


@given(st.integers(0, 10_000))
def test_auc_of_a_draw_is_that_of_the_rows_drawn(seed: int) -> None:
    random = np.random.default_rng(seed)
    bad, scores = random.integers(0, 2, 12), random.integers(0, 5, 12).astype(float)
    bad[:2] = 0, 1
    counts = measures.draws(12, seed=seed, count=5)
    found = measures.weighted_auc(measures.pairs(scores, bad), bad, counts)
    for value, count in zip(found, counts, strict=True):
        rows = np.repeat(np.arange(12), count)
        alone = measures.auc(scores[rows], bad[rows])
        assert value == pytest.approx(alone, nan_ok=True)


def test_draws_are_rows_with_return_and_the_same_for_a_seed() -> None:
    counts = measures.draws(7, seed=3, count=50)
    assert (counts.sum(axis=1) == 7).all()
    assert np.array_equal(counts, measures.draws(7, seed=3, count=50))
    assert not np.array_equal(counts, measures.draws(7, seed=4, count=50))


def test_an_interval_by_hand() -> None:
    assert measures.interval(np.arange(0, 41.0)) == (1.0, 39.0)


@pytest.mark.parametrize("values", [[], [1.0], [math.nan] * 9, [1.0, 2.0, math.nan, math.nan, math.nan, math.nan]])
def test_too_few_draws_make_no_interval(values: list[float]) -> None:
    assert measures.interval(np.array(values)) is None


def test_ks_by_hand() -> None:
    assert measures.ks(np.array([4.0, 3.0, 2.0, 1.0]), BAD) == 1.0
    assert measures.ks(np.array([4.0, 1.0, 3.0, 2.0]), BAD) == 0.5
    assert measures.ks(np.zeros(4), BAD) == 0.0


def test_brier_accuracy_and_cost_by_hand() -> None:
    p = np.array([0.9, 0.1, 0.2, 0.1])
    assert measures.brier(BAD)(p).mean() == pytest.approx((0.01 + 0.81 + 0.04 + 0.01) / 4)
    assert measures.accuracy(BAD)(p).mean() == 0.75
    # refused from 1/6 on: the first (right), the third (a good one: 1); the second is a bad one let through: 5
    assert measures.cost(BAD)(p).tolist() == [0, 5, 1, 0]


def test_the_cut_off_is_where_both_mistakes_cost_the_same() -> None:
    p = measures.CUT_OFF
    assert p * measures.COST_BAD == pytest.approx((1 - p) * 1)
