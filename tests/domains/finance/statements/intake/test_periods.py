"""Which span of time a heading means."""

from __future__ import annotations

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.finance.statements.intake.periods import Mark, back, read_date, read_period, span
from domains.finance.statements.refusals import InputRefused


@pytest.mark.parametrize(
    ("text", "end", "months"),
    [
        ("2023", "2023-12-31", 12),
        ("FY2023", "2023-12-31", 12),
        ("Fiscal 2022", "2022-12-31", 12),
        ("2023年", "2023-12-31", 12),
        ("2023年度", "2023-12-31", 12),
        ("2023年末", "2023-12-31", 12),
        ("2023A", "2023-12-31", 12),
        ("2023-12-31", "2023-12-31", None),
        ("2023/12/31", "2023-12-31", None),
        ("2023.12.31", "2023-12-31", None),
        ("20231231", "2023-12-31", None),
        ("2023年12月31日", "2023-12-31", None),
        ("Dec. 31, 2023", "2023-12-31", None),
        ("31 December 2023", "2023-12-31", None),
        ("May 29, 2022", "2022-05-29", None),
        ("Year ended December 31, 2023", "2023-12-31", 12),
        ("Three months ended March 31, 2023", "2023-03-31", 3),
        ("Six Months Ended June 30, 2023", "2023-06-30", 6),
        ("2023年1-6月", "2023-06-30", 6),
        ("2023年1月至9月", "2023-09-30", 9),
        ("2023年上半年", "2023-06-30", 6),
        ("2023年半年度", "2023-06-30", 6),
        ("2023年前三季度", "2023-09-30", 9),
        ("2023年第一季度", "2023-03-31", 3),
        ("2023Q3", "2023-09-30", 3),
        ("Q4 2023", "2023-12-31", 3),
        ("2024年2月", "2024-02-29", None),
        ("２０２３年", "2023-12-31", 12),
    ],
)
def test_a_heading_is_read(text: str, end: str, months: int | None) -> None:
    assert read_period(text) == Mark(date.fromisoformat(end), months)


@pytest.mark.parametrize("text", ["", "本期金额", "期末余额", "Note", "1234", "12345", "%", "change", "附注七", "20"])
def test_what_names_no_time_is_none(text: str) -> None:
    assert read_period(text) is None


@pytest.mark.parametrize("text", ["2023-02-30", "2023年13月", "2023年9-3月", "1800-01-01", "9999年12月31日"])
def test_a_day_that_no_calendar_has_is_refused(text: str) -> None:
    with pytest.raises(InputRefused):
        read_period(text)


def test_a_bare_year_ends_when_the_caller_says() -> None:
    assert read_period("2023", year_end=(6, 30)) == Mark(date(2023, 6, 30), 12)
    assert read_period("2023", year_end=(2, 29)) == Mark(date(2023, 2, 28), 12)


def test_a_span_has_the_length_of_its_heading_or_the_callers() -> None:
    assert str(span(Mark(date(2023, 12, 31)), 12)) == "2023-01-01..2023-12-31"
    assert str(span(Mark(date(2023, 3, 31), 3), 12)) == "2023-01-01..2023-03-31"
    assert str(span(Mark(date(2022, 5, 29)), 12)) == "2021-05-30..2022-05-29"
    assert str(span(Mark(date(2024, 2, 29)), 12)) == "2023-03-01..2024-02-29"


def test_a_date_must_be_one() -> None:
    with pytest.raises(InputRefused):
        read_date("soon")


@given(st.dates(date(1950, 1, 1), date(2150, 12, 31)), st.sampled_from([1, 3, 6, 9, 12]))
def test_spans_of_a_row_meet_without_gap(end: date, months: int) -> None:
    later = span(Mark(end), months)
    earlier = span(Mark(back(end, months)), months)
    assert later.months == months
    assert later.follows(earlier)


@given(st.text(max_size=60))
def test_any_text_is_a_mark_nothing_or_our_refusal(text: str) -> None:
    with suppress(InputRefused):
        read_period(text)
