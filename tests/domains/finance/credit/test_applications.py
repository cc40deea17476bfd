"""The table of past applications: what is read, what stays missing, what is refused and where."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domains.finance.credit.applications import Applications, read_applications, read_field
from domains.finance.credit.characteristics import CHARACTERISTICS, MISSING, NOT_USED
from domains.finance.credit.errors import ApplicantRefused, ApplicationsRefused
from tests.domains.finance.credit.conftest import make_rows, read_rows, write_rows


def test_columns_are_the_characteristics_and_nothing_else(table: Applications) -> None:
    names = {item.name for item in CHARACTERISTICS}
    assert set(table.numbers) | set(table.texts) == names
    assert names.isdisjoint(NOT_USED)


def test_sex_and_age_are_kept_apart(tmp_path: Path) -> None:
    rows = make_rows(4)
    rows[0] |= {"personal_status_and_sex": "female : divorced/separated/married", "age_in_years": "25"}
    rows[1] |= {"personal_status_and_sex": "male : single", "age_in_years": 26}
    rows[2] |= {"personal_status_and_sex": "Male: married", "age_in_years": "62"}
    rows[3] |= {"personal_status_and_sex": "A92", "age_in_years": "old"}
    found = read_rows(tmp_path, rows)
    assert found.protected["sex"].tolist() == ["female", "male", "male", "unknown"]
    assert found.protected["age"].tolist() == ["25 or under", "26 to 61", "62 or over", "unknown"]


def test_what_is_missing_stays_missing(tmp_path: Path) -> None:
    rows = make_rows(3)
    rows[0] |= {"credit_amount": "", "housing": None}
    rows[1] |= {"credit_amount": None, "housing": "  "}
    del rows[2]["credit_amount"], rows[2]["housing"]
    found = read_rows(tmp_path, rows)
    assert np.isnan(found.numbers["credit_amount"]).all()
    assert found.texts["housing"].tolist() == [MISSING] * 3


@pytest.mark.parametrize("value", ["12", 12, 12.0, " 12 ", "1.2e1"])
def test_a_figure_may_be_a_number_or_its_text(value: Any) -> None:
    assert read_field("duration_in_month", value, numeric=True) == 12.0


@pytest.mark.parametrize(
    "value", ["NaN", "inf", "-1", -1, 1e300, "1e300", True, [], {}, "zwölf", math.nan, math.inf, 10**400]
)
def test_a_figure_out_of_bounds_is_refused_by_name(value: Any) -> None:
    with pytest.raises(ApplicantRefused, match="duration_in_month"):
        read_field("duration_in_month", value, numeric=True)


@pytest.mark.parametrize("value", [3, ["rent"], "x" * 201, True, 0.5])
def test_a_category_is_a_short_text(value: Any) -> None:
    with pytest.raises(ApplicantRefused, match="housing"):
        read_field("housing", value, numeric=False)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "Line 2 is no JSON"),
        ("[1]", "Line 2 is no JSON object"),
        ("null", "Line 2 is no JSON object"),
        ("{}", "Line 2 has no id"),
        ('{"id": "x"}', "Line 2: creditability"),
        ('{"id": "x", "creditability": "BAD"}', "Line 2: creditability"),
        ('{"id": "x", "creditability": ["bad"]}', "Line 2: creditability"),
        ('{"id": "x", "creditability": "bad", "credit_amount": NaN}', "Line 2: The field credit_amount"),
        ('{"id": "x", "creditability": "bad", "credit_amount": ' + "9" * 5000 + "}", "Line 2"),
        ("[" * 100_000, "Line 2 is no JSON"),
        ('"\\ud800"', "Line 2 is no JSON object"),
    ],
)
def test_a_line_that_breaks_the_form_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(make_rows(1)[0]) + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(ApplicationsRefused, match=said) as refused:
        read_applications(path)
    assert refused.value.remedy


def test_the_same_id_twice_is_refused(tmp_path: Path) -> None:
    rows = make_rows(3)
    rows[2]["id"] = rows[0]["id"]
    with pytest.raises(ApplicationsRefused, match="'made-0000' stands twice"):
        read_rows(tmp_path, rows)


@pytest.mark.parametrize("place", ["rows.jsonl", "."])
def test_no_table_is_refused_with_its_form(tmp_path: Path, place: str) -> None:
    with pytest.raises(ApplicationsRefused, match="There is no"):
        read_applications(tmp_path / place)


def test_empty_lines_count_as_nothing_and_an_empty_table_has_no_rows(tmp_path: Path) -> None:
    path = write_rows(tmp_path, make_rows(2))
    path.write_bytes(b"\n\n" + path.read_bytes() + b"\n  \n")
    assert len(read_applications(path)) == 2
    path.write_bytes(b"")
    assert len(read_applications(path)) == 0


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    first = read_rows(tmp_path, make_rows(3)).digest
    assert first == read_rows(tmp_path, make_rows(3)).digest
    assert first != read_rows(tmp_path, make_rows(3, seed=1)).digest


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)  # it writes files
@given(data=st.binary(max_size=200))
def test_any_bytes_give_a_table_or_our_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(data)
    with suppress(ApplicationsRefused):  # anything else fails the test
        assert len(read_applications(path)) == 0
