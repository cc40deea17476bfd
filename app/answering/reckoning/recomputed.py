"""Arithmetic that a claim states by itself: redone from the figures that the claim names, or not believed.

"Revenue was 5.2 million in 2022 and 5.0 million in 2021, an increase of 4 %" holds a figure that no passage has. Where
the claim's own words say what was done (an increase, the difference, the average, a share), the other figures of the
claim are figures of the evidence, and exactly one formula over two of them gives the figure as it is printed, the
computation is returned, and can stand as evidence of its own. Everything else is None, and the claim stays unsupported.

Not covered: a claim that names only one of its figures; arithmetic over more than two; compound growth.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from app.answering.checking.dates import dates
from app.answering.checking.values import Value, ValueKind, extract
from app.answering.reckoning.expression import BadFormula, parse
from app.answering.reckoning.operands import QUESTION, Operand
from app.answering.reckoning.program import figures_of
from app.answering.reckoning.statement import Computation, carry_out
from app.answering.reckoning.wanted import Operation, operation_of
from retrieval.language import Language
from retrieval.types import Evidence

__all__ = ["recomputed"]

_FORMULAS: Final[dict[Operation, tuple[str, ...]]] = {
    Operation.CHANGE: ("a - b", "(a - b) / b * 100"),
    Operation.DIFFERENCE: ("a - b",),
    Operation.PERCENT_CHANGE: ("(a - b) / b * 100",),
    Operation.AVERAGE: ("(a + b) / 2",),
    Operation.SUM: ("a + b",),
    Operation.SHARE: ("a / b * 100",),
    Operation.RATIO: ("a / b",),
}
_FROM_TO: Final = re.compile(r"\bfrom\b.{0,80}?\d.{0,80}?\bto\b|从.{0,60}?\d.{0,60}?(?:到|至)", re.IGNORECASE)
_FALLING: Final = re.compile(
    r"\b(?:decreas|declin|fell|fall|drop|reduc|lower|less|down)|下降|减少|降低|下跌|下滑", re.IGNORECASE
)
_RISING: Final = re.compile(
    r"\b(?:increas|grew|grow|rose|ris|higher|more|up)\b|增长|增加|上升|提高|上涨", re.IGNORECASE
)
_DIGITS: Final = re.compile(r"\d[\d,]*(?:\.(\d+))?")


def recomputed(text: str, absent: Value, evidence: Sequence[Evidence], *, language: Language) -> Computation | None:
    """Redo the arithmetic of a claim.

    Args:
        text: The claim.
        absent: Its only figure that its passages do not hold.
        evidence: What it cites.
        language: Of the statement.

    Returns:
        The computation that comes to the figure as it is printed, with the direction that the claim's words give; None
        where there is none, or more than one.
    """
    operation = operation_of(text)
    named = _named(text, absent, evidence)
    if operation not in _FORMULAS or len(named) != 2 or absent.kind is not ValueKind.NUMBER:
        return None
    ordered = _ordered(text, named, operation)
    if ordered is None:
        return None
    found = [
        done
        for formula in _FORMULAS[operation]
        if (done := _carried(formula, *ordered, operation, language)) is not None and _says(done, absent, text)
    ]
    return found[0] if len(found) == 1 else None


def _ordered(text: str, named: Sequence[Operand], operation: Operation) -> tuple[Operand, Operand] | None:
    """Return later and earlier figure, or part and whole, as the claim's own words order them; None where they do not.

    A change needs its order: 4 % up from 5.0 to 5.2 would else be 4 % down from 5.2 to 5.0.
    """
    first, second = named
    if operation in (Operation.AVERAGE, Operation.SUM, Operation.SHARE, Operation.RATIO, Operation.DIFFERENCE):
        return first, second
    if _FROM_TO.search(text):
        return second, first
    years = [date.year for _, _, date in sorted(dates(text), key=lambda found: found[0]) if date.year]
    if len(years) != 2 or years[0] == years[1]:
        return None
    return (first, second) if years[0] > years[1] else (second, first)


def _named(text: str, absent: Value, evidence: Sequence[Evidence]) -> list[Operand]:
    """Return the figures of the evidence that a claim names besides the one in question, each once."""
    known = [one for one in figures_of(evidence, "") if one.operand.cite != QUESTION]
    named: list[Operand] = []
    for value in extract(text):
        if value.kind is not ValueKind.NUMBER or value.meaning == absent.meaning:
            continue
        fitting = [one.operand for one in known if one.amount == abs(value.amount) or _as_printed(one.printed, value)]
        if not fitting:
            return []
        if all(fitting[0].quantity != one.quantity for one in named):
            named.append(fitting[0])
    return named


def _as_printed(printed: Decimal, value: Value) -> bool:
    return not value.scaled and printed == abs(value.amount)


def _carried(
    formula: str, one: Operand, other: Operand, operation: Operation, language: Language
) -> Computation | None:
    try:
        return carry_out(parse(formula), {"a": one, "b": other}, operation=operation, language=language)
    except BadFormula:
        return None


def _says(done: Computation, absent: Value, text: str) -> bool:
    """Say whether a result is the figure of the claim, rounded as the claim prints it, in the claim's direction."""
    if done.value < 0 and not (_FALLING.search(text) or absent.amount < 0):
        return False
    if done.value > 0 and _FALLING.search(text) and not _RISING.search(text):
        return False
    results = [value for value in extract(done.short) if value.kind is ValueKind.NUMBER]
    if len(results) != 1 or (results[0].unit == "%") != (absent.unit in ("%", "pp")):
        return False
    match = _DIGITS.search(absent.text)
    printed = Decimal(match[0].replace(",", "")) if match else Decimal(0)
    scale = abs(absent.amount) / printed if absent.scaled and printed else Decimal(1)
    step = scale * Decimal(10) ** -len((match[1] if match else "") or "")
    exact = abs(done.value) if results[0].unit == "%" else abs(results[0].amount)
    return abs(exact - abs(absent.amount)) <= step / 2
