"""Risk at coverage, and the area under it."""

from __future__ import annotations

import pytest

from app.answering.evaluation.curve import Point, area, curve, risk_coverage


def test_the_surest_come_first_and_equals_come_together():
    points = [Point(0.9, False), Point(0.5, True), Point(0.5, False), Point(0.1, True)]
    assert curve(points) == [(0.25, 0.0), (0.75, pytest.approx(1 / 3)), (1.0, 0.5)]


def test_what_was_not_shown_counts_for_coverage_alone():
    points = [Point(0.9, False), Point(0.2, True, shown=False)]
    assert curve(points) == [(0.5, 0.0)]


def test_a_perfect_confidence_has_a_smaller_area_than_none():
    perfect = [Point(1 - n / 10, n >= 8) for n in range(10)]
    blind = [Point(0.5, n >= 8) for n in range(10)]
    worst = [Point(n / 10, n >= 8) for n in range(10)]
    assert area(curve(perfect)) < area(curve(blind)) < area(curve(worst))
    assert area(curve(blind)) == pytest.approx(0.2)


def test_of_nothing_there_is_nothing():
    found = risk_coverage([])
    assert (found["n"], found["coverage"], found["aurc"], found["points"]) == (0, 0.0, 0.0, [])
    assert risk_coverage([Point(0.5, True, shown=False)])["coverage"] == 0.0


def test_long_curves_are_thinned_out_and_keep_their_end():
    found = risk_coverage([Point(n / 1000, n % 10 == 0) for n in range(1000)])
    assert len(found["points"]) <= 201
    assert found["points"][-1] == [1.0, 0.1]
    assert found["risk"] == 0.1
