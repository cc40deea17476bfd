"""Wordings of clauses: found under the name however it is written, plain language, no duplicates."""

from __future__ import annotations

import pytest

from retrieval.clauses import WORDINGS, as_query


@pytest.mark.parametrize("name", ["Cap On Liability", "cap on liability", "Cap-on_Liability", "  Cap  On Liability "])
def test_a_type_is_known_however_its_name_is_written(name: str):
    assert as_query(name).endswith(WORDINGS["cap on liability"])
    assert as_query(name).startswith(" ".join(name.split()))


def test_marks_in_a_name_are_gaps():
    assert "first refusal" in as_query("Rofr/Rofo/Rofn")
    assert "compete" in as_query("Non-Compete").removeprefix("Non-Compete")


def test_an_unknown_type_is_searched_by_its_name():
    assert as_query("Cookie Policy") == "Cookie Policy"
    assert as_query("不可抗力") == "不可抗力"


def test_each_wording_is_one_of_its_own():
    assert len(set(WORDINGS.values())) == len(WORDINGS)
    assert all(4 <= len(wording.split()) <= 45 for wording in WORDINGS.values())
    assert all(name == name.lower() and as_query(name) != name for name in WORDINGS)
