"""Writes what a search found as CSV or JSON, for a spreadsheet or a program.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return for a formula, and a
person's name may begin so: such a cell gets an apostrophe before it (OWASP, CSV injection).
"""

from __future__ import annotations

import csv
import io
from typing import Any, Final

from app.ledger.examine import Found, Page

__all__ = ["COLUMNS", "to_csv", "to_json"]

_VERDICTS: Final = ("supported", "contradicted", "unsupported")
COLUMNS: Final = tuple(name for name in Found.model_fields if name != "verdicts") + _VERDICTS
_ACTIVE: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def to_csv(page: Page) -> str:
    """Return the rows as CSV (RFC 4180), with a line of column names."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in page.rows:
        fields = row.model_dump() | {verdict: row.verdicts.get(verdict, 0) for verdict in _VERDICTS}
        writer.writerow([_harmless(fields[name]) for name in COLUMNS])
    return out.getvalue()


def to_json(page: Page) -> str:
    """Return the rows and where the next page begins as JSON."""
    return page.model_dump_json()


def _harmless(value: Any) -> Any:
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_ACTIVE) else value
