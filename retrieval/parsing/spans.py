"""Places the cells of a table that is written row by row, some of them over several rows or columns, on a grid.

A report in HTML gives the currency sign and the closing bracket of a figure cells of their own, for the eye; they are
joined to their figure here, so that a column is a column.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from retrieval.parsing.cells import Merge, table_text

__all__ = ["SpannedTable"]

_COLUMNS: Final = 1_000  # the most that a cell may span by the HTML standard, and that a table has here
_ROWS: Final = 65_534
_AREA: Final = 1_000_000  # places of a table that are kept; rows beyond them are written without empty cells
_BEFORE: Final = frozenset({"$", "€", "£", "¥", "￥", "(", "-", "($", "-$", "$(", "US$", "RMB", "HK$"})
_AFTER: Final = frozenset({")", "%", ")%", "%)", "）", "％"})


class SpannedTable:
    """A table that grows row by row."""

    def __init__(self) -> None:
        self._rows: list[list[str]] = []
        self._merges: list[Merge] = []
        self._taken: list[tuple[int, int, int]] = []  # first and last column of a cell from above, rows that it goes on
        self._area = 0

    def add(self, cells: Iterable[tuple[str, int, int]]) -> None:
        """Add a row of cells as (text, columns, rows); a cell is put where no cell from above stands."""
        row, column, top = list[str](), 0, len(self._rows)
        taken = [(first, last, left - 1) for first, last, left in self._taken if left > 1]
        for text, wide, high in cells:
            column = self._free(column)
            wide, high = max(1, min(wide, _COLUMNS)), max(1, min(high, _ROWS))
            if column + wide > _COLUMNS or self._area > _AREA:
                row.append(text)
                continue
            row.extend([""] * (column - len(row)))
            row.extend([text, *[""] * (wide - 1)])
            if wide > 1 or high > 1:
                self._merges.append(Merge(top, column, top + high - 1, column + wide - 1))
            if high > 1:
                taken.append((column, column + wide - 1, high - 1))
            column += wide
        self._taken = taken
        self._area += len(row)
        self._rows.append(row)

    def _free(self, column: int) -> int:
        """Return the first column from this one on where no cell from above stands."""
        for first, last, _ in sorted(self._taken):
            if first <= column <= last:
                column = last + 1
        return column

    def text(self) -> str:
        """Return the table as lines."""
        return table_text([_figures(row) for row in self._rows], self._merges)


def _figures(row: list[str]) -> list[str]:
    """Join the signs around a figure to it; the places that they leave are empty, and those at the end are cut."""
    joined, before = row[: 1 + max((at for at, text in enumerate(row) if text), default=-1)], -1
    for at, text in enumerate(joined):
        if not text:
            continue
        if before >= 0 and text in _AFTER and joined[before][-1:].isdigit():
            joined[before], joined[at] = joined[before] + text, ""
            continue
        if before >= 0 and joined[before] in _BEFORE and text.lstrip("($-").replace(",", "")[:1].isdigit():
            joined[before], joined[at] = "", joined[before] + text
        before = at
    return joined
