"""Finds the statements in a table of cells: which row holds the periods, which column the names, what the unit is.

Two shapes are read. *Wide*: names of items down the side, one column a period; several statements may stand under
each other, each with its own heading, or beside each other (assets left, liabilities right). *Long*: one figure a row,
with columns for item, period, value and perhaps unit, currency and part.

* A heading may take up to three rows ("Year ended December 31," over 2023, 2022). A heading cell that is empty takes
  the text on its left, which is how a merged cell reads.
* The unit is what the cells above a table say last (单位：万元; "in millions"); `Defaults` holds when they say nothing.
* English scale words count for numbers of shares as well unless the heading excepts shares; 万元 is an amount of money
  and never counts for shares. Amounts per share and pure numbers are never scaled.
* "分部收入：云业务" and "segment_revenue: Cloud" name a part of an item that is reported in parts.

Not covered: periods down the side and items across; percentages and differences in columns of their own (left aside,
since their heading names no period).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Final

from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.intake.aliases import PARTS, concept_of, normal
from domains.finance.statements.intake.amounts import Unit, factor_of, plain, read_amount, read_currency, read_unit
from domains.finance.statements.intake.figures import Brought, Figure
from domains.finance.statements.intake.periods import Mark, read_period
from domains.finance.statements.refusals import InputRefused
from domains.finance.statements.types import Source

__all__ = ["Defaults", "GridCell", "factor_for", "item_of", "read_grid"]

Value = str | Decimal | date | None

_HEADING_ROWS: Final = 3
_EXCEPT_SHARES: Final = re.compile(
    r"\bexcept\s+(?:for\s+)?(?:number of )?shares?\b(?!\s+amounts?\b)|except (?:as noted )?(?:for )?share and"
)
_MEMBER: Final = re.compile(r"^(?P<item>[^:：]{2,80})[:：]\s*(?P<member>\S.{0,79})$")
_LETTER: Final = re.compile(r"[^\W\d_]")

_LONG: Final = {
    "item": ("item", "concept", "line item", "account", "科目", "项目", "报表项目", "指标"),
    "period": ("period", "period end", "date", "year", "期间", "报告期", "日期", "年度", "截止日期"),
    "value": ("value", "amount", "figure", "金额", "数值", "数额", "值"),
    "unit": ("unit", "scale", "单位"),
    "currency": ("currency", "币种", "货币"),
    "member": ("member", "part", "segment", "分部", "分项"),
}


_WHOLE: Final = Unit(1, None)


@dataclass(frozen=True, slots=True)
class GridCell:
    """What stands at one place."""

    value: Value
    place: str

    @property
    def text(self) -> str:
        """The value as plain text; a day as ISO 8601."""
        if self.value is None:
            return ""
        return self.value.isoformat() if isinstance(self.value, date) else plain(str(self.value))


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds where a table says nothing."""

    unit: Unit = _WHOLE
    year_end: tuple[int, int] = (12, 31)


def item_of(label: str) -> tuple[str | None, str | None, bool]:
    """Return what a label names: the item, its part, and whether the line is one of several that are added up."""
    whole = concept_of(label)
    if whole is not None:
        return whole, None, False
    if normal(label) in PARTS:
        return PARTS[normal(label)], None, True
    match = _MEMBER.match(plain(label))
    if match:
        item = concept_of(match["item"])
        if item is not None and CONCEPTS[item].by_member:
            return item, match["member"], False
    return None, None, False


def factor_for(concept: str | None, unit: Unit, *, shares: bool) -> int:
    """Return the factor that a unit has for an item; items that are not known count as money."""
    kind = CONCEPTS[concept].unit if concept is not None else "currency"
    if kind in ("per_share", "pure") or (kind == "shares" and not shares):
        return 1
    return unit.factor or 1


