"""What must hold of every factor whatever the figures are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import cache
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from domains.finance.statements.compute import BOUND, compute
from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.definitions import parsed
from domains.finance.statements.factors import FACTORS
from domains.finance.statements.formula import Binary, Call, Item, Named, Negative, Node, walk
from domains.finance.statements.types import Cell, Computed, Statements
from tests.domains.finance.statements.companies import drawn
from tests.domains.finance.statements.test_goldens import statements

OWN_SCALE = {name for name in FACTORS if name.startswith(("ohlson_o", "ohlson_size", "ohlson_probability"))}
"""Ohlson's size is a logarithm of dollars; all else is a ratio or scales."""

few = settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # a smaller seed is no simpler company
)
seeds = st.integers(0, 10_000)


def altered(given: Statements, change: Callable[[Cell], Decimal | None]) -> Statements:
    """Return statements with every figure changed, or left out where the change is None."""
    changed = ((cell, change(cell)) for cell in given.cells)
    return replace(given, cells=tuple(replace(cell, value=value) for cell, value in changed if value is not None))


def same(one: Decimal | None, two: Decimal | None, *, times: Decimal = Decimal(1)) -> bool:
    """Say whether two values agree in 20 digits, or in 1e-20 where they are small; or are both none."""
    if one is None or two is None:
        return one is two
    return abs(one * times - two) <= max(abs(two), Decimal(1) * times) * Decimal("1E-20")


def sound(found: dict[str, tuple[Computed, ...]]) -> list[str]:
    """Return the factors that break the promise: a finite value within bounds, or a reason that speaks."""
    broken = []
    for name, values in found.items():
        for item in values:
            good = (item.value is None) == (item.reason is not None)
            if item.value is not None:
                good &= item.value.is_finite() and abs(item.value) <= BOUND and str(item.value) != "-0"
            else:
                good &= bool(str(item.reason)) and bool(item.reason and item.reason.text("zh"))
            if not good:
                broken.append(name)
    return broken


@cache
def own() -> Statements:
    return statements("own")


@cache
def of_own() -> dict[str, tuple[Computed, ...]]:
    return dict(compute(own()))


@few
@given(seeds, st.integers(2, 10**6) | st.decimals("0.01", "99", places=2))
def test_ratios_do_not_depend_on_the_size_of_the_unit_and_amounts_follow_it(seed: int, unit: int | Decimal) -> None:
    company = drawn(Random(seed), 4, peers=0, currency="USD")
    times = Decimal(unit)
    money = {"currency", "per_share"}
    scaled = altered(company, lambda cell: cell.value * (times if CONCEPTS[cell.concept].unit in money else 1))
    before, after = compute(company), compute(scaled)
    for name, factor in FACTORS.items():
        if name in OWN_SCALE or factor.group == "benford":
            continue
        follows = factor.unit in ("currency", "currency_per_share")
        for one, two in zip(before[name], after[name], strict=True):
            assert same(one.value, two.value, times=times if follows else Decimal(1)), name


@few
@given(seeds, st.integers(1, 6))
def test_digits_do_not_depend_on_the_place_of_the_point(seed: int, power: int) -> None:
    company = drawn(Random(seed), 2, peers=0)
    # figures are above 10 already, so none gains a digit that it did not have
    company = altered(company, lambda cell: cell.value if abs(cell.value) >= 10 else None)
    moved = altered(company, lambda cell: cell.value.scaleb(power))
    before, after = compute(company), compute(moved)
    for name in (name for name, factor in FACTORS.items() if factor.group == "benford"):
        assert [item.value for item in before[name]] == [item.value for item in after[name]]


@few
@given(seeds)
def test_the_order_of_the_cells_changes_nothing(seed: int) -> None:
    company = drawn(Random(seed), 4, peers=3)
    cells = list(company.cells)
    Random(seed).shuffle(cells)
    assert compute(replace(company, cells=tuple(cells))) == compute(company)


@few
@given(seeds)
def test_nothing_moves_in_a_company_that_stands_still(seed: int) -> None:
    company = drawn(Random(seed), 7, peers=0, currency="USD")
    newest = {(cell.concept, cell.member): cell.value for cell in company.cells}
    still = altered(company, lambda cell: newest[cell.concept, cell.member])
    moving = (".change", ".growth", ".trend3", ".trend5", ".sd3", ".cv5", ".cagr3", ".cagr5", "_growth")
    for name, values in compute(still).items():
        if name.endswith(moving) and FACTORS[name].group != "sustainable_growth" and values[-1].value is not None:
            assert values[-1].value == 0, name


