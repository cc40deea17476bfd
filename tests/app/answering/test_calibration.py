"""Fitting the confidence and the bound, on made-up signals and a made-up set."""

from __future__ import annotations

import json
import random

import pytest

from app.answering.calibration import Sample, calibrated, fitted, main, samples_of, stand_ins
from app.answering.evaluation.mtragun import tasks_of
from app.answering.signals import NAMES
from tests.app.answering.evaluation.test_mtragun import folder


def samples(count: int, *, noise: float = 0.3) -> list[Sample]:
    draw = random.Random(1)
    found = []
    for number in range(count):
        right = number % 2 == 0
        values = dict.fromkeys(NAMES, 0.0) | {"alike": draw.gauss(0.7 if right else 0.3, noise), "judged": float("nan")}
        found.append(Sample(str(number), f"group {number // 2}", right, tuple(values[name] for name in NAMES)))
    return found


def test_what_tells_right_from_wrong_gets_the_weight():
    body, sure = fitted(samples(200, noise=0.1))
    assert body["weights"]["alike"] > 1
    assert body["weights"]["judged"] == 0
    assert body["cross_validated"]["auc"] > 0.95
    assert all(0 <= value <= 1 for value in sure)


def test_too_few_or_all_alike_are_refused():
    with pytest.raises(ValueError, match="five"):
        fitted(samples(4))
    with pytest.raises(ValueError, match="both kinds"):
        fitted([Sample(str(n), str(n), True, (0.0,) * len(NAMES)) for n in range(20)])


def test_signals_that_tell_all_meet_the_target():
    many = samples(1000, noise=0.02)
    record = calibrated(many, [1.0 if one.right else 0.0 for one in many], seed=0)
    assert record["bound"] <= record["target"] == 0.05


def test_signals_that_tell_nothing_say_what_is_borne_out_instead():
    many = samples(300)
    record = calibrated(many, [0.5] * len(many), seed=0)
    assert record["bound"] > 0.5
    assert record["wrong"] / record["shown"] <= record["bound"]


def test_answerable_turns_are_asked_over_both_their_own_and_other_passages(tmp_path):
    everything = tasks_of(folder(tmp_path))
    asked = samples_of(everything, everything)
    assert {right for _, right in asked} == {True, False}
    assert len({task.id for task, _ in asked}) == len(asked)


def test_copied_sentences_stand_in_for_drafts(tmp_path):
    out = tmp_path / "signals.jsonl"
    stand_ins(folder(tmp_path), out, similarity=lambda one, other, language: 0.5)
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert rows
    assert all(set(row["values"]) == set(NAMES) and row["values"]["sentinel"] is None for row in rows)


def test_a_command_has_to_be_named(capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "required" in capsys.readouterr().err
