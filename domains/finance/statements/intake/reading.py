"""One file of any form that is read here: what it is, by its content, and what it holds.

The name of a file decides nothing but what its figures are said to come from.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final, NoReturn

from domains.finance.statements.intake.companyfacts import is_companyfacts, read_companyfacts
from domains.finance.statements.intake.csv_file import read_csv
from domains.finance.statements.intake.figures import LIMITS, Brought, Limits
from domains.finance.statements.intake.grid import Defaults, read_grid
from domains.finance.statements.intake.ixbrl import is_ixbrl, read_ixbrl
from domains.finance.statements.intake.xlsx_file import read_xlsx
from domains.finance.statements.refusals import FileRefused, LimitExceeded, shown

__all__ = ["read_file"]

_ZIP: Final = b"PK\x03\x04"
_OLE: Final = b"\xd0\xcf\x11\xe0"
_PDF: Final = b"%PDF"
_HEAD: Final = 1 << 16


def read_file(data: bytes, *, name: str, defaults: Defaults, limits: Limits = LIMITS) -> list[Brought]:
    """Return what a file holds, one for each table, and which of it has figures.

    Raises:
        FileRefused: of no form that is read here, damaged or hostile.
        LimitExceeded: larger than a limit.
        InputRefused: a figure, a period or a unit cannot be read.
    """
    name = shown(name)
    if not data:
        raise FileRefused("The file is empty.", remedy="Send the file again.")
    if len(data) > limits.file_bytes:
        raise LimitExceeded(
            f"The file is larger than {limits.file_bytes >> 20} MiB.", remedy="Send the statements alone."
        )
    if data.startswith(_ZIP):
        sheets = read_xlsx(data, limits=limits)
        return [read_grid(rows, document=name, defaults=defaults) for rows in sheets.values()]
    if data.startswith((_OLE, _PDF)):
        raise FileRefused(
            "The file is an old or encrypted Office file, or a PDF.",
            remedy="Send XLSX, CSV, JSON or inline XBRL; a PDF can be added to the documents and searched.",
        )
    head = data[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"{"):
        return [_json(data, name, limits)]
    if head.startswith(b"<"):
        if not is_ixbrl(data[:_HEAD]):
            raise FileRefused("The page is no inline XBRL.", remedy="Send the filing's own .htm file from EDGAR.")
        return [read_ixbrl(data, document=name, limits=limits)]
    return [read_grid(read_csv(data, limits=limits), document=name, defaults=defaults)]


def _json(data: bytes, name: str, limits: Limits) -> Brought:
    try:
        found: Any = json.loads(data, parse_constant=_constant, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise FileRefused("The file is no JSON.", remedy="Send the file again as it was downloaded.") from error
    if not is_companyfacts(found):
        raise FileRefused(
            "The JSON file is not the SEC's companyfacts.",
            remedy="Send own figures as the JSON body of POST /v1/finance/statements/assess.",
        )
    return read_companyfacts(found, document=name, limits=limits)


def _constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