@few
@given(seeds)
def test_days_are_365_over_the_turnover(seed: int) -> None:
    found = compute(drawn(Random(seed), 3, peers=0))
    for turnover, days in (
        ("receivables_turnover", "receivable_days"),
        ("inventory_turnover", "inventory_days"),
        ("payables_turnover", "payable_days"),
    ):
        for times, length in zip(found[turnover], found[days], strict=True):
            assert (times.value is None) == (length.value is None)
            assert times.value is None or same(365 / times.value, length.value)


@few
@given(seeds)
def test_what_must_add_up_adds_up(seed: int) -> None:
    value = {name: values[-1].value for name, values in compute(drawn(Random(seed), 3, peers=0)).items()}

    def total(*names: str) -> Decimal | None:
        parts = [value[name] for name in names]
        return None if None in parts else sum((part for part in parts if part is not None), Decimal(0))

    cycle = total("receivable_days", "inventory_days")
    assert cycle is None or same(cycle, value["operating_cycle"])
    debt, cash = value["debt_to_assets"], value["liquid_assets_to_assets"]
    assert debt is None or cash is None or same(debt - cash, value["net_debt_to_assets"])
    signals = total(*(name for name in FACTORS if name.startswith("piotroski_") and not name.startswith("piotroski_f")))
    assert signals is None or signals == value["piotroski_f"]


@few
@given(seeds, st.sampled_from(sorted(CONCEPTS)), st.sampled_from([None, 0, -1, 10**21, -(10**21), Decimal("1E-12")]))
def test_one_strange_figure_never_makes_a_strange_factor(seed: int, concept: str, value: int | Decimal | None) -> None:
    company = drawn(Random(seed), 4, peers=0, currency="USD")
    strange = altered(
        company,
        lambda cell: cell.value if cell.concept != concept else None if value is None else Decimal(value),
    )
    assert sound(dict(compute(strange))) == []


@few
@given(st.integers(0, 10_000), st.sampled_from([0, 1, -1, 10**21, -(10**21), Decimal("1E-12"), Decimal("-1E-12")]))
def test_strange_figures_everywhere_never_make_a_strange_factor(seed: int, value: int | Decimal) -> None:
    random = Random(seed)
    company = altered(own(), lambda cell: Decimal(value) if random.random() < 0.7 else cell.value)
    assert sound(dict(compute(company))) == []


@few
@given(st.integers(0, 10_000))
def test_random_figures_of_any_size_and_sign_never_make_a_strange_factor(seed: int) -> None:
    random = Random(seed)
    company = altered(own(), lambda cell: Decimal(random.randint(-9, 9)).scaleb(random.randint(-12, 20)))
    assert sound(dict(compute(company))) == []


def test_of_nothing_but_zeros_no_ratio_is_a_number() -> None:
    found = compute(altered(own(), lambda cell: Decimal(0)))
    assert sound(dict(found)) == []
    for name, values in found.items():
        if any(sign in FACTORS[name].formula for sign in "/") and "less" not in FACTORS[name].formula:
            assert values[-1].value is None, name
            assert (
                "zero" in str(values[-1].reason)
                or "positive" in str(values[-1].reason)
                or "parts" in str(values[-1].reason)
            ), name


@cache
def leaves(name: str) -> set[str]:
    return {item.concept for item in walk(parsed(FACTORS[name].formula)) if isinstance(item, Item)}


def needed_now(node: Node) -> set[str]:
    """Return the items of which a formula needs the figure of its own period."""
    match node:
        case Item(concept):
            return {concept}
        case Call("prior", _, _):
            return set()
        case Call(_, arguments, _):
            return set().union(*map(needed_now, arguments))
        case Binary(_, left, right):
            return needed_now(left) | needed_now(right)
        case Negative(child) | Named(_, child):
            return needed_now(child)
    return set()


def bridged(name: str, concept: str) -> bool:
    """Say whether the formula has a way around an item."""
    for node in walk(parsed(FACTORS[name].formula)):
        if isinstance(node, Call) and node.function in ("opt", "first"):
            inside = {item.concept for item in walk(node) if isinstance(item, Item)}
            if concept in inside:
                return True
    return False


