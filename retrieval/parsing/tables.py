"""Finds table rows among the rows of a PDF page, and writes a row as one line of text.

A PDF does not say what is a table. Two rows belong to one when both have cells apart from each other and a gap of one
lies above a gap of the other; a row with a single cell between two such rows is a label without numbers.

Not covered: cells that hold several lines (each line becomes a row), and empty cells (they leave no mark).
"""

from __future__ import annotations

import itertools
from typing import Final

from retrieval.parsing.layout import Row
from retrieval.parsing.marks import is_marker
from retrieval.parsing.page_text import CELL

__all__ = ["find_tables", "row_text"]

_SHARED_GAP: Final = 3.0  # points that two gaps must have in common
_NEXT: Final = 2.2  # row heights from the top of a row to the top of the next one in its table
_BEFORE_NUMBER: Final = frozenset("$€£¥￥(-–+") | {"US$", "RMB", "($", "-$"}
_AFTER_NUMBER: Final = frozenset(")%)％") | {")%", "%)"}


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


def row_text(row: Row) -> str:
    """Write a row as its cells with a bar between; a currency or per cent sign keeps to its number."""
    cells = list[str]()
    for run in row.runs:
        if len(cells) == 1 and is_marker(cells[0]):
            cells[0] += " " + run.text
        elif cells and (cells[-1] in _BEFORE_NUMBER or run.text in _AFTER_NUMBER):
            cells[-1] += run.text
        else:
            cells.append(run.text)
    return CELL.join(cells)


def _end(rows: list[Row], cells: list[list[tuple[float, float]]], first: int) -> int:
    """Return the row after the last one that belongs to a table that starts at `first`, or `first`."""
    if not cells[first]:
        return first
    last = first
    for index in range(first + 1, len(rows)):
        if rows[index].top - rows[index - 1].top > _NEXT * max(rows[index].height, rows[index - 1].height):
            break
        if not cells[index]:
            continue  # a label alone, if the table goes on after it
        if index - last > 2 or not _aligned(cells[last], cells[index]):
            break
        last = index
    return last + 1 if last > first else first


def _gaps(row: Row) -> list[tuple[float, float]]:
    """Return the gaps between the cells of a row; a list marker and its text are no two cells."""
    runs = row.runs[1:] if is_marker(row.runs[0].text) else row.runs
    gaps = itertools.pairwise(runs)
    return [(left.x1, right.x0) for left, right in gaps if right.x0 > left.x1 and left.text not in _BEFORE_NUMBER]


def _aligned(above: list[tuple[float, float]], below: list[tuple[float, float]]) -> bool:
    return any(min(a[1], b[1]) - max(a[0], b[0]) >= _SHARED_GAP for a in above for b in below)
