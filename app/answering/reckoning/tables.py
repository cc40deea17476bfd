"""Tables in the text of a passage, read into cells that know their row, their column and their scale.

A table is a run of lines whose cells are parted by ``|``, as Markdown writes it. Rows above the first row of figures
are headings; a row with a name and nothing else is the heading of the rows below it. What a table says of its scale
("in thousands", 单位：万元) may stand in its own headings, in the passage, or in another passage of the same document.

    | (in thousands) | 2022  | 2021  |
    |----------------|-------|-------|
    | Paper          | 5,200 | 5,000 |        cells: Paper/2022 = 5,200 x 1000, Paper/2021 = 5,000 x 1000

Not covered: cells that span several rows, and tables whose columns are only held apart by blanks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from app.answering.checking.dates import dates
from app.answering.checking.units import table_scales
from app.answering.checking.values import Value, ValueKind, extract
from retrieval.types import Evidence

__all__ = ["Cell", "Table", "one_figure", "scale_beside", "tables_of"]

_RULE: Final = re.compile(r"^[\s|:+=-]+$")
_APOSTROPHES: Final = re.compile(r"(?<![\d,.])(?:['’‘]000|[$€£]\s?000|000s)(?!\d)|千元")
_MILLIONS: Final = re.compile(
    r"(?<![A-Za-z])(?:[$€£]|US\$|RMB|A\$|£)\s?m(?:n|illions?)?(?![A-Za-z])|百万元", re.IGNORECASE
)
_NO_SCALE: Final = re.compile(
    r"\bper\s+(?:\w+\s+)?(?:share|unit)|\bshares?\b|\bunits?\b|\boptions\b|\bnumber\s+of|\bno\.\s+of|\brate\b|\bratio\b|\bmargin\b|%|percent"
    r"|\bwarrants\b|\bin\s+years\b|\(years\)|\bheadcount|\bemployees\b|每股|股数|比率|比例|率",
    re.IGNORECASE,
)
"""Rows and columns that a table's "in thousands" is mostly not about."""

