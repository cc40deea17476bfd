"""Names of line items: the ones known, the ones offered, and none under two items."""

from __future__ import annotations

import pytest

from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.intake.aliases import ALIASES, PARTS, concept_of, nearest, normal
from domains.finance.statements.intake.tags import RANK, TAGS


@pytest.mark.parametrize(
    ("label", "concept"),
    [
        ("Net sales", "revenue"),
        ("NET SALES:", "revenue"),
        ("一、营业总收入", "revenue"),
        ("其中：营业成本", "cost_of_sales"),
        ("减：库存股", "treasury_shares"),
        ("二、营业利润（亏损以“－”号填列）", "operating_income"),
        ("Accounts receivable, net (Note 5)", "trade_receivables"),
        ("1、应收账款", "trade_receivables"),
        ("(1) Goodwill", "goodwill"),
        ("Total shareholders’ equity", "equity"),
        ("所有者权益（或股东权益）合计", "equity"),
        ("加：期初现金及现金等价物余额", "opening_cash"),
        ("资 产 总 计", "total_assets"),
        ("Selling, General and Administrative Expenses", "sga_expense"),
        ("ＥＰＳ", None),
        ("Receivables turnover days", None),
        ("应收票据及应收账款", None),
    ],
)
def test_a_label_names_an_item_or_none(label: str, concept: str | None) -> None:
    assert concept_of(label) == concept


def test_every_item_is_known_by_its_id_and_titles() -> None:
    for concept in CONCEPTS.values():
        assert {concept_of(name) for name in (concept.id, *concept.titles.values())} == {concept.id}


def test_every_item_has_a_name_in_each_language() -> None:
    assert set(ALIASES.values()) == set(CONCEPTS)
    assert not set(ALIASES) & set(PARTS)


def test_what_resembles_is_offered_and_not_taken() -> None:
    assert concept_of("应收帐款") is None
    assert nearest("应收帐款")[0] == "trade_receivables"
    assert nearest("recievables")[0] == "trade_receivables"
    assert nearest("xyzzy") == ()


def test_a_very_long_label_costs_little() -> None:
    assert concept_of("x" * 1_000_000) is None
    assert len(normal("x" * 1_000_000)) <= 160


def test_elements_stand_for_items_that_exist_and_say_which_one_is_meant_first() -> None:
    assert {concept for concepts in TAGS.values() for concept in concepts} <= set(CONCEPTS)
    assert TAGS["ProfitLoss"] == ("net_income",)
    assert TAGS["NetIncomeLoss"] == ("net_income", "net_income_parent")
    assert RANK["net_income", "ProfitLoss"] == 0 < RANK["net_income", "NetIncomeLoss"]
