"""The library as a whole: what is declared of each factor, and that no two of them are one number."""

from __future__ import annotations

import math
from collections import Counter
from functools import cache
from random import Random
from typing import get_args

import numpy as np
import pytest

from domains.finance.statements.compute import compute
from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.definitions import DEFINITIONS, parsed
from domains.finance.statements.errors import FormulaError
from domains.finance.statements.factors import FACTORS
from domains.finance.statements.factors.declare import FINANCIALS, VARIANTS, declare
from domains.finance.statements.factors.sources import SOURCES
from domains.finance.statements.formula import FUNCTIONS, Call, Item, Named, items, positives, reach, show, walk
from domains.finance.statements.types import Direction, FactorUnit
from tests.domains.finance.statements.companies import drawn


def test_there_are_1024_factors() -> None:
    assert len(FACTORS) == 1024
    assert {factor.id for factor in FACTORS.values()} == set(FACTORS)


@pytest.mark.parametrize("name", FACTORS)
def test_a_factor_is_wholly_declared(name: str) -> None:
    factor = FACTORS[name]
    assert factor.titles["en"].isprintable()
    assert len(factor.titles["en"]) > 5
    assert any("\u4e00" <= sign <= "\u9fff" for sign in factor.titles["zh"])
    assert "{" not in factor.titles["en"] + factor.titles["zh"]
    assert factor.unit in get_args(FactorUnit)
    assert factor.direction in get_args(Direction)
    assert factor.source.split("; time-series")[0].split("; cross-sectional")[0] in SOURCES.values()
    assert factor.group.isidentifier()


@pytest.mark.parametrize("name", FACTORS)
def test_what_a_factor_needs_follows_from_its_formula(name: str) -> None:
    factor = FACTORS[name]
    node = parsed(factor.formula)
    needs = factor.applicability
    compared = any(isinstance(item, Call) and item.function.startswith("peer_") for item in walk(node))
    assert needs.periods == reach(node) + 1
    assert needs.positive == positives(node)
    assert needs.peers == (3 if compared else 0)
    assert set(needs.excluded) <= set(FINANCIALS)
    assert parsed(show(node)) == node


def test_titles_are_told_apart() -> None:
    for language in ("en", "zh"):
        counted = Counter(factor.titles[language] for factor in FACTORS.values())  # type: ignore[index]
        assert [title for title, count in counted.items() if count > 1] == []


def test_no_two_formulas_are_one() -> None:
    counted = Counter(parsed(factor.formula) for factor in FACTORS.values())
    assert max(counted.values()) == 1


def test_every_item_definition_function_and_source_is_used_by_some_factor() -> None:
    nodes = [parsed(factor.formula) for factor in FACTORS.values()]
    used = {item.concept for node in nodes for item in walk(node) if isinstance(item, Item)}
    beside = {  # for the checks of the intake and for what other filers show instead
        *("operating_expense", "comprehensive_income", "work_in_progress", "noncurrent_liabilities"),
        *("opening_cash", "closing_cash", "exchange_effect", "eps_basic"),
    }
    assert set(CONCEPTS) - used == beside
    named = {item.name for node in nodes for item in walk(node) if isinstance(item, Named)}
    assert named == set(DEFINITIONS)
    called = {item.function for node in nodes for item in walk(node) if isinstance(item, Call)}
    assert set(FUNCTIONS) - called == {"mean", "min", "max", "parts_count"}  # for the rules of others
    assert {key for key, text in SOURCES.items() if not any(text in item.source for item in FACTORS.values())} == set()


@cache
def samples() -> tuple[list[str], np.ndarray]:
    """Return the values of all factors for companies drawn from seeds, a row a factor."""
    rows: dict[str, list[float]] = {name: [] for name in FACTORS}
    for seed in range(12):
        for name, values in compute(drawn(Random(seed), 8, peers=6, currency="USD")).items():
            rows[name] += [math.nan if item.value is None else float(item.value) for item in values]
    return list(rows), np.array(list(rows.values()))


