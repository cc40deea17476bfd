"""When a figure of an answer is that of a reference, whatever unit, scale or sign of per cent each is written in."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from app.answering.checking.values import Value, ValueKind, extract

__all__ = ["agree", "figures", "last_place"]

_DIGITS: Final = re.compile(r"\d[\d,]*(?:\.(?P<places>\d+))?")


def figures(text: str) -> list[Value]:
    """Return the numbers of a text; years and dates are none."""
    return [value for value in extract(text) if value.kind is ValueKind.NUMBER]


def last_place(value: Value) -> Decimal:
    """Return what one unit of the last printed digit stands for, scale included."""
    match = _DIGITS.search(value.text)
    if match is None:
        return Decimal(0)
    printed = Decimal(match[0].replace(",", ""))
    places = len(match["places"] or "")
    scale = abs(value.amount) / printed if value.scaled and printed else Decimal(1)
    return scale * Decimal(10) ** -places


def agree(found: Value, wanted: Value, *, tolerance: Decimal = Decimal("0.001")) -> bool:
    """Say whether two figures are the same.

    A per cent and its fraction are the same (3.65 % and 0.0365). A difference counts for nothing up to half a unit of
    the last place of the coarser of the two, or up to `tolerance` of the wanted figure. Signs must agree.
    """
    slack = max(last_place(found), last_place(wanted)) / 2
    if _near(found.amount, wanted.amount, slack, tolerance):
        return True
    if found.unit == "%" and wanted.unit != "%":
        return _near(found.amount / 100, wanted.amount, max(last_place(found) / 100, last_place(wanted)) / 2, tolerance)
    if wanted.unit == "%" and found.unit != "%":
        return _near(found.amount, wanted.amount / 100, max(last_place(found), last_place(wanted) / 100) / 2, tolerance)
    return False


def _near(one: Decimal, other: Decimal, slack: Decimal, tolerance: Decimal) -> bool:
    """Compare; the slack of a last place may be at most a twentieth of the figure, so that 0 is not 0.4."""
    allowed = max(min(slack, abs(other) / 20), abs(other) * tolerance)
    return abs(one - other) <= allowed
