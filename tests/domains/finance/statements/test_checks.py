"""Figures that contradict each other, and units that change between periods."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.finance.statements.checks import check, refuse_scale_break
from domains.finance.statements.narrative.proof import prove
from domains.finance.statements.refusals import InputRefused
from domains.finance.statements.types import Statements
from tests.domains.finance.statements.companies import build

SOUND: dict[str, Any] = {
    "revenue": 1_000,
    "cost_of_sales": 600,
    "gross_profit": 400,
    "pretax_income": 100,
    "income_tax": 25,
    "net_income": 75,
    "cash": 120,
    "trade_receivables": 80,
    "inventories": 90,
    "current_assets": 400,
    "noncurrent_assets": 600,
    "total_assets": 1_000,
    "current_liabilities": 200,
    "noncurrent_liabilities": 300,
    "total_liabilities": 500,
    "equity_parent": 450,
    "noncontrolling_interests": 50,
    "equity": 500,
    "net_cash_operating": 90,
    "net_cash_investing": -50,
    "net_cash_financing": -25,
    "exchange_effect": 5,
    "change_in_cash": 20,
    "opening_cash": 100,
    "closing_cash": 120,
}


def codes(statements: Statements) -> list[tuple[str, str]]:
    return [(finding.code, finding.gravity) for finding in check(statements)]


def test_sound_statements_have_no_finding() -> None:
    assert codes(build([SOUND])) == []


@pytest.mark.parametrize(
    ("change", "code", "gravity"),
    [
        ({"total_assets": 900}, "balance", "error"),
        ({"total_liabilities": 480}, "balance", "warning"),
        ({"total_liabilities": 300}, "balance", "error"),
        ({"noncurrent_assets": 500}, "assets_parts", "error"),
        ({"noncurrent_liabilities": 200}, "liabilities_parts", "error"),
        ({"equity_parent": 400}, "equity_parts", "warning"),
        ({"gross_profit": 300}, "gross_profit", "warning"),
        ({"net_income": 70}, "net_income", "note"),
        ({"net_cash_operating": 95}, "cash_flow", "error"),
        ({"closing_cash": 130}, "cash_roll", "error"),
        ({"inventories": 300}, "parts_exceed_whole", "error"),
    ],
)
def test_each_contradiction_is_found_and_told_in_proved_words(change: dict[str, int], code: str, gravity: str) -> None:
    statements = build([SOUND | change])
    assert (code, gravity) in codes(statements)
    (found,) = [finding for finding in check(statements) if finding.code == code]
    assert {sentence.language for sentence in found.sentences} == {"en", "zh"}
    for sentence in found.sentences:
        assert prove(sentence.text, sentence.said, statements, language=sentence.language) is None


def test_the_gravest_come_first() -> None:
    found = check(build([SOUND | {"total_assets": 900, "gross_profit": 300, "net_income": 70}]))
    order = ["error", "warning", "note"]
    assert [finding.gravity for finding in found] == sorted((f.gravity for f in found), key=order.index)


def test_opening_cash_must_be_the_closing_cash_of_the_period_before() -> None:
    later = SOUND | {
        "opening_cash": 130,
        "closing_cash": 150,
        "cash": 150,
        "current_assets": 430,
        "noncurrent_assets": 570,
    }
    assert codes(build([SOUND, later])) == [("cash_opening", "warning"), ("cash_balance", "note")]


def test_rounding_is_no_finding() -> None:
    assert codes(build([{name: value * 10_000 for name, value in SOUND.items()} | {"total_assets": 10_000_003}])) == []


def test_missing_items_are_named_in_both_languages() -> None:
    lacking = {name: value for name, value in SOUND.items() if name not in ("revenue", "equity")}
    (found,) = [finding for finding in check(build([lacking])) if finding.code == "missing"]
    assert found.concepts == ("revenue", "equity")
    assert "营业收入、所有者权益合计" in found.sentences[1].text


@settings(max_examples=60, deadline=None)
@given(factor=st.integers(min_value=1, max_value=10**9))
def test_findings_do_not_depend_on_the_unit(factor: int) -> None:
    broken = SOUND | {"total_assets": 900, "net_cash_operating": 95}
    scaled = build([{name: value * factor for name, value in broken.items()}])
    assert codes(scaled) == codes(build([broken]))


@pytest.mark.parametrize("factor", [1_000, 10_000, 10**6])
def test_a_period_in_another_unit_is_refused(factor: int) -> None:
    scaled = {name: value * factor for name, value in SOUND.items()}
    for years in ([SOUND, scaled], [scaled, SOUND]):
        with pytest.raises(InputRefused) as refused:
            refuse_scale_break(build(years))
        assert f"{factor:,} times" in refused.value.message


def test_growth_that_is_large_and_possible_is_not() -> None:
    refuse_scale_break(build([SOUND, {name: value * 100 for name, value in SOUND.items()}]))
    refuse_scale_break(build([SOUND, SOUND | {"exchange_effect": 500_000}]))
    refuse_scale_break(build([{"revenue": 1}, {"revenue": 10**9}]))


def test_one_statement_in_another_unit_is_refused_as_well() -> None:
    balance = {
        "total_assets",
        "current_assets",
        "noncurrent_assets",
        "cash",
        "inventories",
        "equity",
        "total_liabilities",
    }
    mixed = {name: value * (1_000 if name in balance else 1) for name, value in SOUND.items()}
    with pytest.raises(InputRefused) as refused:
        refuse_scale_break(build([SOUND, mixed]))
    assert "balance" in refused.value.message
