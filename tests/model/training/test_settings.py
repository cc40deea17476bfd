from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from model.errors import TrainingRejected
from model.training.settings import TrainingSettings


@pytest.mark.parametrize(
    "change",
    [
        {"form": "whole"},
        {"steps": 0},
        {"steps": 1.5},
        {"steps": True},
        {"rows": "4"},
        {"rate": 0.0},
        {"rate": math.nan},
        {"rate": True},
        {"clip": -1.0},
        {"balance": -0.1},
        {"kl": math.inf},
        {"bits": 3},
        {"group": 48},
        {"symmetric": 1},
        {"quantized_share": 1.1},
        {"held_out": 0.0},
        {"held_out": 1.0},
        {"warmup": 400},
        {"general_rows": -1},
        {"layers": (1, 1)},
        {"layers": (-1,)},
        {"layers": ("1",)},
        {"layers": 3},
        {"domain": ""},
        {"domain": 1},
        {"rank": 0},
        {"keep": 0},
        {"most_megabytes": 0},
    ],
    ids=str,
)
def test_a_value_that_makes_no_sense_is_named(change: dict[str, Any]) -> None:
    (name, value), *_ = change.items()
    with pytest.raises(TrainingRejected, match=name) as caught:
        TrainingSettings(**change)
    assert repr(value) in caught.value.message
    assert caught.value.remedy.startswith("It takes ")


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(TrainingRejected, match="Unknown training setting: epochs, lr") as caught:
        TrainingSettings.from_dict({"lr": 1, "epochs": 2, "rate": 1e-3})
    assert "rate" in caught.value.remedy


def test_settings_survive_json(tmp_path: Path) -> None:
    settings = TrainingSettings(layers=(3, 1), domain="legal", form="adapters", rate=1e-4)
    (tmp_path / "settings.json").write_text(json.dumps(settings.as_dict()))
    assert TrainingSettings.read(tmp_path / "settings.json") == settings
    assert TrainingSettings.from_dict({}) == TrainingSettings()


@pytest.mark.parametrize("text", ["", "[1]", "{", "3"])
def test_a_file_that_is_no_object_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(TrainingRejected):
        TrainingSettings.read(tmp_path / "settings.json")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingRejected, match="cannot be read"):
        TrainingSettings.read(tmp_path / "settings.json")


def test_the_rate_rises_straight_and_falls_in_a_half_cosine() -> None:
    settings = TrainingSettings(steps=12, warmup=2, rate=1.0, last_rate=0.2)
    course = [settings.rate_at(step) for step in range(12)]
    assert course[:3] == [0.5, 1.0, 1.0]
    assert course[2:] == sorted(course[2:], reverse=True)
    assert course[-1] == pytest.approx(0.2)
    # the middle of steps 2 .. 11 lies between 6 and 7
    assert (course[6] + course[7]) / 2 == pytest.approx(0.6)


def test_the_noise_falls_to_its_end_at_the_last_step() -> None:
    settings = TrainingSettings(steps=11, warmup=0, noise_start=2.0, noise_end=0.5)
    assert settings.noise_at(0) == 2.0
    assert settings.noise_at(5) == pytest.approx(1.25)
    assert settings.noise_at(10) == 0.5


@pytest.mark.parametrize(("share", "first"), [(0.0, 8), (0.25, 6), (1.0, 0)])
def test_the_quantized_part_is_the_last(share: float, first: int) -> None:
    settings = TrainingSettings(steps=8, warmup=0, quantized_share=share)
    assert [settings.quantized_at(step) for step in range(8)] == [step >= first for step in range(8)]
