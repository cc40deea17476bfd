"""Finds table rows among the rows of a PDF page, and the cells of a row.

A PDF does not say what is a table. Two rows belong to one when both have cells apart from each other and a gap of one
lies above a gap of the other; a row with a single cell between two such rows is a label without numbers.

Which column a cell belongs to is told by `retrieval.parsing.columns`.
"""

from __future__ import annotations

import itertools
from typing import Final, NamedTuple

from retrieval.parsing.layout import Row
from retrieval.parsing.marks import is_marker
from retrieval.parsing.page_text import CELL

__all__ = ["Cell", "cells_of", "find_tables", "row_text"]

_SHARED_GAP: Final = 3.0  # points that two gaps must have in common
_NEXT: Final = 2.2  # row heights from the top of a row to the top of the next one in its table
_TAIL_INDENT: Final = 20.0  # points from the left edge of a table to a line that goes on in another column
_TIGHT: Final = 0.45  # row heights between two lines of one cell, at most
_TITLE_INDENT: Final = 40.0  # points from the left edge of a title to the first cell of a header below it
_BEFORE_NUMBER: Final = frozenset("$€£¥￥(-–+") | {"US$", "RMB", "($", "-$"}
_AFTER_NUMBER: Final = frozenset(")%)％") | {")%", "%)"}


class Cell(NamedTuple):
    """The text of a cell and its edges in points."""

    text: str
    x0: float
    x1: float


def find_tables(rows: list[Row]) -> list[tuple[int, int]]:
    """Return half-open ranges of rows that form tables, in order. A table has at least two rows of several cells."""
    cells = [_gaps(row) for row in rows]
    found, index = list[tuple[int, int]](), 0
    while index < len(rows):
        end = _end(rows, cells, index)
        if end - index >= 2:
            found.append((index, end))
        index = max(end, index + 1)
    return found


def cells_of(row: Row) -> list[Cell]:
    """Return the cells of a row; a currency or per cent sign keeps to its number, a list marker to its text."""
    cells = list[Cell]()
    for run in row.runs:
        last = cells[-1].text if cells else ""
        if len(cells) == 1 and is_marker(last):
            cells[-1] = Cell(f"{last} {run.text}", cells[-1].x0, run.x1)
        elif cells and (last in _BEFORE_NUMBER or run.text in _AFTER_NUMBER):
            cells[-1] = Cell(last + run.text, cells[-1].x0, run.x1)
        else:
            cells.append(Cell(run.text, run.x0, run.x1))
    return cells


def row_text(row: Row) -> str:
    """Write a row as its cells with a bar between."""
    return CELL.join(cell.text for cell in cells_of(row))


def _end(rows: list[Row], cells: list[list[tuple[float, float]]], first: int) -> int:
    """Return the row after the last one that belongs to a table that starts at `first`, or `first`."""
    if not cells[first]:
        return first
    last = first
    for index in range(first + 1, len(rows)):
        if rows[index].top - rows[index - 1].top > _NEXT * max(rows[index].height, rows[index - 1].height):
            break
        if not cells[index]:
            if _is_title(rows, index):
                break
            continue  # a label alone, if the table goes on after it
        if index - last > 2 or not _aligned(cells[last], cells[index]):
            break
        last = index
    return _with_tail(rows, first, last + 1) if last > first else first


def _with_tail(rows: list[Row], first: int, end: int) -> int:
    """Return the end of a table with the further lines of the cells of its last row."""
    left = min(row.x0 for row in rows[first:end])
    while end < len(rows) and len(rows[end].runs) == 1:
        tail, above = rows[end].runs[0], rows[end - 1]
        inside = any(abs(tail.x0 - run.x0) < _SHARED_GAP for run in above.runs if run.x0 > left + _TAIL_INDENT)
        label = tail.text[0].islower() and any(char.isdigit() for run in above.runs[1:] for char in run.text)
        if not (inside or label) or rows[end].top - above.bottom > _TIGHT * max(above.height, tail.height):
            break
        end += 1
    return end


def _is_title(rows: list[Row], index: int) -> bool:
    """Say whether a lone label is the title of another table: bold, with a header that has no label below it."""
    title = rows[index].runs[0]
    if not title.bold or index + 1 >= len(rows):
        return False
    return rows[index + 1].x0 > title.x0 + _TITLE_INDENT


def _gaps(row: Row) -> list[tuple[float, float]]:
    """Return the gaps between the cells of a row; a list marker and its text are no two cells."""
    runs = row.runs[1:] if is_marker(row.runs[0].text) else row.runs
    gaps = itertools.pairwise(runs)
    return [(left.x1, right.x0) for left, right in gaps if right.x0 > left.x1 and left.text not in _BEFORE_NUMBER]


def _aligned(above: list[tuple[float, float]], below: list[tuple[float, float]]) -> bool:
    return any(min(a[1], b[1]) - max(a[0], b[0]) >= _SHARED_GAP for a in above for b in below)
