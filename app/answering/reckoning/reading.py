"""Reads what a question wants from its tables: operation, rows and periods are found by their words, without a model.

Most questions about statements have one of a few forms ("percentage change in X from 2021 to 2022", "average X of 2020
and 2021", "X in 2022"). Where the form is clear, one row fits and each period has one column, the figures and the
formula follow, and a small model that mistakes one column for the other is not needed. Everything else is None.

A change is the later period less the earlier one, and is taken relative to the earlier one, whichever is named first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.answering.reckoning.lookup import cells_by_year, row_of
from app.answering.reckoning.tables import Cell, Table
from app.answering.reckoning.wanted import Operation, Wanted

__all__ = ["Plan", "read"]

_PERIODS: Final = 6
"""Most periods of an average or a sum."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compute: cells named a, b, … in this order, and a formula over them.

    ``a`` alone only looks up, and so does no formula.
    """

    operation: Operation
    cells: tuple[Cell, ...]
    formula: str
    thing: str


def read(want: Wanted, tables: Sequence[Table]) -> Plan | None:
    """Return the plan that a question's words and the tables leave no choice about, or None."""
    match want.operation:
        case Operation.CHANGE | Operation.PERCENT_CHANGE:
            return _change(want, tables)
        case Operation.DIFFERENCE if len(want.years) != 1:
            return _change(want, tables)
        case Operation.AVERAGE | Operation.SUM if len(want.years) > 1 or not (want.years or len(want.things) > 1):
            return _over_periods(want, tables)
        case Operation.DIFFERENCE | Operation.RATIO | Operation.SHARE | Operation.SUM | Operation.AVERAGE:
            return _of_two(want, tables) or (None if want.years else _over_periods(want, tables))
        case Operation.MOST | Operation.LEAST:
            return _extreme(want, tables)
        case Operation.LOOKUP:
            return _lookup(want, tables)
    return None


def _change(want: Wanted, tables: Sequence[Table]) -> Plan | None:
    if len(want.years) not in (0, 2):
        return None
    cells = cells_by_year(row_of(want.whole, tables), want.years)
    if cells is None or len(cells) != 2:
        return None
    later, earlier = (cells[year] for year in sorted(cells, reverse=True))
    formula = "(a - b) / b * 100" if want.operation is Operation.PERCENT_CHANGE else "a - b"
    return Plan(want.operation, (later, earlier), formula, later.row)


def _over_periods(want: Wanted, tables: Sequence[Table]) -> Plan | None:
    row = row_of(want.whole, tables)
    years = want.years
    if not years:
        years = tuple(cells_by_year(row, ()) or ())
    elif want.spans:
        found = cells_by_year(row, ()) or {}
        years = tuple(year for year in found if min(want.years) <= year <= max(want.years))
        if not set(want.years) <= set(years):
            return None
    cells = cells_by_year(row, years)
    if cells is None or not 2 <= len(cells) <= _PERIODS:
        return None
    chosen = tuple(cells[year] for year in sorted(cells, reverse=True))
    names = ", ".join("abcdef"[: len(chosen)])
    function = "avg" if want.operation is Operation.AVERAGE else "sum"
    return Plan(want.operation, chosen, f"{function}({names})", chosen[0].row)


def _of_two(want: Wanted, tables: Sequence[Table]) -> Plan | None:
    if len(want.things) != 2 or len(want.years) > 1:
        return None
    found: list[Cell] = []
    for thing in want.things:
        cells = _in_period(row_of(thing, tables), want.years)
        if cells is None:
            return None
        found.append(cells)
    one, other = found
    if one == other or one.cite != other.cite:
        return None
    formula = {
        Operation.DIFFERENCE: "a - b",
        Operation.RATIO: "a / b",
        Operation.SHARE: "a / b * 100",
        Operation.SUM: "a + b",
        Operation.AVERAGE: "(a + b) / 2",
    }[want.operation]
    return Plan(want.operation, (one, other), formula, f"{one.row} / {other.row}")


def _lookup(want: Wanted, tables: Sequence[Table]) -> Plan | None:
    if not want.years:
        return None
    row, years = row_of(want.whole, tables), want.years
    if want.spans:
        first, last = years
        step = 1 if first < last else -1
        years = tuple(range(first, last + step, step))
    cells = cells_by_year(row, years)
    if cells is None:
        return None
    formula = "a" if len(years) == 1 else ""
    chosen = tuple(cells[year] for year in years)
    return Plan(want.operation, chosen, formula, chosen[0].row)


def _extreme(want: Wanted, tables: Sequence[Table]) -> Plan | None:
    """Plan to name a period: its cell comes first. Two periods with the same figure leave it open."""
    cells = cells_by_year(row_of(want.whole, tables), want.years)
    if cells is None or len(cells) < 2:
        return None
    ranked = sorted(cells.values(), key=lambda cell: abs(cell.value.amount), reverse=want.operation is Operation.MOST)
    if abs(ranked[0].value.amount) == abs(ranked[1].value.amount):
        return None
    return Plan(want.operation, tuple(ranked), "", ranked[0].row)


def _in_period(cells: Sequence[Cell], years: Sequence[int]) -> Cell | None:
    if not years:
        return cells[0] if len(cells) == 1 else None
    found = cells_by_year(cells, years)
    return found[years[0]] if found and years[0] in found else None
