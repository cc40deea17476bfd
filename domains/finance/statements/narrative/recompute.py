"""Computes a formula from the cells once more, by the shortest way, to hold sentences against.

`evaluation` computes a thousand formulas at once, with shared steps and reasons; this walks one tree and knows nothing
of plans. Two ways that agree are worth more than one that is trusted. What it cannot compute is None, and a sentence
that states it is struck out.

Not covered: the functions over parts, digits and peers; no sentence states them, and they come out as None.
"""

from __future__ import annotations

import decimal
from collections.abc import Sequence
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Final

from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.definitions import parsed
from domains.finance.statements.formula import Binary, Call, Days, Item, Named, Negative, Node, Number
from domains.finance.statements.types import Period, Statements

__all__ = ["median", "recompute"]

_DIGITS: Final = 50
_PRESENT: Final = {
    "income": ("revenue", "net_income"),
    "balance": ("total_assets",),
    "cash_flow": ("net_cash_operating",),
}
"""Items of which one must be there for a statement to count as reported; see `opt` in `formula`."""


class _Missing(Exception):
    """Something that the formula needs is not there, or a division has no meaning."""


@lru_cache(maxsize=1024)
def _tree(formula: str) -> Node:
    return parsed(formula)


def recompute(formula: str, statements: Statements, period: Period) -> Decimal | None:
    """Return what a formula gives in a period, or None where it gives nothing."""
    with localcontext() as context:
        context.prec = _DIGITS
        try:
            return _value(_tree(formula), statements, period)
        except (_Missing, decimal.DecimalException):
            return None


def median(values: Sequence[Decimal]) -> Decimal | None:
    """Return the median; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _value(node: Node, statements: Statements, period: Period) -> Decimal:
    match node:
        case Number(value):
            return value
        case Days():
            return Decimal(365 * period.months) / 12
        case Item(concept):
            return _item(concept, statements, period)
        case Named(_, body):
            return _value(body, statements, period)
        case Negative(operand):
            return -_value(operand, statements, period)
        case Binary(operator, left, right):
            return _binary(operator, _value(left, statements, period), _value(right, statements, period))
        case Call():
            return _call(node, statements, period)


def _item(concept: str, statements: Statements, period: Period) -> Decimal:
    found = statements.value(concept, period)
    if found is None:
        raise _Missing
    return found


def _binary(operator: str, left: Decimal, right: Decimal) -> Decimal:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    if right <= 0:
        raise _Missing
    return left / right


def _call(call: Call, statements: Statements, period: Period) -> Decimal:
    first = call.arguments[0] if call.arguments else Number(Decimal(0))
    match call.function:
        case "opt":
            return _opt(first, statements, period)
        case "first":
            return _first(call.arguments, statements, period)
        case "prior":
            return _value(first, statements, _before(statements, period, call.numbers[0] if call.numbers else 1))
        case "avg" | "change" | "growth":
            return _pair(call.function, first, statements, period)
        case "mean" | "sum":
            values = [_value(first, statements, _before(statements, period, back)) for back in range(call.numbers[0])]
            total = sum(values, Decimal(0))
            return total / len(values) if call.function == "mean" else total
        case _:
            return _plain(call.function, [_value(argument, statements, period) for argument in call.arguments])


def _pair(function: str, node: Node, statements: Statements, period: Period) -> Decimal:
    now, then = _value(node, statements, period), _value(node, statements, _before(statements, period, 1))
    if function == "avg":
        return (now + then) / 2
    if function == "change":
        return now - then
    if then <= 0:
        raise _Missing
    return (now - then) / then


def _opt(node: Node, statements: Statements, period: Period) -> Decimal:
    try:
        return _value(node, statements, period)
    except _Missing:
        kind = CONCEPTS[node.concept].statement if isinstance(node, Item) else "notes"
        if any(statements.cell(name, period) is not None for name in _PRESENT.get(kind, ())):
            return Decimal(0)
        raise


def _first(arguments: Sequence[Node], statements: Statements, period: Period) -> Decimal:
    for argument in arguments[:-1]:
        try:
            return _value(argument, statements, period)
        except _Missing:
            continue
    return _value(arguments[-1], statements, period)


def _before(statements: Statements, period: Period, back: int) -> Period:
    found = statements.prior(period, back) if back else period
    if found is None:
        raise _Missing
    return found


def _plain(function: str, values: Sequence[Decimal]) -> Decimal:
    one = values[0] if values else Decimal(0)
    two = values[1] if len(values) > 1 else Decimal(0)
    match function:
        case "abs":
            return abs(one)
        case "exp":
            return one.exp()
        case "min":
            return min(one, two)
        case "max":
            return max(one, two)
        case "less":
            return Decimal(one < two)
        case "sqrt" | "ln" if one > 0:
            return one.sqrt() if function == "sqrt" else one.ln()
        case "quotient" if two:
            return one / two
        case _:
            raise _Missing