_PERCENT: Final = re.compile(r"%|\bper\s?cent(?:age)?\b|百分比|占比", re.IGNORECASE)
_NOTHING: Final = frozenset({"", "-", "—", "–", "n/a", "N/A", "nil", "Nil", "不适用"})
_NOTE: Final = re.compile(r"\s*\((?:\d{1,2}|[a-z])\)\s*$")


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of a table.

    Attributes:
        cite: Id of the evidence.
        row: Name of its row; "" where it has none.
        section: What stands over its row.
        column: What stands over its column.
        text: As it is printed.
        value: What it says; `amount` without the table's scale.
        line: Number of its row in the table, from 0.
        place: Number of its column, from 0.
        scale: What the table says its figures are counted in; 1 where it says nothing.
    """

    cite: str
    row: str
    section: str
    column: str
    text: str
    value: Value
    line: int
    place: int
    scale: Decimal

    @property
    def years(self) -> frozenset[int]:
        """Years that its column names, or else its row."""
        return _years(self.column) or _years(self.row)

    @property
    def name(self) -> str:
        """What the figure is, for a reader: row and column."""
        return ", ".join(part for part in (self.row or self.section, self.column) if part)


@dataclass(frozen=True, slots=True)
class Table:
    """The figures of a table, its headings that stand over no single column, and what its passage says beside it."""

    cite: str
    title: str
    cells: tuple[Cell, ...]
    around: str


def tables_of(item: Evidence, beside: Sequence[Evidence] = ()) -> list[Table]:
    """Return the tables in a piece of evidence.

    Args:
        item: The evidence.
        beside: The other evidence, whose scale counts where it is of the same document and the table says nothing.
    """
    return [_table(item, rows, beside) for rows in _grids(item.text)]


def one_figure(text: str) -> Value | None:
    """Return the figure that a cell holds: its only number, or a year that stands for nothing else."""
    if text.strip() in _NOTHING or len(text) > 80:
        return None
    figures = [value for value in extract(_NOTE.sub("", text)) if value.kind is ValueKind.NUMBER]
    if len(figures) != 1:
        return None
    return replace(figures[0], unit="%") if "%" in text else figures[0]


def scale_beside(item: Evidence, beside: Sequence[Evidence]) -> Decimal:
    """Return the scale that a passage, or else the rest of its document, declares; 1 where that is none or several."""
    for text in (item.text, "\n".join(other.text for other in beside if _same_document(item, other))):
        scales = _scales(text)
        if scales:
            return scales[0] if len(scales) == 1 else Decimal(1)
    return Decimal(1)


def _scales(text: str) -> list[Decimal]:
    found = set(table_scales(text))
    if _APOSTROPHES.search(text):
        found.add(Decimal(1000))
    if _MILLIONS.search(text):
        found.add(Decimal(10**6))
    return sorted(found)


def _same_document(one: Evidence, other: Evidence) -> bool:
    return one.id != other.id and one.locator.document_id == other.locator.document_id


def _grids(text: str) -> Iterator[list[list[str]]]:
    rows: list[list[str]] = []
    for line in [*text.split("\n"), ""]:
        if "|" in line:
            if not _RULE.match(line):
                rows.append(_cells(line))
        elif rows:
            if len(rows) > 1:
                yield rows
            rows = []


def _cells(line: str) -> list[str]:
    bare = line.strip()
    bare = bare[1:] if bare.startswith("|") else bare
    bare = bare[:-1] if bare.endswith("|") else bare
    return [cell.strip() for cell in bare.split("|")]


def _table(item: Evidence, rows: list[list[str]], beside: Sequence[Evidence]) -> Table:
    first = next((at for at, row in enumerate(rows) if at > 0 and _has_figures(row)), len(rows))
    if first > 1 and all(not any(row[1:]) for row in rows[1:first]):
        first = 1  # what follows the heading is a section of the body
    width = max(len(row) for row in rows)
    columns, title = _headings(rows[:first], width)
    head = " ".join([title, *columns])
    own = _scales(head)
    scale = own[0] if len(own) == 1 else Decimal(1) if own else scale_beside(item, beside)
    cells: list[Cell] = []
    section = ""
    for line, row in enumerate(rows[first:], first):
        if not any(cell not in _NOTHING for cell in row[1:]):
            section = row[0]
            continue
        for place, text in enumerate(row[1:], 1):
            value = one_figure(text)
            if value is not None:
                cells.append(_cell(item.id, row[0], section, columns[place], text, value, line, place, scale, title))
    prose = "\n".join(line for line in item.text.split("\n") if "|" not in line)
    around = "\n".join((item.locator.document, *item.locator.headings, prose))
    return Table(item.id, title, tuple(_upright(cells)), around)


def _upright(cells: list[Cell]) -> list[Cell]:
    """Return cells whose columns are periods: a table with its periods down the side is turned."""
    if any(_years(cell.column) for cell in cells) or len({cell.line for cell in cells if _years(cell.row)}) < 2:
        return cells
    turned = [
        replace(cell, row=cell.column, column=cell.row, line=cell.place, place=cell.line)
        for cell in cells
        if cell.column and cell.row
    ]
    return sorted(turned, key=lambda cell: (cell.line, cell.place))


def _cell(
    cite: str,
    row: str,
    section: str,
    column: str,
    text: str,
    value: Value,
    line: int,
    place: int,
    scale: Decimal,
    title: str,
) -> Cell:
    column_scales = _scales(column)
    if column_scales:
        scale = column_scales[0]
    row_scales = _scales(row)
    if row_scales:
        scale = row_scales[0]
    elif value.scaled or value.unit == "%" or _NO_SCALE.search(f"{row} {column}"):
        scale = Decimal(1)
    return Cell(cite, row, section, column, text, value, line, place, scale)


def _has_figures(row: list[str]) -> bool:
    """Say whether a row holds figures that are no years: a row of the body."""
    return any(one_figure(cell) is not None and not _is_heading(cell) for cell in row[1:])


def _is_heading(cell: str) -> bool:
    return bool(_years(cell)) or bool(_scales(cell))


def _headings(rows: list[list[str]], width: int) -> tuple[list[str], str]:
    """Return what stands over each column, and what stands over all of them."""
    columns: list[list[str]] = [[] for _ in range(width)]
    title: list[str] = []
    for row in rows:
        filled = [place for place, cell in enumerate(row) if cell]
        if len([place for place in filled if place > 0]) == 1 and width > 2:
            title.extend(row[place] for place in filled)
            continue
        for place in filled:
            (columns[place] if place else title).append(row[place])
    return [" ".join(parts) for parts in columns], " ".join(title)


def _years(text: str) -> frozenset[int]:
    return frozenset(date.year for _, _, date in dates(text) if date.year is not None)


def is_percent(cell: Cell) -> bool:
    """Say whether a figure is a per cent: by its own sign, or by its row or column."""
    return cell.value.unit == "%" or (cell.value.unit is None and bool(_PERCENT.search(f"{cell.row} {cell.column}")))
