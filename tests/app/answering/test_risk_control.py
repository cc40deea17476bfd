"""Bounds of error rates, and thresholds that keep to them."""

from __future__ import annotations

import random

import pytest

from app.answering.risk_control import at, chosen, upper_bound


@pytest.mark.parametrize(
    ("wrong", "shown", "limit"),
    [
        (0, 59, 0.0495),  # 1 - 0.05 ** (1 / 59): the rule of three
        (0, 10, 0.2589),
        (1, 20, 0.2161),
        (5, 100, 0.1023),
        (3, 3, 1.0),
        (0, 0, 1.0),
    ],
)
def test_the_limit_is_that_of_clopper_and_pearson(wrong, shown, limit):
    assert upper_bound(wrong, shown, confidence=0.95) == pytest.approx(limit, abs=2e-4)


def test_the_limit_falls_with_more_data_and_rises_with_more_errors():
    assert upper_bound(1, 100, confidence=0.95) < upper_bound(1, 50, confidence=0.95)
    assert upper_bound(2, 100, confidence=0.95) > upper_bound(1, 100, confidence=0.95)
    assert upper_bound(1, 100, confidence=0.99) > upper_bound(1, 100, confidence=0.95)


@pytest.mark.parametrize(("wrong", "shown", "confidence"), [(2, 1, 0.95), (-1, 1, 0.95), (0, 1, 1.0), (0, 1, 0.0)])
def test_what_cannot_be_counted_is_refused(wrong, shown, confidence):
    with pytest.raises(ValueError, match="wrong"):
        upper_bound(wrong, shown, confidence=confidence)


def test_at_counts_what_a_threshold_shows():
    bound = at([(0.9, False), (0.8, True), (0.3, False)], 0.5, confidence=0.95)
    assert (bound.n, bound.shown, bound.wrong) == (3, 2, 1)


def test_the_laxest_threshold_that_holds_is_taken():
    sure = [(0.9, False)] * 200 + [(0.5, False)] * 100 + [(0.2, True)] * 100
    found = chosen(sure, target=0.05, confidence=0.95, start=0.9)
    assert found is not None
    assert 0.2 < found.threshold <= 0.5
    assert found.bound <= 0.05


def test_a_failed_threshold_ends_the_test_whatever_comes_after_it():
    points = [(0.9, False)] * 100 + [(0.7, True)] * 100 + [(0.3, False)] * 10_000
    found = chosen(points, target=0.05, confidence=0.95, start=0.9)
    assert found is not None
    assert found.threshold > 0.7


def test_too_few_points_prove_nothing():
    assert chosen([(0.9, False)] * 20, target=0.05, confidence=0.95, start=0.9) is None
    assert chosen([], target=0.05, confidence=0.95, start=0.9) is None


def test_stricter_thresholds_than_the_start_are_not_tested():
    points = [(0.95, False)] * 3 + [(0.6, False)] * 100
    assert chosen(points, target=0.05, confidence=0.95, start=0.95) is None
    found = chosen(points, target=0.05, confidence=0.95, start=0.6)
    assert found is not None


def test_the_promise_is_kept_over_many_calibration_sets():
    """At a true rate above the target, a threshold is accepted in at most about 5 of 100 calibration sets."""
    draw = random.Random(1)
    broken = 0
    for _ in range(300):
        points = [(draw.random(), draw.random() < 0.08) for _ in range(150)]
        broken += chosen(points, target=0.05, confidence=0.95, start=0.5) is not None
    assert broken / 300 <= 0.08