@pytest.mark.parametrize("concept", CONCEPTS)
def test_a_missing_item_is_named_by_every_factor_that_needs_it(concept: str) -> None:
    company = own()
    newest = company.periods[-1]
    less = altered(company, lambda c: None if (c.concept, c.period) == (concept, newest) else c.value)
    users = tuple(factor for name, factor in FACTORS.items() if concept in leaves(name))
    for name, values in compute(less, factors=users).items():
        item = values[-1]
        if bridged(name, concept):
            assert all(cell.concept != concept or cell.period != newest for cell in item.inputs)
        elif concept in needed_now(parsed(FACTORS[name].formula)):
            assert item.value is None, name
            assert concept in str(item.reason), name
        elif not FACTORS[name].applicability.peers:  # only its earlier figure is used
            assert item.value is not None, name


def test_a_missing_item_changes_no_factor_without_it() -> None:
    less = compute(altered(own(), lambda c: None if c.concept == "inventories" else c.value))
    for name, values in less.items():
        if "inventories" not in leaves(name) and FACTORS[name].group != "benford":
            assert values == of_own()[name], name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("debt_to_equity", "negative equity"),
        ("liabilities_to_equity", "negative equity"),
        ("price_to_book", "negative common_equity"),
        ("liabilities_to_tangible_equity", "negative tangible_equity"),
        ("debt_to_capital", "negative total_debt + equity"),
    ],
)
def test_negative_equity_is_told_and_not_divided_by(name: str, reason: str) -> None:
    sunk = {"equity", "equity_parent", "noncontrolling_interests"}
    company = altered(own(), lambda cell: Decimal(-5000) if cell.concept in sunk else cell.value)
    assert str(compute(company)[name][-1].reason) == reason


MONOTONE = [
    ("current_assets", "current_ratio", 1),
    ("current_liabilities", "current_ratio", -1),
    ("cash", "quick_ratio", 1),
    ("short_term_debt", "cash_to_short_debt", -1),
    ("long_term_debt", "debt_to_equity", 1),
    ("equity", "debt_to_equity", -1),
    ("interest_expense", "interest_cover", -1),
    ("pretax_income", "interest_cover", 1),
    ("net_cash_operating", "funds_to_debt", 0),
    ("net_cash_operating", "debt_service_cover", 1),
    ("debt_repaid", "debt_service_cover", -1),
    ("gross_profit", "gross_margin", 1),
    ("net_income", "return_on_equity", 1),
    ("total_assets", "return_on_assets", -1),
    ("trade_receivables", "receivable_days", 1),
    ("trade_receivables", "receivables_turnover", -1),
    ("inventories", "inventory_days", 1),
    ("capital_expenditure", "free_cash_flow", -1),
    ("net_cash_operating", "accruals_cash_flow", -1),
    ("share_price", "price_to_earnings", 1),
    ("share_price", "altman_z", 1),
    ("retained_earnings", "altman_z", 1),
    ("trade_receivables", "beneish_m", 1),
    ("net_income", "zmijewski_x", -1),
    ("pretax_income", "springate_s", 1),
    ("net_income", "ohlson_o", -1),
    ("order_backlog", "backlog_to_revenue", 1),
]


@pytest.mark.parametrize(("concept", "name", "sign"), MONOTONE)
@given(percent=st.integers(1, 60))
@few
def test_a_factor_moves_the_way_it_must(concept: str, name: str, sign: int, percent: int) -> None:
    company = own()
    newest = company.periods[-1]
    moved = altered(
        company,
        lambda c: c.value * (100 + percent) / 100 if (c.concept, c.period) == (concept, newest) else c.value,
    )
    only = (FACTORS[name],)
    before = compute(company, factors=only)[name][-1].value
    after = compute(moved, factors=only)[name][-1].value
    assert before is not None
    assert after is not None
    assert (after > before) - (after < before) == sign


@few
@given(seeds)
def test_ranks_and_distances_agree_in_direction(seed: int) -> None:
    found = compute(drawn(Random(seed), 3, peers=5))
    for name in (name for name in FACTORS if name.endswith(".peer_z")):
        distance, rank = (
            found[name][-1].value,
            found[name.replace(".peer_z", ".peer_rank")][-1].value
            if (name.replace(".peer_z", ".peer_rank") in found)
            else None,
        )
        if distance is not None and rank is not None:
            assert not (rank == 1 and distance < 0), name
            assert not (rank == 0 and distance > 0), name
