"""Reads XLSX: each visible sheet on pages of its own, its tables whole, its figures as the spreadsheet shows them.

openpyxl's own reader of a sheet is used row by row, so that a sheet is never held as objects. Formulas give the value
that was saved with them; nothing is computed, executed or fetched. Hidden sheets, rows and columns, cells whose format
shows nothing and cells in the colour of their ground are left out.

Not covered: charts, text boxes, comments, headers and footers; the old binary .xls and .xlsb, and the strict form of
.xlsx, which are refused; colours that a conditional format or a table style sets; rows that a filter hides are hidden
rows.
"""

from __future__ import annotations

import re
import sys
import warnings
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from retrieval.errors import DamagedFile
from retrieval.parsing.cells import Merge, tables
from retrieval.parsing.clean import one_line
from retrieval.parsing.colours import WHITE, Colour, colour_of, near
from retrieval.parsing.flow import PAGE_CHARS, Piece, paginate, remarked, too_many_pages
from retrieval.parsing.number_format import shown
from retrieval.parsing.package import check_package, damaged, reading
from retrieval.parsing.types import BlockKind, ParsedPage
from retrieval.types import Remark

_HAS_NUMPY = "numpy" in sys.modules
if not _HAS_NUMPY:  # openpyxl asks for numpy to write its numbers, and would start its threads and take its memory
    sys.modules["numpy"] = None  # type: ignore[assignment]  # None makes an import fail; typeshed knows modules alone
try:
    import openpyxl
    from openpyxl.cell.read_only import ReadOnlyCell
    from openpyxl.utils import range_boundaries
    from openpyxl.worksheet._reader import FORMULA_TAG, WorkSheetParser
finally:
    if not _HAS_NUMPY:
        del sys.modules["numpy"]

__all__ = ["read"]

_MAIN_PART: Final = "xl/workbook.xml"
_STRICT: Final = b"http://purl.oclc.org/ooxml/spreadsheetml/main"  # in which openpyxl finds no cell
_UNCOMPUTED: Final = "(formula without a saved value)"
_FORMULAS: Final = "formulas without a saved value"
_DETAIL: Final = 200  # characters of a remark
_BLACK: Final[Colour] = (0, 0, 0)
_THEME: Final = {0: WHITE, 1: _BLACK}  # the first two colours of a theme are its ground and its text
_INDEXED: Final = {0: _BLACK, 1: WHITE, 8: _BLACK, 9: WHITE, 64: _BLACK, 65: WHITE}
_UNNAMED: Final = re.compile(r"(?:Sheet|工作表)\s*\d*", re.IGNORECASE)  # as a program names the only sheet
_TRUE: Final = frozenset({"1", "true"})
_ROWS: Final = 1_048_576  # of a sheet, by the standard
_COLUMNS: Final = 16_384


def read(path: Path, *, max_pages: int) -> tuple[int, Iterator[ParsedPage]]:
    """Return the number of pages and the pages: a sheet begins a page, and takes as many as its text needs.

    Raises:
        DamagedFile: The package or its XML is broken, or defines entities.
        EncryptedFile: It asks for a password.
        ParseLimit: It unpacks to more than 512 MiB.
        TooManyPages: There are more than `max_pages` pages of 3,000 characters.
    """
    check_package(path)
    with warnings.catch_warnings(), reading(), path.open("rb") as file:  # of a path, openpyxl asks that it end in .xlsx
        warnings.simplefilter("ignore")  # it warns of styles and extensions that it leaves out
        workbook = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        try:
            if _STRICT in workbook._archive.read(_MAIN_PART):
                raise DamagedFile(
                    "The workbook is written in the strict form, which is not read.",
                    remedy="Save it as an ordinary Excel workbook (.xlsx).",
                )
            remarks = list[Remark]()
            pieces = _pieces(workbook, remarks, max_chars=max_pages * PAGE_CHARS)
            total, pages = paginate(pieces, max_pages=max_pages)
            return total, remarked(pages, remarks)
        except _TooLongError:
            raise too_many_pages(max_pages) from None
        finally:
            workbook.close()


class _TooLongError(Exception):
    """The sheets show more text than may be read."""


@dataclass(frozen=True, slots=True)
class _Style:
    """How the cells of one style look: their format code, and whether they look like their ground."""

    code: str
    unseen: bool