def read_grid(rows: Sequence[Sequence[GridCell]], *, document: str, defaults: Defaults) -> Brought:
    """Return the figures of one sheet or file; none when it holds no table with periods.

    Raises:
        InputRefused: a figure of a known item, a period or a unit cannot be read.
    """
    for number, row in enumerate(rows[:30]):
        columns = _long_columns(row)
        if columns is not None:
            return _Long(rows[number + 1 :], columns, document, defaults).read()
    return _Wide(rows, document, defaults).read()


def _long_columns(row: Sequence[GridCell]) -> dict[str, int] | None:
    names = [cell.text.lower() for cell in row]
    found = {key: names.index(name) for key, words in _LONG.items() for name in reversed(words) if name in names}
    return found if {"item", "period", "value"} <= found.keys() else None


class _Reader:
    """Collects what a table gives."""

    def __init__(self, document: str, defaults: Defaults) -> None:
        self._document = document
        self._defaults = defaults
        self._figures: list[Figure] = []
        self._empty = 0
        self._unread: list[str] = []

    def _brought(self) -> Brought:
        return Brought(tuple(self._figures), empty=self._empty, unread=tuple(self._unread))

    def _take(
        self, label: str, cell: GridCell, mark: Mark, unit: Unit, *, shares: bool, member: str | None = None
    ) -> None:
        concept, part_name, part = item_of(label)
        member = member or part_name
        if isinstance(cell.value, date):
            self._unread.append(cell.place)
            return
        try:
            factor = factor_for(concept, unit, shares=shares)
            amount = read_amount(cell.value, factor=factor, place=cell.place)
        except InputRefused:
            if concept is not None:
                raise
            self._unread.append(cell.place)
            return
        if amount is None:
            self._empty += concept is not None
            return
        currency = unit.currency or self._defaults.unit.currency
        source = Source(self._document, place=cell.place)
        self._figures.append(Figure(label[:200], mark, amount, source, concept, currency, member, part=part))


class _Long(_Reader):
    """One figure a row."""

    def __init__(
        self, rows: Sequence[Sequence[GridCell]], columns: dict[str, int], document: str, defaults: Defaults
    ) -> None:
        super().__init__(document, defaults)
        self._rows, self._columns = rows, columns

    def read(self) -> Brought:
        for row in self._rows:
            cells = {key: row[at] if at < len(row) else GridCell(None, "") for key, at in self._columns.items()}
            if not cells["item"].text:
                continue
            mark = read_period(cells["period"].text, year_end=self._defaults.year_end)
            if mark is None:
                raise InputRefused(
                    f"The period at {cells['period'].place or cells['item'].place} cannot be read.",
                    remedy="Write periods like 2023, 2023-12-31, 2023Q1 or 2023年1-6月.",
                )
            unit = self._unit_of(cells)
            member = cells["member"].text if "member" in cells else ""
            self._take(cells["item"].text, cells["value"], mark, unit, shares=True, member=member or None)
        return self._brought()

    def _unit_of(self, cells: dict[str, GridCell]) -> Unit:
        unit = self._defaults.unit
        if "unit" in cells and cells["unit"].text:
            said = read_unit(cells["unit"].text)
            unit = Unit(said.factor or factor_of(cells["unit"].text), said.currency or unit.currency)
        if "currency" in cells and cells["currency"].text:
            unit = replace(unit, currency=read_currency(cells["currency"].text))
        return unit


