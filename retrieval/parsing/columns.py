"""Puts the cells of a PDF table into columns, and writes each logical row as one line of text.

An empty cell leaves no mark in a PDF, so a figure can only be known by where it stands: the cells of the rows with
figures form the columns, and a row that lacks one keeps its place. Header rows above the first figures become one line
("Three months ended 2023"), since that line is what is repeated wherever the table is cut; a cell that stands centred
over several columns counts for each. The lines of a cell that holds several are joined. Where the cells do not fall
into columns, each row is written as its cells from left to right.

Not covered: labels that stand between columns, cells that span columns in the body, columns told by rules alone.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from retrieval.parsing.layout import Row
from retrieval.parsing.page_text import CELL
from retrieval.parsing.tables import Cell, cells_of, row_text

__all__ = ["Carry", "Columns", "TableLine", "columns_of", "unit_of"]

_EDGE: Final = 6.0  # points within which a cell begins at the left edge of its table
_SLACK: Final = 1.0  # points that two columns may reach into each other
_REACH: Final = 0.45  # of the step between two columns: how far a header cell reaches beyond its text
_HEADERS: Final = 4  # rows of a header; more above the first figures is a table of text
_TIGHT: Final = 0.45  # row heights between two lines of one cell, at most
_FIGURE: Final = re.compile(
    r"(?:[$€£¥￥(+–-]|US\$|RMB)*\s*\d[\d.,' ]*\s*(?:[)%％‰xp×]|bps?|[百千万亿元])*\s*(?:\([\da-z]\)|[*†‡])?"
    r"|[—–-]+|nil|n/?[am]\.?",
    re.IGNORECASE,
)
_YEAR: Final = re.compile(r"(?:fy\s?)?(?:19|20)\d\d(?:\s*年度?|\s*[(（][\da-z][)）]|\s*[*†])?", re.IGNORECASE)
_OPEN: Final = re.compile(
    r"(?:,|-|\b(?:and|or|of|the|in|on|for|to|from|by|with|including|excluding|net|per|at|a|an))$", re.IGNORECASE
)
_UNIT: Final = re.compile(
    r"(?:(?:all\s+)?(?:amounts?|figures|dollars?|numbers)\s+)?(?:are\s+)?(?:expressed\s+|stated\s+|presented\s+)?"
    r"\bin\s+(?:(?!(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|over|about)\b)[\w.]+\s+){0,3}?"
    r"(?:thousands?|millions?|billions?|lakhs?|crores?)\b(?:\s+of\s+[\w.]+(?:\s+dollars?)?)?"
    r"(?:,?\s+except\s+[^().;]{1,60})?(?:\s*\([^()]{1,12}\))?"
    r"|(?:\bin\s+)?[$€£¥]\s?(?:000s?|millions?|m|bn)\b(?:,?\s+except\s+[^().;]{1,60})?"
    r"|(?:金额)?(?:单位|币种)\s*[:：]\s*[^\s，,。；)）]{1,12}(?:\s*(?:币种|单位)\s*[:：]\s*[^\s，,。；)）]{1,8})?",
    re.IGNORECASE,
)
_LONGEST_UNIT: Final = 120  # characters of a line that names a unit; a longer one is prose
_RUNNING: Final = 2  # blocks above or below a table that are the running head or foot of a page


@dataclass(slots=True)
class TableLine:
    """A logical row: its text, and the rows of the page that it was read from."""

    text: str
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Columns:
    """A table: its lines, the first of them its header if `headed`, and the (left, right) edges of its columns."""

    lines: list[TableLine]
    headed: bool
    edges: tuple[tuple[float, float], ...]


@dataclass(slots=True)
class _Line:
    """Cells of one logical row, by column; column 0 is that of the labels."""

    cells: list[str]
    rows: list[Row] = field(default_factory=list)

    @property
    def label_only(self) -> bool:
        return bool(self.cells[0]) and not any(self.cells[1:])


@dataclass(slots=True)
class Carry:
    """The table that a page ends with, so that its header can stand again where it goes on."""

    above: Columns | None = None
    _last: tuple[Columns, int] | None = None

    def continued(self, table: Columns, *, blocks: int) -> Columns:
        """Return a table of a page, with the header of the page before where it goes on; `blocks` stand above it."""
        above, self.above = self.above, None
        if above is not None and blocks <= _RUNNING and not table.headed and _alike(above.edges, table.edges):
            table = Columns([TableLine(above.lines[0].text, []), *table.lines], headed=True, edges=table.edges)
        self._last = (table, blocks + 1)
        return table

    def turn(self, *, blocks: int) -> None:
        """End a page that has so many blocks."""
        table = self._last[0] if self._last is not None and blocks - self._last[1] <= _RUNNING else None
        self.above = table if table is not None and table.headed and table.edges else None
        self._last = None


def _alike(above: tuple[tuple[float, float], ...], below: tuple[tuple[float, float], ...]) -> bool:
    return len(above) == len(below) and all(
        min(one[1], other[1]) - max(one[0], other[0]) > 0 for one, other in zip(above, below, strict=True)
    )


def unit_of(text: str) -> str:
    """Return the words of a line that say in which unit a table's figures are, or nothing."""
    found = _UNIT.search(text) if len(text) <= _LONGEST_UNIT else None
    return found.group().strip() if found else ""


