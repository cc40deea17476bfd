"""Every factor of the library against a value that was computed another way."""

from __future__ import annotations

import csv
import math
from decimal import Decimal
from fractions import Fraction
from functools import cache

import pytest

from domains.finance.statements.compute import compute
from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.factors import FACTORS
from domains.finance.statements.types import Cell, Computed, Source, Statements, unit_of
from tests.domains.finance.statements.companies import year
from tests.domains.finance.statements.reference import DATA, YEARS, Reading, Undefined, read_figures, reading

TOLERANCE = 1e-11
"""The reference ends in floats: 15 digits, of which differences of near equals lose up to four."""


def statements(company: str, *, peers: tuple[Statements, ...] | None = None) -> Statements:
    cells = tuple(
        Cell(
            concept,
            year(number),
            Decimal(value.numerator) / value.denominator,
            unit_of(concept, "USD"),
            Source("figures.csv", f"{concept}, {number}"),
            member or None,
        )
        for (concept, member, number), value in read_figures()[company].items()
    )
    return Statements(company, "USD", tuple(map(year, YEARS)), cells, peers=peers)


@cache
def found() -> dict[str, tuple[Computed, ...]]:
    peers = tuple(statements(name) for name in read_figures() if name != "own")
    return dict(compute(statements("own", peers=peers)))


@cache
def independent() -> Reading:
    return reading()


@cache
def goldens() -> dict[str, float]:
    with (DATA / "goldens.csv").open(encoding="utf-8", newline="") as lines:
        return {row["factor"]: float(row["value"]) for row in csv.DictReader(lines)}


def near(value: Decimal | None, expected: float, *, scale: float = 1.0) -> bool:
    return value is not None and math.isclose(float(value), expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE * scale)


def test_the_goldens_are_those_of_the_library() -> None:
    assert list(goldens()) == list(FACTORS)
    assert set(CONCEPTS) == {concept for concept, _, _ in read_figures()["own"]}


@pytest.mark.parametrize("name", FACTORS)
def test_a_factor_has_its_golden_value(name: str) -> None:
    newest = found()[name][-1]
    assert newest.reason is None
    assert near(newest.value, goldens()[name])
    assert newest.inputs


@pytest.mark.parametrize("name", FACTORS)
def test_a_factor_agrees_with_the_second_reading_in_every_year(name: str) -> None:
    factor = FACTORS[name]
    for number, computed in zip(YEARS, found()[name], strict=True):
        try:
            expected = float(independent().value(factor.formula, number))
        except Undefined:
            assert computed.value is None
            assert computed.reason is not None
        else:
            assert near(computed.value, expected), number


def test_the_reason_for_too_few_years_is_the_need_of_the_whole_formula() -> None:
    first = {name: values[0] for name, values in found().items()}
    for name, computed in first.items():
        needs = FACTORS[name].applicability.periods
        if needs > 1:
            assert computed.reason is not None, name
            assert str(computed.reason) == f"needs {needs} periods", name
        elif computed.reason is not None:
            assert computed.reason.code == "needs_cells" or "growth" in name, name


@pytest.mark.parametrize("number", [2022, 2023])
def test_signals_are_zero_or_one_and_ranks_lie_between(number: int) -> None:
    for name, factor in FACTORS.items():
        value = found()[name][number - YEARS[0]].value
        if factor.unit == "signal" and value is not None:
            assert value in (0, 1), name
        if factor.unit == "percentile" and value is not None:
            assert 0 <= value <= 1, name


def test_the_second_reading_is_exact_where_it_can_be() -> None:
    assert independent().value("current_assets / current_liabilities", 2024) == Fraction(8, 5)
