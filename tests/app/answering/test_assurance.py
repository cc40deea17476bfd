"""What is known of the error rate, and where it is read from."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from app.answering.assurance import FALLBACK, assurance_for, read_assurances

RECORD = {
    "version": "1",
    "sets": ["a_set"],
    "drafts": "a script's",
    "languages": ["en"],
    "date": "2026-11-25",
    "n": 100,
    "shown": 80,
    "wrong": 1,
    "target": 0.05,
    "confidence": 0.95,
    "threshold": 0.4,
    "bound": 0.058,
}


def written(tmp_path, domains):
    path = tmp_path / "assurance.json"
    path.write_text(json.dumps({"domains": domains}), encoding="utf-8")
    return path


def test_a_domain_has_the_record_of_its_name(tmp_path):
    found = read_assurances(written(tmp_path, {"general": RECORD, "finance": RECORD | {"bound": 0.04}}))
    assert found["finance"].domain == "finance"
    assert found["finance"].met
    assert not found["general"].met


def test_without_a_general_record_there_is_nothing_to_fall_back_on(tmp_path):
    with pytest.raises(ValueError, match="general"):
        read_assurances(written(tmp_path, {"finance": RECORD}))


@pytest.mark.parametrize("change", [{"bound": 1.2}, {"n": -1}, {"target": 0}, {"surprise": 1}])
def test_a_record_that_makes_no_sense_is_refused(tmp_path, change):
    with pytest.raises(ValidationError):
        read_assurances(written(tmp_path, {"general": RECORD | change}))


def test_the_shipped_record_says_on_what_it_rests():
    shipped = assurance_for("a domain that nobody calibrated")
    assert shipped.domain == FALLBACK
    assert shipped.sets
    assert shipped.date
    assert shipped.wrong <= shipped.shown <= shipped.n
    assert shipped.wrong <= shipped.bound * shipped.shown + 1e-9