def columns_of(rows: Sequence[Row], *, unit: str = "") -> Columns:
    """Write the rows of a table.

    Args:
        rows: from top to bottom, as `retrieval.parsing.tables.find_tables` found them.
        unit: what a line above the table says of its unit; it joins the header's first cell.
    """
    cells = [cells_of(row) for row in rows]
    headers = _header_rows(cells)
    edges = _edges(cells[headers:] or cells)
    placed = [_place(line, edges) for line in cells[headers:]] if edges else []
    if not edges or any(line is None for line in placed):
        return Columns([TableLine(row_text(row), [row]) for row in rows], headed=headers > 0, edges=())
    body = [_Line(line, [row]) for line, row in zip(placed, rows[headers:], strict=True) if line is not None]
    lines = [TableLine(_written(line), line.rows) for line in _joined(body)]
    texts = _header(cells[:headers], edges) if headers else None
    if texts is not None:
        texts[0] = " ".join(filter(None, (texts[0], unit)))
        lines.insert(0, TableLine(_written(_Line(texts)), list(rows[:headers])))
    else:
        lines = [*(TableLine(row_text(row), [row]) for row in rows[:headers]), *lines]
    return Columns(lines, headed=headers > 0, edges=tuple(edges))


def _written(line: _Line) -> str:
    if line.label_only:
        return line.cells[0]
    last = max((place for place, cell in enumerate(line.cells) if cell), default=0)
    return CELL.join(line.cells[: last + 1]).strip()


def _is_figure(cell: Cell) -> bool:
    return _FIGURE.fullmatch(cell.text.strip()) is not None


def _header_rows(cells: Sequence[list[Cell]]) -> int:
    """Count the rows above the first one that has a label and figures that are no years."""
    left = min(cell.x0 for line in cells for cell in line)
    for place, line in enumerate(cells[: _HEADERS + 1]):
        labelled = line[0].x0 <= left + _EDGE and not _is_figure(line[0])
        figures = [cell for cell in line if _is_figure(cell)]
        if labelled and any(not _YEAR.fullmatch(cell.text) for cell in figures):
            return place
        if len(line) == 1 and place and labelled and place + 1 < len(cells):
            return place  # a label without figures opens the body
    return 1 if len(cells) > 1 and len(cells[0]) > 1 else 0


def _edges(cells: Sequence[list[Cell]]) -> list[tuple[float, float]]:
    """Return the columns right of the labels: where cells of rows with several overlap from left to right."""
    left = min((cell.x0 for line in cells for cell in line), default=0.0)
    spans = sorted(
        (cell.x0, cell.x1)
        for line in cells
        if len(line) > 1
        for place, cell in enumerate(line)
        if place or cell.x0 > left + _EDGE
    )
    edges = list[tuple[float, float]]()
    for x0, x1 in spans:
        if edges and x0 < edges[-1][1] - _SLACK:
            edges[-1] = (edges[-1][0], max(edges[-1][1], x1))
        else:
            edges.append((x0, x1))
    return edges


