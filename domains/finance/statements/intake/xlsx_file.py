"""XLSX into grids of cells, one a sheet, behind checks that look at the archive before a parser does.

The archive is inflated once, piece by piece, and counted: what declares or inflates to more than the limit, holds more
members than the limit, or has a document type declaration in any part (the only way to entities in XML) is refused
before openpyxl opens it. Workbooks are opened read-only, with the values that formulas had when the file was saved; a
formula that was never computed has none and counts as empty. Nothing is executed, and no link is followed.

Places are "Sheet1!B3". In read-only mode a merged cell shows its text at its first place only; `grid` carries headings
on to the right.

Not covered: the old binary .xls, encrypted workbooks, .xlsm (refused by name of the part that holds macros), charts,
hidden sheets (they are read like the others).
"""

from __future__ import annotations

import io
import warnings
import zipfile
import zlib
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import openpyxl
from openpyxl.utils import get_column_letter

from domains.finance.statements.intake.figures import LIMITS, Limits
from domains.finance.statements.intake.grid import GridCell
from domains.finance.statements.refusals import FileRefused, LimitExceeded

__all__ = ["read_xlsx"]

_PIECE: Final = 1 << 16
_DECLARATION: Final = b"<!DOCTYPE"
_RATIO: Final = 200
"""Bytes that one byte may inflate to, for parts above one mebibyte. Sheets of real workbooks reach about 30."""

_MACROS: Final = "xl/vbaProject.bin"
_LONGEST_CELL: Final = 4096


def read_xlsx(data: bytes, *, limits: Limits = LIMITS) -> dict[str, list[list[GridCell]]]:
    """Return the rows of each sheet by the sheet's name.

    Raises:
        FileRefused: no workbook, damaged, encrypted, with macros, or built to exhaust the reader.
        LimitExceeded: more sheets, rows, columns or cells than the limit.
    """
    _look_at_archive(data, limits)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl warns of styles and extensions that it leaves out
        try:
            workbook = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        except Exception as error:  # a strange workbook makes openpyxl raise nearly anything
            raise _damaged() from error
        try:
            if len(workbook.worksheets) > limits.sheets:
                raise LimitExceeded(
                    f"The workbook has more than {limits.sheets} sheets.", remedy="Keep the sheets with statements."
                )
            counted = [0]
            return {sheet.title: _rows(sheet, counted, limits) for sheet in workbook.worksheets}
        finally:
            workbook.close()


def _rows(sheet: Any, counted: list[int], limits: Limits) -> list[list[GridCell]]:
    rows: list[list[GridCell]] = []
    try:
        for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
            if number > limits.rows:
                raise LimitExceeded(
                    f"A sheet has more than {limits.rows} rows.", remedy="Keep the rows of the statements."
                )
            values = list(row)
            while values and values[-1] is None:
                values.pop()
            if len(values) > limits.columns:
                raise LimitExceeded(
                    f"A sheet has more than {limits.columns} columns.", remedy="Keep the columns of the statements."
                )
            counted[0] += len(values)
            if counted[0] > limits.cells:
                raise LimitExceeded(f"The workbook has more than {limits.cells} cells.", remedy="Keep the statements.")
            rows.append(
                [
                    GridCell(_value(value), f"{sheet.title}!{get_column_letter(column)}{number}")
                    for column, value in enumerate(values, 1)
                ]
            )
    except LimitExceeded:
        raise
    except Exception as error:  # read-only sheets are parsed here, and strange ones raise nearly anything
        raise _damaged() from error
    return rows


def _value(value: object) -> str | Decimal | date | None:
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float):
        return Decimal(str(value))
    text = str(value)
    if len(text) > _LONGEST_CELL:
        raise LimitExceeded(
            f"A cell has more than {_LONGEST_CELL} characters.", remedy="Send the statements without long notes."
        )
    return None if text.startswith("#") and text.endswith(("!", "?", "A")) else text  # #DIV/0!, #N/A, #NAME?


def _look_at_archive(data: bytes, limits: Limits) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > limits.members:
                raise _bomb()
            names = {member.filename for member in members}
            if _MACROS in names:
                raise FileRefused("The workbook holds macros.", remedy="Save it as .xlsx, without macros.")
            if not any(name.startswith("xl/workbook") for name in names):
                raise FileRefused("The file is no workbook.", remedy="Send XLSX, CSV, JSON or inline XBRL.")
            if sum(member.file_size for member in members) > limits.inflated_bytes:
                raise _bomb()
            left = limits.inflated_bytes
            for member in members:
                left -= _inflate(archive, member, left)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise _damaged() from error


def _inflate(archive: zipfile.ZipFile, member: zipfile.ZipInfo, left: int) -> int:
    """Inflate a member without keeping it; return its size. What it declares is not believed."""
    size, tail = 0, b""
    with archive.open(member) as file:
        while piece := file.read(_PIECE):
            size += len(piece)
            if size > left or (size > 1 << 20 and size > _RATIO * max(1, member.compress_size)):
                raise _bomb()
            window = (tail + piece).replace(b"\x00", b"").upper()  # UTF-16 is caught as well
            if _DECLARATION in window:
                raise FileRefused(
                    "A part of the workbook declares a document type, which no office program writes.",
                    remedy="Save the workbook anew with a spreadsheet program.",
                )
            tail = piece[-2 * len(_DECLARATION) :]
    return size


def _bomb() -> FileRefused:
    return FileRefused(
        "The workbook unpacks to far more than a workbook of statements holds.",
        remedy="Save the sheets with statements into a new workbook.",
    )


def _damaged() -> FileRefused:
    return FileRefused("The workbook cannot be read.", remedy="Save it as .xlsx without a password, and send it again.")
