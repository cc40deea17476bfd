"""Rules, ratings and risk points: the file that people edit, the borders, the order, the peers."""

from __future__ import annotations

from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.finance.statements.definitions import parsed
from domains.finance.statements.formula import items
from domains.finance.statements.industries import INDUSTRIES, read_industry
from domains.finance.statements.present import number
from domains.finance.statements.rating import LEVELS, Rating, rate
from domains.finance.statements.refusals import InputRefused, RulesRefused
from domains.finance.statements.risk_points import find_risks
from domains.finance.statements.rules import RULES, SEVERITIES, load
from tests.domains.finance.statements.companies import build

TEXT = files("domains.finance.statements").joinpath("rules.toml").read_text("utf-8")

YEAR: dict[str, Any] = {
    "revenue": 1_000,
    "cost_of_sales": 600,
    "pretax_income": 150,
    "interest_expense": 20,
    "net_income": 110,
    "cash": 100,
    "trade_receivables": 120,
    "inventories": 90,
    "current_assets": 400,
    "total_assets": 1_000,
    "short_term_debt": 50,
    "long_term_debt": 100,
    "current_liabilities": 200,
    "total_liabilities": 450,
    "equity": 550,
    "depreciation_amortisation": 60,
    "net_cash_operating": 160,
    "capital_expenditure": 70,
}


def rated(*years: dict[str, Any], **more: Any) -> Rating:
    statements = build(list(years), **more)
    return rate(statements, RULES, statements.periods[-1])


def level_of(rating: Rating, name: str) -> Any:
    return next(item.level for group in rating.groups for item in group.figures if item.rule.id == name)


def test_every_rule_says_where_its_borders_come_from_and_what_it_means() -> None:
    for rule in (*RULES.ratings, *RULES.risks):
        assert rule.source
    for rule in RULES.risks:
        assert all(
            rule.titles[language] and rule.claims[language] and rule.search[language] for language in ("en", "zh")
        )
        assert items(parsed(rule.formula))
    assert {name for rule in RULES.ratings for name in rule.industries} <= set(INDUSTRIES)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("steps = [1.0, 1.5, 2.0]", "steps = [1.0, 1.5, 1.5]", "'current_ratio'"),
        ("steps = [1.0, 1.5, 2.0]", "steps = [1.0, 1.5]", "'current_ratio'"),
        ("steps = [1.0, 1.5, 2.0]", 'steps = "high"', "'current_ratio'"),
        ('formula = "current_assets / current_liabilities"', 'formula = "current_assets /"', "'current_ratio'"),
        ('formula = "current_assets / current_liabilities"', 'formula = "__import__(x)"', "'current_ratio'"),
        ('better = "higher"', 'better = "up"', "'current_ratio'"),
        ('group = "liquidity"', 'group = "luck"', "'current_ratio'"),
        ('id = "quick_ratio"', 'id = "current_ratio"', "current_ratio"),
        ("watch = 1.2\nmedium = 1.0", "watch = 0.9\nmedium = 1.0", "'current_ratio_low'"),
        ("watch = 1.2\nmedium = 1.0\nhigh = 0.7", "", "'current_ratio_low'"),
        ('en = "The current ratio"', 'en = "The {value} ratio"', "'current_ratio_low'"),
        ('en = "The current ratio"', 'en = "The ratio of 2"', "'current_ratio_low'"),
        ('factor = "altman_z"', 'factor = "altman_q"', "'altman_z_low'"),
        ('version = "2026-11-24"', "version = ", "TOML"),
    ],
)
def test_a_mistake_in_the_file_of_rules_is_named(old: str, new: str, says: str) -> None:
    assert old in TEXT
    with pytest.raises(RulesRefused) as refused:
        load(TEXT.replace(old, new, 1).encode())
    assert says in refused.value.message + refused.value.remedy


def test_rules_that_differ_in_a_byte_have_another_version() -> None:
    assert load(TEXT.encode()).version == RULES.version
    assert load(TEXT.replace("1.2", "1.3", 1).encode()).version != RULES.version


def test_edited_rules_judge_otherwise() -> None:
    company = build([YEAR | {"current_assets": 260}])
    stricter = load(TEXT.replace("watch = 1.2\nmedium = 1.0", "watch = 1.5\nmedium = 1.4", 1).encode())
    for rules, severity in ((RULES, None), (stricter, "medium")):
        points, _ = find_risks(company, rules, company.periods[-1])
        assert next((p.severity for p in points if p.rule.id == "current_ratio_low"), None) == severity


@pytest.mark.parametrize(
    ("current_assets", "level"),
    [(199, "weak"), (200, "fair"), (299, "fair"), (300, "good"), (399, "good"), (400, "strong"), (4_000, "strong")],
)
def test_a_figure_on_a_border_is_on_the_good_side(current_assets: int, level: str) -> None:
    assert level_of(rated(YEAR | {"current_assets": current_assets}), "current_ratio") == level


def test_an_industry_has_borders_of_its_own() -> None:
    year = YEAR | {"current_assets": 190}
    assert level_of(rated(year), "current_ratio") == "weak"
    assert level_of(rated(year, industry="utility"), "current_ratio") == "good"