def _place(line: list[Cell], edges: Sequence[tuple[float, float]]) -> list[str] | None:
    """Return the cells of a row by column, or None where two fall into one."""
    placed = [""] * (len(edges) + 1)
    for place, cell in enumerate(line):
        column = _column(cell, edges)
        if place == 0 and (column is None or cell.x0 < edges[0][0] - _EDGE):
            column = 0
        if column is None or placed[column]:
            return None
        placed[column] = cell.text
    return placed


def _column(cell: Cell, edges: Sequence[tuple[float, float]]) -> int | None:
    shared = [min(cell.x1, right) - max(cell.x0, left) for left, right in edges]
    best = max(range(len(edges)), key=lambda place: shared[place])
    return best + 1 if shared[best] > 0 else None


def _header(rows: Sequence[list[Cell]], edges: Sequence[tuple[float, float]]) -> list[str] | None:
    """Return one text a column of several header rows, or None where a cell is over no column.

    A cell counts for each column that is within its reach.
    """
    steps = [(right[0] + right[1] - left[0] - left[1]) / 2 for left, right in itertools.pairwise(edges)]
    reach = _REACH * min(steps) if steps else edges[0][1] - edges[0][0]
    texts = [list[str]() for _ in range(len(edges) + 1)]
    for row in rows:
        cells = row[1:] if _is_stub(row, edges) else row
        if len(cells) < len(row):
            texts[0].append(row[0].text)
        used = set[Cell]()
        for column, edge in enumerate(edges, 1):
            near = min(cells, key=lambda cell: (_gap(cell, edge), _apart(cell, edge)), default=None)
            if near is not None and _gap(near, edge) <= reach:
                used.add(near)
                texts[column] += [near.text] if near.text not in texts[column] else []
        if len(used) < len(cells):
            return None
    return [" ".join(text) for text in texts]


def _is_stub(row: list[Cell], edges: Sequence[tuple[float, float]]) -> bool:
    """Say whether the first cell of a header row stands over the labels and not over the first column."""
    beside = row[1] if len(row) > 1 else None
    if row[0].x1 < edges[0][0] - _EDGE:
        return True
    return beside is not None and row[0].x0 < edges[0][0] - _EDGE and beside.x0 < edges[0][1]


def _gap(cell: Cell, edge: tuple[float, float]) -> float:
    return max(0.0, edge[0] - cell.x1, cell.x0 - edge[1])


def _apart(cell: Cell, edge: tuple[float, float]) -> float:
    return abs(cell.x0 + cell.x1 - edge[0] - edge[1])


def _joined(lines: list[_Line]) -> list[_Line]:
    """Join the lines of cells that hold several."""
    joined = list[_Line]()
    for line in lines:
        above = joined[-1] if joined else None
        if above is not None and _near(above, line) and _continues(above, line):
            cells = zip(above.cells, line.cells, strict=True)
            joined[-1] = _Line([" ".join(filter(None, pair)) for pair in cells], [*above.rows, *line.rows])
        else:
            joined.append(line)
    return joined


def _near(above: _Line, below: _Line) -> bool:
    last, first = above.rows[-1], below.rows[0]
    return first.top - last.bottom <= _TIGHT * max(last.height, first.height)


def _continues(above: _Line, line: _Line) -> bool:
    """Say whether a row is the second line of the cells above it."""
    label, figures = line.cells[0], [cell for cell in line.cells[1:] if cell]
    if not label:  # words below words; figures without a label are a row of their own
        return not any(_FIGURE.fullmatch(cell) for cell in figures) and all(
            above.cells[place] for place, cell in enumerate(line.cells) if cell
        )
    if label[0].islower() and (line.label_only or above.label_only):
        return True
    return above.label_only and _OPEN.search(above.cells[0]) is not None
