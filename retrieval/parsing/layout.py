"""Puts the runs of a PDF page in the order in which a person reads them: rows, and columns before rows.

Rows are runs that share half of their height. Two columns of prose are read one after the other; the columns of a
table are not, because a number means something only beside its label. What tells them apart: on both sides of a
gutter prose has several words a row and fills its side, a table does not.
"""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from retrieval.language import CJK
from retrieval.parsing.runs import Run

__all__ = ["Row", "regions"]

_SHARED: Final = 0.5  # share of the smaller height that two runs of one row have in common
_RAISED: Final = 0.3  # the same where one run is set much smaller, as a raised number is
_SMALLER: Final = 0.75
_NEAR: Final = 4  # rows that a run may be held against; runs come sorted by height
_FEWEST: Final = 4  # rows that a column needs
_WORDS: Final = 3.5  # words in the median line of a column of prose; two ideographs count as one
_FILL: Final = 0.5  # share of a column's width that its median row fills
_SLACK: Final = 1.0  # points that a run may reach into a gutter
_DEEPEST: Final = 12


@dataclass(slots=True)
class Row:
    """Runs that stand beside each other, from left to right. Points, origin top left."""

    runs: list[Run] = field(default_factory=list)
    top: float = 0.0
    bottom: float = 0.0

    @property
    def x0(self) -> float:
        """Left edge."""
        return min(run.x0 for run in self.runs)

    @property
    def x1(self) -> float:
        """Right edge."""
        return max(run.x1 for run in self.runs)

    @property
    def height(self) -> float:
        """Height in points."""
        return self.bottom - self.top


def regions(runs: list[Run], *, depth: int = 0) -> list[list[Row]]:
    """Return the rows of a page, as lists of rows that belong together, in reading order."""
    rows = _rows(runs)
    band = _columns(rows) if depth < _DEEPEST else None
    if band is None:
        return [rows] if rows else []
    first, last, gutter = band
    inside = [run for row in rows[first:last] for run in row.runs]
    parts = (
        [run for row in rows[:first] for run in row.runs],
        [run for run in inside if run.x0 < gutter],
        [run for run in inside if run.x0 >= gutter],
        [run for row in rows[last:] for run in row.runs],
    )
    return [region for part in parts for region in regions(part, depth=depth + 1)]


def _rows(runs: list[Run]) -> list[Row]:
    rows = list[Row]()
    for run in sorted(runs, key=lambda run: (run.top + run.bottom, run.x0)):
        for row in rows[-1 : -_NEAR - 1 : -1]:
            if _beside(row, run):
                row.runs.append(run)
                if run.height > row.height:
                    row.top, row.bottom = run.top, run.bottom
                break
        else:
            rows.append(Row([run], run.top, run.bottom))
    for row in rows:
        row.runs.sort(key=lambda run: run.x0)
    return sorted(rows, key=lambda row: row.top + row.bottom)


def _beside(row: Row, run: Run) -> bool:
    low, high = sorted((max(row.height, 0.1), max(run.height, 0.1)))
    shared = min(row.bottom, run.bottom) - max(row.top, run.top)
    return shared > low * (_RAISED if low < _SMALLER * high else _SHARED)


def _columns(rows: list[Row]) -> tuple[int, int, float] | None:
    """Return (first row, row after the last, x of the gutter) of the longest stretch of two columns of prose."""
    starts = Counter(round(run.x0) for row in rows for run in row.runs)
    best: tuple[int, int, float] | None = None
    for start, count in starts.items():
        if count < _FEWEST - 1:
            continue
        gutter = start - 2.0
        for first, last in _clear(rows, gutter):
            longer = best is None or last - first > best[1] - best[0]
            if longer and _prose_beside(rows[first:last], gutter):
                best = (first, last, gutter)
    return best


def _clear(rows: list[Row], gutter: float) -> list[tuple[int, int]]:
    """Return the stretches of rows in which no run crosses a line from top to bottom."""
    stretches, first = list[tuple[int, int]](), 0
    for index, row in enumerate(rows):
        if any(run.x0 < gutter - _SLACK and run.x1 > gutter + _SLACK for run in row.runs):
            stretches.append((first, index))
            first = index + 1
    stretches.append((first, len(rows)))
    return [(first, last) for first, last in stretches if last - first >= _FEWEST]


def _prose_beside(rows: list[Row], gutter: float) -> bool:
    left = [beside for row in rows if (beside := [run for run in row.runs if run.x0 < gutter])]
    right = [beside for row in rows if (beside := [run for run in row.runs if run.x0 >= gutter])]
    return _prose(left) and _prose(right)


def _prose(side: list[list[Run]]) -> bool:
    if len(side) < _FEWEST:
        return False
    x0 = min(run.x0 for beside in side for run in beside)
    x1 = max(run.x1 for beside in side for run in beside)
    words = statistics.median(_words(run.text) for beside in side for run in beside)
    fill = statistics.median(sum(run.x1 - run.x0 for run in beside) for beside in side)
    return words >= _WORDS and fill >= _FILL * (x1 - x0)


def _words(text: str) -> float:
    ideographs = len(CJK.findall(text))
    letters = sum(any(char.isalpha() for char in word) for word in CJK.sub(" ", text).split())
    return letters + ideographs / 2