@dataclass(slots=True)
class _Sheet:
    """What a sheet shows; `numbers` are the rows' own numbers, in the order of `rows`."""

    rows: list[list[str]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


class _Reader(WorkSheetParser):  # type: ignore[misc]  # openpyxl is untyped
    """Tells a formula without a saved value from an empty cell."""

    def parse_cell(self, element: Any) -> dict[str, Any]:
        cell: dict[str, Any] = super().parse_cell(element)
        if cell["value"] is None and element.find(FORMULA_TAG) is not None:
            cell["data_type"] = "f"
        return cell


def _pieces(workbook: Any, remarks: list[Remark], *, max_chars: int) -> Iterator[Piece]:
    """Yield the sheets; what is left out of them is remarked by the number of the sheet, since a name is its text."""
    styles, left = dict[int, _Style](), max_chars
    sheets = list(enumerate(workbook.worksheets, 1))
    hidden = [str(number) for number, sheet in sheets if sheet.sheet_state != "visible"]
    if hidden:
        remarks.append(Remark(code="hidden_text", detail=f"hidden sheets: {', '.join(hidden)}"[:_DETAIL]))
    for number, sheet in sheets:
        if sheet.sheet_state != "visible":
            continue
        found = _read_sheet(workbook, sheet, styles, left)
        left -= sum(len(cell) for row in found.rows for cell in row)
        for what, count in sorted(found.left_out.items()):
            code = "formula_unread" if what == _FORMULAS else "hidden_text"
            remarks.append(Remark(code=code, detail=f"sheet {number}, {what}: {count}"))
        if len(sheets) - len(hidden) > 1 or not _UNNAMED.fullmatch(sheet.title):
            yield Piece(BlockKind.HEADING, one_line(sheet.title), 1, begins_page=True)
        yield from tables(found.rows, found.merges, level=2, numbers=found.numbers)


def _read_sheet(workbook: Any, sheet: Any, styles: dict[int, _Style], max_chars: int) -> _Sheet:
    found, size, last = _Sheet(), 0, 0
    with workbook._archive.open(sheet._worksheet_path) as source:
        reader = _Reader(
            source,
            sheet._shared_strings,
            data_only=True,
            epoch=workbook.epoch,
            date_formats=workbook._date_formats,
            timedelta_formats=workbook._timedelta_formats,
        )
        for number, cells in reader.parse():
            if not last < number <= _ROWS:
                raise damaged()
            row = _row(sheet, reader, number, cells, styles, found.left_out)
            if number > last + 1 and found.rows and any(found.rows[-1]):
                found.rows.append([])  # however many rows are empty, one parts two tables
                found.numbers.append(number - 1)
            last = number
            if row is not None and (any(row) or (found.rows and any(found.rows[-1]))):
                found.rows.append(row)
                found.numbers.append(number)
                size += sum(map(len, row))
            if size > max_chars:
                raise _TooLongError
        found.merges = list(_merges(reader, found.numbers))
    return found


def _row(
    sheet: Any, reader: Any, number: int, cells: list[dict[str, Any]], styles: dict[int, _Style], left_out: Counter[str]
) -> list[str] | None:
    """Return what a row shows, cell by cell; None for a hidden one. What is left out is counted."""
    row = list[str]()
    filled = [cell for cell in cells if cell["value"] is not None or cell["data_type"] == "f"]
    if reader.row_dimensions.pop(str(number), {}).get("hidden") in _TRUE:
        left_out.update({"hidden rows": 1} if filled else {})
        return None
    hidden = _hidden_columns(reader)
    for cell in filled:
        column = cell["column"]
        if column > _COLUMNS:
            raise damaged()
        if hidden and any(low <= column <= high for low, high in hidden):
            left_out["cells in hidden columns"] += 1
            continue
        style = styles.get(cell["style_id"])
        if style is None:
            style = styles[cell["style_id"]] = _style(ReadOnlyCell(sheet, **cell))
        text = _UNCOMPUTED if cell["data_type"] == "f" else shown(cell["value"], style.code)
        if cell["data_type"] == "f":
            left_out[_FORMULAS] += 1
        elif style.unseen or not text.strip():
            left_out.update({"cells that show nothing": 1} if str(cell["value"]).strip() else {})
            continue
        row.extend([""] * (column - len(row)))
        row[column - 1] = text
    return row


def _hidden_columns(reader: Any) -> list[tuple[int, int]]:
    """Return the hidden columns as ranges from 1; they are told before the first row."""
    return [
        (int(column["min"]), int(column["max"]))
        for column in reader.column_dimensions.values()
        if column.get("hidden") in _TRUE
    ]


def _style(cell: Any) -> _Style:
    ink = _BLACK if cell.font.color is None else _colour(cell.font.color)
    ground = _colour(cell.fill.fgColor) if getattr(cell.fill, "fill_type", None) == "solid" else WHITE
    unseen = ink is not None and ground is not None and near(ink, ground)
    return _Style(code=str(cell.number_format or "General"), unseen=unseen)


def _colour(colour: Any) -> Colour | None:
    """Return a colour, if it is known without the theme."""
    if colour is None:
        return None
    if colour.type == "rgb":
        return colour_of(str(colour.rgb)[-6:])
    named = _THEME.get(colour.theme) if colour.type == "theme" else _INDEXED.get(colour.indexed)
    return named if not colour.tint else None


def _merges(reader: Any, numbers: list[int]) -> Iterator[Merge]:
    for merge in reader.merged_cells.mergeCell if reader.merged_cells else ():
        left, top, right, bottom = range_boundaries(merge.ref)
        first, after = bisect_left(numbers, top), bisect_right(numbers, bottom)
        if first < after and numbers[first] == top:
            yield Merge(first, left - 1, after - 1, right - 1)
