from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.contract import DomainError
from domains.finance.statements.concepts import CONCEPTS, Nature, Sign, StatementKind, UnitKind
from domains.finance.statements.errors import StatementsError
from domains.finance.statements.types import (
    LARGEST,
    Cell,
    Period,
    Reason,
    ReasonCode,
    Source,
    Statements,
    unit_of,
)

Y = {year: Period(date(year, 1, 1), date(year, 12, 31)) for year in range(2015, 2026)}
SOURCE = Source("annual report", "page 3, row 7", page=3)


def cell(concept: str, year: int, value: Any, unit: str = "CNY", member: str | None = None) -> Cell:
    return Cell(concept, Y[year], value, unit, SOURCE, member)


def statements(*cells: Cell, years: tuple[int, ...] = (2023, 2024), **more: Any) -> Statements:
    return Statements("A", "CNY", tuple(Y[year] for year in years), cells, **more)


@pytest.mark.parametrize(
    "value",
    [
        *(Decimal(word) for word in ("NaN", "sNaN", "Infinity", "-Infinity", "1E+300", "-1E+99999999", "1E-300")),
        *(
            10**300,
            -(10**22),
            pytest.param(10**5000, id="5000 digits"),
            1.5,
            float("nan"),
            float("inf"),
            "12",
            None,
            True,
            Decimal("0.0000000000001"),
        ),
    ],
)
def test_what_is_no_figure_is_refused(value: Any) -> None:
    with pytest.raises(StatementsError) as caught:
        cell("revenue", 2024, value)
    assert caught.value.remedy
    assert "revenue" in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [0, 1, -1, 10**21, -(10**21), Decimal("123456789012345678901.123456789012")])
def test_a_figure_is_kept_to_its_last_digit(value: Any) -> None:
    kept = cell("net_income", 2024, value).value
    assert isinstance(kept, Decimal)
    assert kept == value
    assert str(kept) == str(Decimal(value))


@pytest.mark.parametrize("zero", [Decimal("-0"), Decimal("-0.00"), 0, -0])
def test_minus_zero_is_zero(zero: Any) -> None:
    assert str(cell("revenue", 2024, zero).value) == "0"


def test_an_unknown_item_is_refused_and_not_repeated_at_length() -> None:
    with pytest.raises(StatementsError, match="no line item") as caught:
        cell("x" * 10_000, 2024, 1)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize(("concept", "member"), [("revenue", "east"), ("segment_revenue", None)])
def test_only_items_in_parts_have_a_member(concept: str, member: str | None) -> None:
    with pytest.raises(StatementsError, match=r"member|parts"):
        cell(concept, 2024, 1, member=member)


def test_a_period_may_not_end_before_it_begins() -> None:
    with pytest.raises(StatementsError, match="ends before"):
        Period(date(2024, 1, 2), date(2024, 1, 1))
    assert Period(date(2024, 1, 1), date(2024, 1, 1)).days == 1


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        ((2023, 1, 1), (2023, 12, 31), 12),
        ((2022, 9, 25), (2023, 9, 30), 12),  # 53 weeks
        ((2023, 2, 1), (2024, 1, 28), 12),
        ((2024, 1, 1), (2024, 3, 31), 3),
        ((2023, 2, 1), (2023, 2, 28), 1),
        ((2024, 1, 1), (2024, 6, 30), 6),
        ((2024, 1, 1), (2024, 1, 3), 1),
    ],
)
def test_months_of_a_period(start: tuple[int, int, int], end: tuple[int, int, int], months: int) -> None:
    assert Period(date(*start), date(*end)).months == months


@given(st.dates(date(1990, 1, 1), date(2040, 1, 1)), st.integers(0, 400), st.integers(-30, 30))
def test_adjacency_takes_a_week_and_no_more(start: date, length: int, shift: int) -> None:
    one = Period(start, start + timedelta(days=length))
    two = Period(one.end + timedelta(days=1 + shift), one.end + timedelta(days=1 + shift + length))
    assert two.follows(one) == (abs(shift) <= 7)


@pytest.mark.parametrize(
    ("periods", "words"),
    [
        ((), "no periods"),
        ((Y[2024], Y[2023]), "out of order"),
        ((Y[2023], Y[2023]), "doubled"),
        ((Y[2023], Period(date(2023, 7, 1), date(2024, 6, 30))), "overlap"),
        ((Y[2023], Period(date(2024, 1, 1), date(2024, 3, 31))), "12 and of 3 months"),
    ],
)
def test_periods_that_cannot_stand_side_by_side(periods: tuple[Period, ...], words: str) -> None:
    with pytest.raises(StatementsError, match=words):
        Statements("A", "CNY", periods, ())


