"""CSV into a grid of cells: any usual encoding, comma, semicolon or tab, nothing executed, nothing guessed about types.

Every cell stays text; `amounts` reads it. Places are "row 3, column 2", counted from 1 as a reader of the file counts.

Not covered: CSV with several tables side by side in different encodings; a decimal comma (refused by `amounts`).
"""

from __future__ import annotations

import csv
import io
from typing import Final

from domains.finance.statements.intake.figures import LIMITS, Limits
from domains.finance.statements.intake.grid import GridCell
from domains.finance.statements.refusals import FileRefused, LimitExceeded
from retrieval.errors import DamagedFile
from retrieval.parsing.decode import decode

__all__ = ["read_csv"]

_LONGEST_CELL: Final = 4096
_SAMPLE: Final = 8192
_DELIMITERS: Final = ",;\t"


def read_csv(data: bytes, *, limits: Limits = LIMITS) -> list[list[GridCell]]:
    """Return the rows of a CSV file.

    Raises:
        FileRefused: it is no text, or no CSV.
        LimitExceeded: more rows, columns or cells than the limit.
    """
    if b"\x00" in data[:_SAMPLE] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileRefused("The file is no text, so it is no CSV.", remedy="Send CSV as UTF-8, or an XLSX file.")
    try:
        text = decode(data)
    except DamagedFile as error:
        raise FileRefused(error.message, remedy=error.remedy) from error
    rows: list[list[GridCell]] = []
    cells = 0
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text)), 1):
            if number > limits.rows or len(row) > limits.columns:
                raise LimitExceeded(
                    f"The file has more than {limits.rows} rows or {limits.columns} columns.",
                    remedy="Send the statements alone, without ledgers of single postings.",
                )
            cells += len(row)
            if cells > limits.cells or any(len(value) > _LONGEST_CELL for value in row):
                raise LimitExceeded(
                    f"The file has more than {limits.cells} cells, or a cell of more than {_LONGEST_CELL} characters.",
                    remedy="Send the statements alone.",
                )
            rows.append(
                [GridCell(value or None, f"row {number}, column {column}") for column, value in enumerate(row, 1)]
            )
    except csv.Error as error:
        raise FileRefused("The file is no CSV.", remedy="Save it as CSV again, or send an XLSX file.") from error
    return rows


def _delimiter(text: str) -> str:
    """Return the delimiter that cuts the first lines into the most columns, and evenly."""
    lines = [line for line in text[:_SAMPLE].splitlines() if line.strip()][:20]
    return max(_DELIMITERS, key=lambda mark: (sum(line.count(mark) > 0 for line in lines), -_DELIMITERS.index(mark)))