class _Wide(_Reader):
    """Items down the side, a column for each period."""

    def __init__(self, rows: Sequence[Sequence[GridCell]], document: str, defaults: Defaults) -> None:
        super().__init__(document, defaults)
        self._rows = rows
        self._unit = defaults.unit
        self._shares = True
        self._marks: dict[int, Mark] = {}
        self._labels: dict[int, tuple[int, ...]] = {}

    def read(self) -> Brought:
        for number, row in enumerate(self._rows):
            marks = self._heading(number)
            if marks:
                self._marks, self._labels = marks, self._label_columns(number, marks)
                self._listen(row)
            elif self._marks and any(self._has_amount(row, at) for at in self._marks):
                self._data(row)
            else:
                self._listen(row)
        return self._brought()

    def _listen(self, row: Sequence[GridCell]) -> None:
        """Take up what a row above figures says of the unit."""
        said = " ".join(cell.value for cell in row if isinstance(cell.value, str))[:400]
        unit = read_unit(said)
        if unit.factor is not None:
            low = plain(said).lower()
            chinese = any("一" <= mark <= "鿿" for mark in said)
            self._shares = not chinese and not _EXCEPT_SHARES.search(low)
            self._unit = Unit(unit.factor, unit.currency or self._defaults.unit.currency)
        elif unit.currency is not None and self._unit.currency is None:
            self._unit = replace(self._unit, currency=unit.currency)

    def _heading(self, number: int) -> dict[int, Mark]:
        """Return the period of each column if this row is the last of a heading."""
        row = self._rows[number]
        first = next((cell.text for cell in row if cell.text), "")
        if item_of(first)[0] is not None:
            return {}
        block = [self._filled(above) for above in range(max(0, number - _HEADING_ROWS + 1), number)]
        found: dict[int, Mark] = {}
        for at, cell in enumerate(row):
            if at == 0 and len(row) > 1 and isinstance(cell.value, str) and not self._reads(cell.text):
                continue
            mark = self._mark_of(cell, [above.get(at, "") for above in block])
            if mark is not None:
                found[at] = mark
            elif isinstance(cell.value, Decimal):
                return {}  # a row with a figure that is no year is no heading
        return found

    def _mark_of(self, cell: GridCell, above: Sequence[str]) -> Mark | None:
        if not cell.text or len(cell.text) > 80:
            return None
        alone = read_period(cell.text, year_end=self._defaults.year_end)
        for depth in range(len(above)):
            joined = " ".join(part for part in (*above[depth:], cell.text) if part)
            if joined == cell.text or len(joined) > 160:
                continue
            mark = read_period(joined, year_end=self._defaults.year_end)
            if mark is None or (alone is not None and mark.end.year != alone.end.year):
                continue
            if alone is not None or mark != read_period(" ".join(above[depth:]), year_end=self._defaults.year_end):
                return mark  # the cell itself says something of time, it does not only stand under a heading
        return alone

    def _reads(self, text: str) -> bool:
        return len(text) <= 80 and read_period(text, year_end=self._defaults.year_end) is not None

    def _filled(self, number: int) -> dict[int, str]:
        """Return the texts of a heading row by column, each empty cell with the text on its left."""
        row = self._rows[number]
        if all(not cell.text for cell in row[1:]) or any(
            isinstance(c.value, Decimal) and not self._reads(c.text) for c in row
        ):
            return {}
        last, filled = "", {}
        for at, cell in enumerate(row[1:], 1):
            last = cell.text or last
            filled[at] = last
        return filled

    def _label_columns(self, number: int, marks: dict[int, Mark]) -> dict[int, tuple[int, ...]]:
        """Return, for each column of figures, the columns in which the names of its block may stand."""
        below = self._rows[number + 1 : number + 200]
        found: dict[int, tuple[int, ...]] = {}
        between: list[int] = []
        names: tuple[int, ...] = ()
        for at in range(max(marks) + 1):
            if at not in marks:
                between.append(at)
                continue
            named = tuple(column for column in between if any(_is_name(row, column) for row in below))
            names, between = named or names, []
            found[at] = names
        return found

    def _data(self, row: Sequence[GridCell]) -> None:
        for at, mark in self._marks.items():
            cell = row[at] if at < len(row) else GridCell(None, "")
            label = next((row[column].text for column in self._labels[at] if _is_name(row, column)), "")
            if label:
                self._take(label, cell, mark, self._unit, shares=self._shares)

    def _has_amount(self, row: Sequence[GridCell], at: int) -> bool:
        return at < len(row) and row[at].value is not None and bool(row[at].text)


def _is_name(row: Sequence[GridCell], column: int) -> bool:
    if column >= len(row) or not isinstance(row[column].value, str):
        return False
    text = row[column].text
    return bool(_LETTER.search(text)) and not re.fullmatch(r"[一二三四五六七八九十、()\d.]{1,8}", text)