@pytest.mark.parametrize("currency", ["", "cny", "RMBX", "人民币", "¥"])
def test_a_currency_is_an_iso_code(currency: str) -> None:
    with pytest.raises(StatementsError, match="currency"):
        Statements("A", currency, (Y[2024],), ())


def test_mixed_currencies_units_and_doubled_cells_are_refused() -> None:
    with pytest.raises(StatementsError, match="'USD', these statements are in 'CNY'"):
        statements(cell("revenue", 2024, 1, "USD"))
    with pytest.raises(StatementsError, match="CNY/share"):
        statements(cell("eps_basic", 2024, 1, "CNY"))
    with pytest.raises(StatementsError, match="given twice"):
        statements(cell("revenue", 2024, 1), cell("revenue", 2024, 1))
    with pytest.raises(StatementsError, match="given twice"):
        statements(cell("segment_revenue", 2024, 1, member="a"), cell("segment_revenue", 2024, 2, member="a"))
    with pytest.raises(StatementsError, match="no period of these"):
        statements(cell("revenue", 2020, 1))


def test_lookups() -> None:
    found = statements(
        cell("inventories", 2023, 10),
        cell("inventories", 2024, 15),
        cell("revenue", 2024, 7),
        cell("segment_revenue", 2024, 4, member="west"),
        cell("segment_revenue", 2024, 3, member="east"),
    )
    assert found.value("inventories", Y[2024]) == 15
    assert found.value("revenue", Y[2023]) is None
    assert found.average("inventories", Y[2024]) == Decimal("12.5")
    assert found.average("inventories", Y[2023]) is None
    assert found.average("revenue", Y[2024]) is None
    assert [part.member for part in found.members("segment_revenue", Y[2024])] == ["east", "west"]
    assert found.members("segment_revenue", Y[2023]) == ()
    revenue = found.cell("revenue", Y[2024])
    assert revenue is not None
    assert revenue.source == SOURCE


def test_a_gap_between_periods_is_not_bridged() -> None:
    found = statements(cell("inventories", 2021, 10), cell("inventories", 2023, 15), years=(2021, 2023, 2024))
    assert found.prior(Y[2023]) is None
    assert found.prior(Y[2024]) == Y[2023]
    assert found.prior(Y[2024], 2) is None
    assert found.prior(Y[2021]) is None
    assert found.average("inventories", Y[2023]) is None


@pytest.mark.parametrize("code", get_args(ReasonCode))
def test_every_reason_speaks_both_languages(code: ReasonCode) -> None:
    reason = Reason(code, ("inventories",))
    assert "inventories" in str(reason)
    assert "存货" in reason.text("zh")
    assert "{}" not in str(reason) + reason.text("zh")


def test_reasons_read_as_people_say_them() -> None:
    assert str(Reason("missing", ("inventories", "revenue"))) == "missing: inventories, revenue"
    assert str(Reason("negative_denominator", ("equity",))) == "negative equity"
    assert str(Reason("needs_periods", ("3",))) == "needs 3 periods"
    assert Reason("missing", ("inventories", "revenue 2023-12-31")).text("zh") == "缺少：存货、营业收入 2023-12-31"
    assert Reason("negative_denominator", ("avg(common_equity)",)).text("zh") == "分母为负：平均(普通股股东权益)"


@pytest.mark.parametrize("name", CONCEPTS)
def test_every_item_is_wholly_described(name: str) -> None:
    item = CONCEPTS[name]
    assert item.id == name
    assert item.statement in get_args(StatementKind)
    assert item.nature in get_args(Nature)
    assert item.sign in get_args(Sign)
    assert item.unit in get_args(UnitKind)
    assert item.titles["en"].isascii()
    assert any("\u4e00" <= sign <= "\u9fff" for sign in item.titles["zh"])
    assert name.isidentifier()


def test_no_two_items_have_one_title() -> None:
    for language in ("en", "zh"):
        titles = [item.titles[language] for item in CONCEPTS.values()]  # type: ignore[index]
        assert len(set(titles)) == len(titles)


def test_units_follow_the_item() -> None:
    assert unit_of("revenue", "USD") == "USD"
    assert unit_of("eps_basic", "USD") == "USD/share"
    assert unit_of("shares_outstanding", "USD") == "shares"
    assert unit_of("employees", "USD") == "pure"
    assert LARGEST == 10**21


def test_errors_reach_the_service_as_a_domain_error() -> None:
    assert issubclass(StatementsError, DomainError)
