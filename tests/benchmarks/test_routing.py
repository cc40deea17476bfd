"""The figures of routing on logits whose answer is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from defusedxml import ElementTree

from benchmarks.router_texts import FITTED, lay_out
from benchmarks.routing import drawn, figures, loads
from model.upcycle import DOMAINS

EXPERTS = 8


def test_a_perfect_router_tells_two_bits() -> None:
    domains = torch.arange(4).repeat_interleave(50)
    logits = torch.zeros(200, EXPERTS)
    logits[torch.arange(200), 2 * domains] = 2.0
    logits[torch.arange(200), 2 * domains + 1] = 1.0
    found = figures(*loads(logits, domains, 4, 2))
    assert found["own_first"] == found["own_slots"] == [1.0] * 4
    assert found["information"] == pytest.approx(2.0)
    assert found["load"][1][2:4] == [0.5, 0.5]


def test_a_router_that_ignores_the_text_tells_nothing() -> None:
    logits = torch.arange(EXPERTS).float().repeat(200, 1)
    found = figures(*loads(logits, torch.arange(4).repeat(50), 4, 2))
    assert found["information"] == pytest.approx(0.0)
    assert found["own_first"] == [0.0, 0.0, 0.0, 1.0]


def test_half_wrong_is_half() -> None:
    logits = torch.zeros(40, EXPERTS)
    logits[:20, 0] = logits[20:, 6] = 1.0
    found = figures(*loads(logits, torch.zeros(40, dtype=torch.long), 4, 1))
    assert found["own_first"][0] == 0.5


def test_the_plot_is_an_svg_with_every_domain() -> None:
    row = {"own_first": [0.5] * 4, "load": [[0.125] * EXPERTS] * 4}
    root = ElementTree.fromstring(drawn([row] * 28, DOMAINS))
    words = [element.text or "" for element in root.iter() if element.tag.endswith("text")]
    assert set(DOMAINS) <= set(words)
    assert sum(element.tag.endswith("polyline") for element in root.iter()) == 4


def test_texts_are_laid_out_with_their_licences(shared_data: Path, tmp_path: Path) -> None:
    lay_out(shared_data, tmp_path / "fit", characters=1500)
    lay_out(shared_data, tmp_path / "other", characters=1500, other=True)
    for domain in DOMAINS:
        assert sorted(path.name for path in (tmp_path / "fit" / domain).iterdir()) == ["chinese", "english"]
        for part in (tmp_path / "fit" / domain).iterdir():
            assert (part / "LICENCE").read_text().strip()
    for name in FITTED:
        fitted, other = ((tmp_path / kind / f"{name}.txt").read_text() for kind in ("fit", "other"))
        assert not set(fitted.split("\n\n")) & set(other.split("\n\n")) - {""}, name


def test_what_lies_in_the_repository_names_only_licences_that_allow_it() -> None:
    folder = Path(__file__).resolve().parents[2] / "model" / "calibrated"
    for path in folder.glob("*.json"):
        sources = json.loads(path.read_text())["provenance"]["sources"]
        assert len({(source["domain"], source["part"]) for source in sources}) == EXPERTS
        for source in sources:
            assert "NC" not in source["licence"]
            assert "ND" not in source["licence"]
            assert "SA" not in source["licence"]
