"""Finds the tables in a sheet of cells, and writes each with its caption, its unit and one header row.

A sheet holds several tables where empty rows part them. Rows above a table that have a single filled cell, or that
name a unit, are its caption, which becomes a heading: so it stays with every part of the table, however long the table
is. Headers of several rows, told by cells merged across columns, are written as one row ("2023 Q1"), since that row is
what is repeated; a cell merged over several rows is written in each of them.

Not covered: tables side by side without a header of their own (they are read as one), and headers of several rows
without merged cells (the second is read as the first row of figures).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from retrieval.parsing.clean import one_line
from retrieval.parsing.flow import Piece
from retrieval.parsing.marks import begins_item
from retrieval.parsing.page_text import CELL
from retrieval.parsing.types import BlockKind

__all__ = ["Merge", "row_line", "table_text", "tables"]

_CAPTION_ROWS: Final = 4  # title, entity, period and unit; more is text
_CAPTION: Final = 160  # characters of a caption's row; more is text
_NOTE: Final = 80  # characters from which a single cell below a table is a note
_LIST: Final = 4  # rows from which single cells are a table of one column
_LOOKED_AT: Final = 8  # rows of a table
_FILLED: Final = 200_000  # cells that merged cells may fill altogether
_PLACES: Final = 1_000_000  # of a table whose merged cells are placed; a larger one is written as it stands
_UNIT: Final = re.compile(
    r"(?:金额)?\s*(?:单位|币种|货币)\s*[:：]|人民币(?:百?千?万?亿?元)|\(?(?:in|amounts? in)\s+(?:\w+\s+)?"
    r"(?:thousands|millions|billions)|(?:unit|units|currency)\s*:",
    re.IGNORECASE,
)
_UNIT_CELLS: Final = 3
_NOTE_MARK: Final = re.compile(
    r"(?:notes?|source|sources|remarks?)\s*[:.]|[注说明备来源资料]{1,4}\s*[:：]|[*†‡]", re.IGNORECASE
)

_Rows = list[list[str]]


@dataclass(frozen=True, slots=True)
class Merge:
    """A cell that covers several: rows and columns from 0, the last ones included."""

    top: int
    left: int
    bottom: int
    right: int


def tables(
    rows: Sequence[Sequence[str]], merges: Sequence[Merge] = (), *, level: int, numbers: Sequence[int] = ()
) -> Iterator[Piece]:
    """Yield captions as headings of `level`, tables, and the text between them.

    Args:
        rows: cells as text; "" is an empty cell, and rows may differ in length.
        merges: merged cells; of each, only the first cell holds text.
        level: the level of a caption's heading.
        numbers: what the rows are called, one number each; their places from 1 by default.
    """
    filled = _fill(rows, merges)
    across = sorted((merge for merge in merges if merge.right > merge.left), key=lambda merge: merge.top)
    tops = [merge.top for merge in across]
    pending, captioned = list[str](), False
    for first, last in _regions(filled):
        region = filled[first:last]
        captions, start = _captions(region)
        if start == len(region):  # no row of several cells
            if len(region) <= _CAPTION_ROWS and all(len(text) <= _CAPTION for text in captions):
                pending += captions
                continue
            yield from _texts(pending)
            yield from _column(captions)
            pending = []
            continue
        title = [*pending, *captions]
        pending = []
        if len(title) > _CAPTION_ROWS or any(len(text) > _CAPTION for text in title):
            yield from _texts(title)
            title = []
        if title:
            yield Piece(BlockKind.HEADING, "; ".join(dict.fromkeys(title)), level)
            captioned = True
        elif captioned:  # what follows is not part of the table before
            begun, ended = (numbers[first], numbers[last - 1]) if numbers else (first + 1, last)
            yield Piece(BlockKind.HEADING, f"Rows {begun} to {ended}", level)
        end = _notes(region, start)
        top, below = first + start, first + end
        inside = across[bisect_left(tops, top) : bisect_left(tops, below)]
        yield Piece(BlockKind.TABLE, _table(region[start:end], inside, top=top))
        yield from _texts([_single(row) for row in region[end:]])
    yield from _column(pending)


def table_text(rows: Sequence[Sequence[str]], merges: Sequence[Merge] = ()) -> str:
    """Return one table as lines, with its header in the first of them."""
    filled = _fill(rows, merges)
    kept = [number for number, row in enumerate(filled) if any(row)]
    places = {number: place for place, number in enumerate(kept)}
    across = [
        Merge(places[one.top], one.left, places[one.top], one.right)
        for one in merges
        if one.right > one.left and one.top in places
    ]
    return _table([filled[number] for number in kept], across) if kept else ""


def row_line(cells: Sequence[str]) -> str:
    """Return the cells of a row as a line; empty cells keep their place, but for those at the end."""
    last = max((at for at, cell in enumerate(cells) if cell), default=-1)
    return CELL.join(cells[: last + 1])


def _fill(rows: Sequence[Sequence[str]], merges: Sequence[Merge]) -> _Rows:
    """Return the rows as clean text, with cells that are merged over several rows written in each."""
    filled = [[one_line(cell).replace(CELL, " / ") if cell else "" for cell in row] for row in rows]
    for row in filled:  # a row of empty cells is as wide as its program likes
        while row and not row[-1]:
            row.pop()
    left = _FILLED
    for merge in merges:
        bottom = min(merge.bottom, len(filled) - 1)
        cost = (bottom - merge.top) * (merge.left + 1)
        if merge.top >= bottom or merge.left >= len(filled[merge.top]) or left < cost:
            continue
        left -= cost
        for row in filled[merge.top + 1 : bottom + 1]:
            row.extend([""] * (merge.left + 1 - len(row)))
            row[merge.left] = row[merge.left] or filled[merge.top][merge.left]
    return filled


def _regions(rows: _Rows) -> Iterator[tuple[int, int]]:
    """Yield half-open ranges of rows without an empty one between them."""
    start = -1
    for number, row in enumerate(rows):
        if any(row):
            start = number if start < 0 else start
        elif start >= 0:
            yield start, number
            start = -1
    if start >= 0:
        yield start, len(rows)


def _captions(region: _Rows) -> tuple[list[str], int]:
    """Return the rows above a table, and where the table begins: at the end if there is none."""
    texts, at = list[str](), 0
    while at < len(region):
        cells = [cell for cell in region[at] if cell]
        named = len(cells) <= _UNIT_CELLS and any(_UNIT.match(cell) for cell in cells) and at + 1 < len(region)
        if len(cells) > 1 and not named:
            break
        texts += cells
        at += 1
    return texts, at


def _single(row: list[str]) -> str:
    return next((cell for cell in row if cell), "")


def _notes(region: _Rows, start: int) -> int:
    """Return where the notes below a table begin."""
    end = len(region)
    while end > start + 1 and sum(map(bool, region[end - 1])) == 1:
        text = _single(region[end - 1])
        if len(text) < _NOTE and not _NOTE_MARK.match(text):
            break
        end -= 1
    return end


def _heads(rows: _Rows, merge: Merge) -> bool:
    """Say whether a merged cell of the first row heads columns that the second row names.

    It does where the second row has several names there and no figure, and either figures follow below, or the first
    column has a cell merged over both rows.
    """
    if len(rows) < 3:
        return False
    columns = slice(merge.left, merge.right + 1)
    names = [cell for cell in rows[1][columns] if cell]
    figures = any(_is_figure(cell) for row in rows[2:_LOOKED_AT] for cell in row[columns])
    beside = merge.left > 0 and rows[0][0] != "" and rows[0][0] == rows[1][0]
    return len(names) > 1 and not any(map(_is_figure, names)) and (figures or beside)


def _is_figure(text: str) -> bool:
    """Say whether a cell holds a figure; a year alone is as often a name of a column."""
    bare = text.strip("()-+%$€£¥ ").replace(",", "").replace(".", "", 1)
    return bare.isdigit() and not (len(text) == 4 and text[:2] in ("19", "20"))


def _table(rows: _Rows, across: Sequence[Merge], *, top: int = 0) -> str:
    """Write a table; `across` are its cells that are merged across columns, in rows counted from `top`."""
    used = sorted({column for row in rows for column, text in enumerate(row) if text})
    cells = [[row[column] for column in used[: bisect_left(used, len(row))]] for row in rows]
    merges = [
        Merge(one.top - top, left, one.top - top, right)
        for one in across
        if (left := bisect_left(used, one.left)) < (right := bisect_right(used, one.right) - 1)
    ]
    if merges and len(used) * len(cells) <= _PLACES:
        cells = _unmerged([row + [""] * (len(used) - len(row)) for row in cells], merges)
    kept = sorted({column for row in cells for column, text in enumerate(row) if text})
    return "\n".join(row_line([row[column] for column in kept[: bisect_left(kept, len(row))]]) for row in cells)


def _unmerged(cells: _Rows, merges: Sequence[Merge]) -> _Rows:
    """Return the rows with what is merged across columns above the columns that it heads, in one header row."""
    over = [merge for merge in merges if merge.top == 0]
    names = [cells[0][merge.left] for merge in over]
    headed = any(_heads(cells, merge) for merge in over)
    _settle(cells, merges)
    if headed:
        for merge, name in zip(over, names, strict=True):
            for column in range(merge.left, merge.right + 1):
                if any(row[column] for row in cells[1:]):
                    cells[0][column] = cells[0][column] or name
        pairs = zip(*cells[:2], strict=True)
        cells = [[" ".join(dict.fromkeys(filter(None, pair))) for pair in pairs], *cells[2:]]
    return cells


def _settle(cells: _Rows, merges: Sequence[Merge]) -> None:
    """Move the text of a cell that is merged across columns to the column, of these, that holds what it heads.

    Figures often stand in the second column of the three that their year covers, between a sign and a bracket.
    """
    origins = {(merge.top, merge.left) for merge in merges}
    counts = [0] * len(cells[0])
    for number, row in enumerate(cells):
        for column, text in enumerate(row):
            counts[column] += bool(text) and (number, column) not in origins
    left = _FILLED
    for merge in merges:
        left -= merge.right - merge.left
        if left < 0 or counts[merge.left]:
            continue
        place = max(range(merge.left, merge.right + 1), key=lambda column: counts[column])
        row = cells[merge.top]
        if counts[place] and not row[place]:
            row[place], row[merge.left] = row[merge.left], ""


def _texts(texts: Sequence[str]) -> Iterator[Piece]:
    for text in texts:
        yield Piece(BlockKind.LIST_ITEM if begins_item(text) else BlockKind.PARAGRAPH, text)


def _column(texts: Sequence[str]) -> Iterator[Piece]:
    """Yield single cells below each other: a table of one column, or text."""
    if len(texts) >= _LIST and all(len(text) <= _CAPTION for text in texts):
        yield Piece(BlockKind.TABLE, "\n".join(texts))
    else:
        yield from _texts(texts)