def suspects(values: np.ndarray) -> list[tuple[int, int]]:
    """Return the pairs that move nearly together; clipped, so that one wild ratio does not hide the rest."""
    there = ~np.isnan(values)
    centred = (values - np.nanmean(values, axis=1, keepdims=True)) / np.nanstd(values, axis=1, keepdims=True)
    filled = np.where(there, np.clip(centred, -3, 3), 0.0)
    seen = there.astype(float)
    count = seen @ seen.T
    first, squares = filled @ seen.T, (filled**2) @ seen.T
    spread = (count * squares - first**2) * (count * squares - first**2).T
    correlation = (count * (filled @ filled.T) - first * first.T) / np.sqrt(np.maximum(spread, 1e-9))
    return [(i, j) for i, j in np.argwhere(np.abs(correlation) > 0.95) if i < j]


def affine(one: np.ndarray, two: np.ndarray) -> bool:
    """Say whether two factors are the same but for a constant and a scale wherever both have a value."""
    both = ~np.isnan(one) & ~np.isnan(two)
    one, two = one[both], two[both]
    if len(np.unique(one)) < 4 or len(np.unique(two)) < 4:  # counts and signals: equal, or opposite, everywhere
        return len(one) > 20 and (np.array_equal(one, two) or len(np.unique(one + two)) == 1)
    return abs(np.corrcoef(one, two)[0, 1]) > 1 - 1e-9


def test_no_factor_is_another_rescaled() -> None:
    names, values = samples()
    assert [name for name, row in zip(names, values, strict=True) if np.sum(~np.isnan(row)) < 10] == []
    pairs = suspects(values)
    assert len(pairs) > 100  # the net is wide enough to have caught something
    assert [(names[i], names[j]) for i, j in pairs if affine(values[i], values[j])] == []


def test_the_search_for_rescaled_factors_finds_them() -> None:
    names, values = samples()
    row = values[names.index("current_ratio")]
    holed = np.where(np.arange(len(row)) % 3 == 0, np.nan, 1 - 2 * row)
    count = len(values)
    assert (names.index("current_ratio"), count) in suspects(np.vstack([values, holed]))
    assert affine(row, holed)
    assert not affine(row, values[names.index("quick_ratio")])


def test_no_factor_is_constant() -> None:
    names, values = samples()
    spread = np.nanmax(values, axis=1) - np.nanmin(values, axis=1)
    assert [name for name, width in zip(names, spread, strict=True) if width == 0] == []


def test_groups_and_variants_are_those_of_the_documentation() -> None:
    assert len({factor.group for factor in FACTORS.values()}) == 24
    for variant in VARIANTS.values():
        assert any(name.endswith(variant.suffix) for name in FACTORS)


def test_the_variants_of_a_base_are_what_they_say() -> None:
    (change, growth, trend, volatility, distance, rank) = (
        FACTORS["receivable_days.change"],
        FACTORS["receivables_turnover.growth"],
        FACTORS["gross_margin.trend3"],
        FACTORS["gross_margin.sd3"],
        FACTORS["gross_margin.peer_z"],
        FACTORS["gross_margin.peer_rank"],
    )
    assert change.unit == "days"
    assert change.direction == "lower_is_better"
    assert growth.unit == "percent"
    assert growth.titles["zh"] == "应收账款周转率：同比增长率"
    assert trend.unit == "points"
    assert trend.applicability.periods == 3
    assert volatility.direction == "lower_is_better"
    assert (distance.unit, rank.unit) == ("z", "percentile")
    assert rank.direction == "higher_is_better"


@pytest.mark.parametrize(
    "table",
    [
        "x ratio + textbook any L\n    revenue",  # no titles
        "x ratio ? textbook any L\n    revenue\n    A | B",
        "x ratio + nobody any L\n    revenue\n    A | B",
        "x ratio + textbook L\n    revenue\n    A | B",
        "x furlong + textbook any L\n    revenue\n    A | B",
        "x ratio + textbook any L\n    revenues\n    A | B",
    ],
)
def test_a_table_that_cannot_be_read_is_refused(table: str) -> None:
    with pytest.raises(FormulaError, match=r"x |'revenues'"):
        list(declare("nothing", table))


def test_definitions_do_not_hide_line_items() -> None:
    assert not set(DEFINITIONS) & set(CONCEPTS)
    assert not set(DEFINITIONS) & set(FUNCTIONS)
    for definition in DEFINITIONS.values():
        assert items(parsed(definition.formula))
        assert definition.titles["en"]
        assert any("\u4e00" <= sign <= "\u9fff" for sign in definition.titles["zh"])