def test_a_bank_is_not_rated_by_what_says_nothing_of_banks() -> None:
    rating = rated(YEAR, YEAR, industry="bank")
    figures = [item for group in rating.groups for item in group.figures]
    barred = [item for item in figures if item.computed.reason is not None and item.computed.reason.code == "industry"]
    assert len(barred) > 5
    assert all(item.level is None for item in barred)


def test_too_few_figures_give_no_view_of_the_whole() -> None:
    rating = rated({"revenue": 10, "current_assets": 5, "current_liabilities": 5})
    assert rating.overall is None
    assert rating.computed < rating.asked / 2


def test_better_figures_never_give_a_lower_level() -> None:
    order = [
        LEVELS.index(level_of(rated(YEAR | {"net_income": income}), "net_margin")) for income in range(-50, 200, 10)
    ]
    assert order == sorted(order)


def peers(*current_assets: int) -> tuple[Any, ...]:
    return tuple(build([YEAR | {"current_assets": amount}], company=f"P{amount}") for amount in current_assets)


def test_peers_give_a_quarter_and_their_middle() -> None:
    found = rated(YEAR | {"current_assets": 500}, peers=peers(100, 200, 300, 400))
    place = next(item.peers for group in found.groups for item in group.figures if item.rule.id == "current_ratio")
    assert place is not None
    assert (place.peers, place.middle, place.quarter) == (4, Decimal("1.25"), "highest")
    lowest = rated(YEAR | {"current_assets": 50}, peers=peers(100, 200, 300, 400))
    assert lowest.groups[0].figures[0].peers is not None
    assert lowest.groups[0].figures[0].peers.quarter == "lowest"
    assert rated(YEAR, peers=peers(100, 200)).groups[0].figures[0].peers is None


def test_where_lower_is_better_the_highest_quarter_is_the_lowest_figure() -> None:
    others = tuple(build([YEAR | {"total_liabilities": n}], company=f"P{n}") for n in (500, 600, 700, 800))
    found = rated(YEAR | {"total_liabilities": 100}, peers=others)
    place = next(
        item.peers for group in found.groups for item in group.figures if item.rule.id == "liabilities_to_assets"
    )
    assert place is not None
    assert place.quarter == "highest"


def test_red_flags_come_first_then_the_graver() -> None:
    bad = YEAR | {
        "equity": -50,
        "total_liabilities": 1_050,
        "current_assets": 100,
        "net_income": -40,
        "pretax_income": -30,
    }
    company = build([YEAR, bad])
    points, struck = find_risks(company, RULES, company.periods[-1])
    assert points[0].rule.id == "negative_equity"
    rest = [SEVERITIES.index(point.severity) for point in points if not point.rule.flag]
    assert rest == sorted(rest, reverse=True)
    assert struck == []
    assert len({point.rule.id for point in points}) == len(points)


def test_a_sound_company_has_no_risk_points() -> None:
    company = build([YEAR, YEAR])
    assert find_risks(company, RULES, company.periods[-1]) == ([], [])


@settings(max_examples=40, deadline=None)
@given(factor=st.sampled_from([1, 7, 1_000, 10**6, 10**9]), data=st.data())
def test_what_is_pointed_out_does_not_depend_on_the_unit(factor: int, data: st.DataObject) -> None:
    drawn = {name: data.draw(st.integers(min_value=1, max_value=2_000), label=name) for name in YEAR}
    plain, scaled = build([YEAR, drawn]), build([YEAR, drawn])
    scaled = build([{n: v * factor for n, v in YEAR.items()}, {n: v * factor for n, v in drawn.items()}])
    found = [[(p.rule.id, p.severity) for p in find_risks(one, RULES, one.periods[-1])[0]] for one in (plain, scaled)]
    assert found[0] == found[1]
    assert rate(plain, RULES, plain.periods[-1]).overall == rate(scaled, RULES, scaled.periods[-1]).overall


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_the_figures_no_sentence_is_struck(data: st.DataObject) -> None:
    """What code says is what the cells give, for any figures; a struck sentence would be a mistake of the program."""
    amounts = st.integers(min_value=-(10**12), max_value=10**12)
    years = [
        {
            name: abs(value) if name not in ("net_income", "pretax_income", "equity", "net_cash_operating") else value
            for name in YEAR
            if (value := data.draw(amounts, label=name)) or True
        }
        for _ in range(3)
    ]
    company = build(years)
    _, struck = find_risks(company, RULES, company.periods[-1])
    assert struck == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0"),
        ("1234567890123", "1234567890123"),
        ("0.333333333333333333", "0.3333333333"),
        ("1E+3", "1000"),
        ("-0.00000001234567890123", "-0.0000000123456789"),
        ("2.50", "2.5"),
    ],
)
def test_a_value_goes_out_as_plain_decimals(value: str, text: str) -> None:
    assert number(Decimal(value)) == text


def test_industries_are_known_in_both_languages() -> None:
    assert [read_industry(word) for word in ("制造业", "Retail and wholesale", "bank", None)] == [
        "manufacturing",
        "retail",
        "bank",
        None,
    ]
    with pytest.raises(InputRefused):
        read_industry("astrology")
