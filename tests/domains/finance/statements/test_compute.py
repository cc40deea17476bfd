"""What comes of a factor: values with their cells, or the reason that a reader needs."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from domains.finance.statements.compute import compute
from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.definitions import parsed
from domains.finance.statements.factors import FACTORS
from domains.finance.statements.formula import reach
from domains.finance.statements.plan import Plan
from domains.finance.statements.types import Applicability, Cell, Computed, Factor, Period, Source, Statements
from tests.domains.finance.statements.companies import build, year
from tests.domains.finance.statements.test_goldens import statements as laid_down


def factor(formula: str, **needs: Any) -> Factor:
    periods = reach(parsed(formula)) + 1
    return Factor(
        "f",
        {"en": "f", "zh": "f"},
        "test",
        formula,
        "ratio",
        "neutral",
        "here",
        Applicability(periods=periods, **needs),
    )


def last(formula: str, given: Statements, **needs: Any) -> Computed:
    return compute(given, factors=(factor(formula, **needs),))["f"][-1]


def years(**series: list[Any]) -> Statements:
    """Return statements from one list of figures an item, the oldest first; None is not reported."""
    count = max(map(len, series.values()))
    return build(
        [{name: row[place] for name, row in series.items() if row[place] is not None} for place in range(count)]
    )


PLAIN = years(
    revenue=[80, 100, 120], cash=[10, 20, 40], equity=[50, -50, 60], inventories=[0, 0, 0], goodwill=[5, 5, 5]
)


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("revenue", "120"),
        ("days", "365"),
        ("-revenue", "-120"),
        ("revenue - cash * 2", "40"),
        ("revenue / cash", "3"),
        ("quotient(revenue, 0 - cash)", "-3"),
        ("avg(cash)", "30"),
        ("prior(cash)", "20"),
        ("prior(cash, 2)", "10"),
        ("change(cash)", "20"),
        ("growth(revenue)", "0.2"),
        ("cagr(cash, 2)", "1"),
        ("slope(cash, 3)", "15"),
        ("trend(revenue, 3)", "0.2"),
        ("sd(revenue, 3)", "20"),
        ("cv(revenue, 3)", "0.2"),
        ("mean(revenue, 3)", "100"),
        ("sum(revenue, 2)", "220"),
        ("turns(equity, 3)", "2"),
        ("abs(0 - cash)", "40"),
        ("sqrt(cash * 10)", "20"),
        ("ln(1)", "0"),
        ("exp(0)", "1"),
        ("min(cash, revenue)", "40"),
        ("max(cash, revenue)", "120"),
        ("less(cash, revenue)", "1"),
        ("less(revenue, cash)", "0"),
        ("less(cash, cash)", "0"),
        ("first(total_assets, revenue)", "120"),
        ("cash - cash", "0"),
    ],
)
def test_every_operation_has_its_meaning(formula: str, value: str) -> None:
    found = last(formula, PLAIN)
    assert found.reason is None
    assert found.value == Decimal(value)


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("revenue / inventories", "denominator is zero: inventories"),
        ("quotient(revenue, inventories)", "denominator is zero: inventories"),
        ("revenue / prior(equity)", "negative prior(equity)"),
        ("growth(equity)", "must be positive: prior(equity)"),
        ("cagr(inventories, 2)", "must be positive: inventories"),
        ("trend(inventories, 3)", "must be positive: mean(inventories, 3)"),
        ("cv(inventories, 3)", "must be positive: mean(inventories, 3)"),
        ("ln(inventories)", "must be positive: inventories"),
        ("sqrt(0 - cash)", "must be positive: 0 - cash"),
        ("revenue / (cash - 40)", "denominator is zero: cash - 40"),
        ("goodwill / (revenue / cash - 3)", "denominator is zero: revenue / cash - 3"),
        ("net_income", "missing: net_income"),
        ("net_income / total_assets", "missing: net_income, total_assets"),
        ("total_assets / inventories", "missing: total_assets"),
        ("revenue / inventories + total_assets", "missing: total_assets"),
        ("opt(trade_receivables)", "missing: trade_receivables 2024-12-31"),
        ("first(total_assets, net_income)", "missing: total_assets"),
        ("first(revenue / inventories, cash)", "denominator is zero: inventories"),
        ("sum(revenue, 4)", "needs 4 periods"),
        ("growth(avg(revenue / avg(cash)))", "needs 4 periods"),
        ("prior(revenue, 3)", "needs 4 periods"),
        ("exp(exp(revenue))", "result is out of range: exp(revenue)"),
        ("revenue * exp(100)", "result is out of range: f"),
        ("digit_mad(1)", "needs 50 reported figures"),
        ("parts_sum(segment_revenue)", "needs parts of: segment_revenue"),
        ("peer_z(revenue)", "needs 3 peers with this figure"),
        ("peer_rank(net_income)", "missing: net_income"),
    ],
)
def test_what_has_no_value_says_why(formula: str, reason: str) -> None:
    found = last(formula, PLAIN)
    assert found.value is None
    if "opt" in formula:
        reason = reason.removesuffix(" 2024-12-31")  # of its own period no date is needed
    assert str(found.reason) == reason


def test_a_figure_missing_in_an_earlier_period_is_named_with_its_date() -> None:
    given = years(cash=[10, None, 40], revenue=[1, 1, 1])
    assert str(last("avg(cash)", given).reason) == "missing: cash 2023-12-31"
    assert str(last("sum(cash, 3)", given).reason) == "missing: cash 2023-12-31"
    assert last("prior(cash, 2)", given).value == 10


def test_inputs_are_the_cells_that_were_used_and_no_others() -> None:
    found = last("revenue / avg(cash)", PLAIN)
    assert [(cell.concept, cell.period, cell.value) for cell in found.inputs] == [
        ("revenue", year(2024), 120),
        ("cash", year(2023), 20),
        ("cash", year(2024), 40),
    ]
    assert found.assumed == ()
    assert all(cell.source.place for cell in found.inputs)


def test_of_two_ways_only_the_one_taken_is_an_input() -> None:
    given = years(gross_profit=[None, 40], revenue=[90, 100], cost_of_sales=[60, 65])
    first, second = compute(given, factors=(factor("gross_income / revenue"),))["f"]
    assert {cell.concept for cell in first.inputs} == {"revenue", "cost_of_sales"}
    assert {cell.concept for cell in second.inputs} == {"revenue", "gross_profit"}


def test_inputs_are_given_for_what_has_no_value_too() -> None:
    assert [cell.value for cell in last("revenue / inventories", PLAIN).inputs] == [120, 0]


def test_what_is_taken_as_nil_is_said() -> None:
    given = years(total_assets=[100, 100], long_term_debt=[30, None], revenue=[1, 1])
    found = last("opt(long_term_debt) + opt(short_term_debt)", given)
    assert found.value == 0
    assert found.inputs == ()
    assert found.assumed == ("short_term_debt 2024-12-31", "long_term_debt 2024-12-31")


@pytest.mark.parametrize(
    ("item", "present"),
    [
        ("goodwill", "total_assets"),
        ("interest_expense", "revenue"),
        ("interest_expense", "net_income"),
        ("dividends_paid", "net_cash_operating"),
    ],
)
def test_an_absent_line_is_nil_only_where_its_statement_was_reported(item: str, present: str) -> None:
    assert last(f"opt({item})", years(**{present: [7]})).value == 0
    other = "revenue" if present != "revenue" and present != "net_income" else "total_assets"
    assert str(last(f"opt({item})", years(**{other: [7]})).reason) == f"missing: {item}"


def test_a_gap_stops_what_reaches_across_it() -> None:
    source = Source("here")
    periods = (year(2020), year(2021), year(2023), year(2024))
    cells = tuple(Cell("cash", period, Decimal(10), "CNY", source) for period in periods)
    given = Statements("A", "CNY", periods, cells)
    two, three = factor("avg(cash)"), factor("sum(cash, 3)")
    reasons = [str(item.reason) for item in compute(given, factors=(two,))["f"]]
    assert reasons == ["needs 2 periods", "None", "periods are not adjacent before 2023-12-31", "None"]
    assert str(compute(given, factors=(three,))["f"][3].reason) == "periods are not adjacent before 2023-12-31"


def test_years_of_53_weeks_are_adjacent() -> None:
    source = Source("here")
    periods = (Period(date(2022, 9, 25), date(2023, 9, 30)), Period(date(2023, 10, 1), date(2024, 9, 28)))
    cells = tuple(Cell("cash", period, Decimal(10), "USD", source) for period in periods)
    assert last("avg(cash)", Statements("A", "USD", periods, cells)).value == 10


def test_a_quarter_has_a_quarter_of_the_days() -> None:
    period = Period(date(2024, 1, 1), date(2024, 3, 31))
    given = Statements("A", "CNY", (period,), (Cell("cash", period, Decimal(1), "CNY", Source("x")),))
    assert last("days", given).value == Decimal("91.25")
    assert str(compute(given)["altman_z"][0].reason) == "needs periods of 12 months"


@pytest.mark.parametrize("industry", ["bank", "insurer", "broker"])
def test_what_says_nothing_of_an_industry_is_not_computed_for_it(industry: str) -> None:
    found = compute(replace(laid_down("own"), industry=industry))
    for name, values in found.items():
        if FACTORS[name].applicability.excluded:
            assert str(values[-1].reason) == f"not defined for industry: {industry}"
    assert found["return_on_equity"][-1].value is not None
    assert compute(replace(laid_down("own"), industry="steel"))["altman_z"][-1].value is not None


def test_a_score_in_dollars_is_not_computed_of_other_currencies() -> None:
    found = compute(build([{"total_assets": 5, "price_level_index": 5}], currency="CNY"))
    assert str(found["ohlson_size"][-1].reason) == "defined in USD only"


def peers_of(*amounts: int) -> Statements:
    others = tuple(build([{"revenue": amount}], company=f"p{place}") for place, amount in enumerate(amounts))
    return build([{"revenue": 30}], peers=others)


def test_distance_and_rank_among_peers_by_hand() -> None:
    given = peers_of(10, 20, 30, 40)
    assert last("peer_rank(revenue)", given).value == Decimal("0.625")  # two below, one equal
    distance = last("peer_z(revenue)", given).value
    assert distance is not None
    assert abs(float(distance) - 5 / (500 / 3) ** 0.5) < 1e-15  # mean 25, variance (225 + 25 + 25 + 225) / 3
    assert [cell.value for cell in last("peer_z(revenue)", given).inputs] == [30]


def test_peers_that_do_not_differ_have_no_deviation() -> None:
    assert str(last("peer_z(revenue)", peers_of(20, 20, 20)).reason) == "no variation: revenue"
    assert last("peer_rank(revenue)", peers_of(20, 20, 20)).value == 1


def test_peers_count_only_with_the_figure_and_a_period_near_by() -> None:
    old = replace(build([{"revenue": 1}]), periods=(year(2019),), cells=())
    given = peers_of(10, 20)
    assert str(last("peer_rank(revenue)", given).reason) == "needs 3 peers with this figure"
    without = replace(given, peers=(*(given.peers or ()), build([{"cash": 5}]), old))
    assert str(last("peer_rank(revenue)", without).reason) == "needs 3 peers with this figure"
    june = Period(date(2023, 7, 1), date(2024, 6, 30))
    shifted = Statements("J", "USD", (june,), (Cell("revenue", june, Decimal(50), "USD", Source("x")),))
    rank = last("peer_rank(revenue)", replace(given, peers=(*(given.peers or ()), shifted))).value
    assert rank is not None
    assert round(rank, 9) == Decimal("0.666666667")


def test_parts_below_zero_have_no_shares() -> None:
    given = build([{"segment_profit": {"a": 5, "b": -1}}])
    assert (
        str(last("top(segment_profit, 1) / parts_sum(segment_profit)", given).reason)
        == "must be positive: segment_profit"
    )


def test_parts_are_counted_without_nil_and_all_are_inputs() -> None:
    given = build([{"segment_revenue": {"a": 5, "b": 0, "c": 3}}])
    assert last("parts_count(segment_revenue)", given).value == 2
    assert last("top(segment_revenue, 9)", given).value == 8
    assert [cell.member for cell in last("parts_sum(segment_revenue)", given).inputs] == ["a", "b", "c"]


def test_common_parts_of_formulas_are_computed_once() -> None:
    plan = Plan([parsed("revenue / avg(cash)"), parsed("growth(revenue / avg(cash))"), parsed("revenue / avg(cash)")])
    assert len(plan.steps) == 5  # revenue, cash, avg, /, growth
    assert plan.roots[0] == plan.roots[2]
    assert plan.below((plan.roots[0],)) == (0, 1, 2, 3)
    whole = Plan([parsed(item.formula) for item in FACTORS.values()])
    assert len(whole.steps) < 2 * len(FACTORS)
    assert len(set(whole.roots)) == len(FACTORS)


def test_a_definition_and_its_formula_are_one_step() -> None:
    plan = Plan([parsed("net_debt"), parsed("total_debt - liquid_assets")])
    assert plan.roots[0] == plan.roots[1]


def test_results_are_the_same_whatever_else_is_computed() -> None:
    given = laid_down("own")
    whole = compute(given)
    for name in ("altman_z", "cash_conversion_cycle", "beneish_m", "benford_first_mad"):
        assert compute(given, factors=(FACTORS[name],))[name] == whole[name]


def test_a_company_that_reported_nothing_gets_reasons_alone() -> None:
    found = compute(Statements("A", "CNY", (year(2024),), ()))
    assert len(found) == 1024
    assert {item.value for values in found.values() for item in values} == {None}
    assert all(item.inputs == () for values in found.values() for item in values)


def test_every_item_alone_gives_no_nonsense() -> None:
    for concept, item in CONCEPTS.items():
        value: Any = {"a": 5} if item.by_member else 5
        for values in compute(build([{concept: value}])).values():
            assert (values[-1].value is None) == (values[-1].reason is not None)
