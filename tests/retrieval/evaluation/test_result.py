"""Intervals and differences, against sums made by hand."""

from __future__ import annotations

import pytest

from retrieval.evaluation.result import Answers, result


def answers(*values: float) -> Answers:
    made = Answers()
    for at, value in enumerate(values):
        made.add({"hit": value}, seconds=0.001 * (at + 1))
    return made


def test_a_difference_is_taken_question_by_question():
    ours, rival = answers(*[1.0, 0.5] * 50), answers(*[0.9, 0.4] * 50)
    found = result(ours, {"other": rival}, groups=None, seed=1, settings={"limit": None})
    assert found["metrics"] == {"hit": 0.75}
    other = found["rivals"]["other"]
    assert other["metrics"] == {"hit": pytest.approx(0.65)}
    # each question gains the same, so the difference is sure although both figures are not
    assert other["differences"]["hit"]["mean"] == pytest.approx(0.1)
    assert other["differences"]["hit"]["interval"] == pytest.approx([0.1, 0.1])
    low, high = other["intervals"]["hit"]
    assert high - low > 0.05
    assert found["settings"] == {"seed": 1, "limit": None}


def test_questions_of_one_group_are_drawn_together():
    ours = answers(*[1.0] * 50, *[0.0] * 50)
    alone = result(ours, {}, groups=None, seed=1, settings={})["intervals"]["hit"]
    together = result(ours, {}, groups=["a"] * 50 + ["b"] * 50, seed=1, settings={})["intervals"]["hit"]
    assert together == [0.0, 1.0]
    assert alone[1] - alone[0] < 0.25


def test_latency_is_in_milliseconds():
    found = result(answers(*[1.0] * 101), {}, groups=None, seed=1, settings={})
    assert found["latency_ms"]["vouch"] == {"p50": 51.0, "p99": 100.0}
