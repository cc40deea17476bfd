"""Finds the cell of a table that a question names by row and period, or says that it cannot.

A row fits when its name and the question's words cover each other; the rest of the question's words may stand in the
headings, the table's title, the passage around it or its document's name. One row has to fit clearly better than any
other: where two would do, the answer is None, and somebody who reads has to decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.answering.checking.support import coverage, informative
from app.answering.reckoning.tables import Cell, Table

__all__ = ["cells_by_year", "row_of"]

LEAST_NAMED: Final = 0.5
"""Share of a row's name, by weight, that the question must hold."""

LEAST_ASKED: Final = 0.6
"""Share of the question's own words that the row, its headings and the table's title must hold."""

MARGIN: Final = 0.05
"""How much better the row must fit than the next."""

_COMPARISON: Final = ("change", "variance", " vs", "vs.", "increase", "growth", "%", "percent", "变动", "增减", "同比")


_OWN: Final = 0.4
"""Weight of the row alone, beside the row with its surroundings."""


def row_of(thing: str, tables: Sequence[Table]) -> tuple[Cell, ...]:
    """Return the cells of the row that a thing's name fits, in the order of the columns; empty when none is clear."""
    asked = informative(thing)
    if not asked:
        return ()
    scored: dict[tuple[int, int], tuple[float, list[Cell]]] = {}
    for number, table in enumerate(tables):
        for cell in table.cells:
            key = (number, cell.line)
            if key in scored:
                scored[key][1].append(cell)
            else:
                scored[key] = (_fit(thing, asked, cell, table), [cell])
    ranked = sorted(scored.values(), key=lambda pair: -pair[0])
    if not ranked or ranked[0][0] <= 0:
        return ()
    if len(ranked) > 1 and ranked[0][0] - ranked[1][0] < MARGIN:
        return ()
    return tuple(ranked[0][1])


def _fit(thing: str, asked: dict[str, float], cell: Cell, table: Table) -> float:
    """Return how well a row fits a name: 0 when it does not."""
    row = informative(cell.row)
    if not row:
        return 0.0
    named = coverage(row, [thing])
    own = coverage(asked, [cell.row])
    around = coverage(asked, [cell.row, cell.section, table.title, cell.column, table.around])
    if named < LEAST_NAMED or around < LEAST_ASKED or own == 0:
        return 0.0
    return _OWN * 2 * named * own / (named + own) + (1 - _OWN) * 2 * named * around / (named + around)


def cells_by_year(cells: Sequence[Cell], years: Sequence[int]) -> dict[int, Cell] | None:
    """Return one cell for each of the years, or None where a year has no cell, or several.

    Without years, the two columns that there are count when each names one year.
    """
    plain = [cell for cell in cells if len(cell.years) == 1 and not _compares(cell.column)]
    by_year: dict[int, Cell] = {}
    for cell in plain:
        year = next(iter(cell.years))
        if year in by_year:
            if not years or year in years:
                return None
            continue
        by_year[year] = cell
    if not years:
        return by_year
    return {year: by_year[year] for year in years} if all(year in by_year for year in years) else None


def _compares(column: str) -> bool:
    """Say whether a column holds comparisons instead of figures."""
    return any(word in column.lower() for word in _COMPARISON)
