"""A formula over named figures: read by a parser of our own, and computed in decimals with the units kept in view.

    formula  = term (("+" | "-") term)*
    term     = sign (("*" | "/") sign)*
    sign     = ("+" | "-") sign | power
    power    = atom (("**" | "^") sign)?
    atom     = number | name | name "(" formula ("," formula)* ")" | "(" formula ")"

Nothing of Python is evaluated. A formula has at most 300 characters, 80 nodes and 16 levels; a power's exponent is a
constant (or a count) of at most 1,200, so that a monthly saving over a hundred years can be computed and nothing else
that takes long. Values are computed with 34 significant digits (IEEE 754-2008 decimal128); a figure that is longer than
that, or a result beyond 1e60, is refused and not rounded in silence.

Per cents are kept as such: 1.5 % of 200 is 3, ``a / b * 100`` of two amounts is a per cent, 1 + 5 % is 1.05, and
5 % - 3 % is 2 % (points). Amounts of two currencies, or days and dollars, cannot be added.

Not covered: conversion of one unit to another; functions other than `FUNCTIONS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal, DecimalException, localcontext
from typing import Final

from app.answering.checking.units import is_currency

__all__ = [
    "FUNCTIONS",
    "BadFormula",
    "Binary",
    "Call",
    "Constant",
    "Name",
    "Negative",
    "Node",
    "Quantity",
    "compute",
    "names",
    "parse",
]

_LONGEST: Final = 300
_NODES: Final = 80
_LEVELS: Final = 16
_DIGITS: Final = 34
_LARGEST: Final = Decimal("1e60")
_EXPONENT: Final = 1200

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>\d+(?:,\d{3})*(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<mark>\*\*|[-+*/^(),]))"
)
_WIDE: Final = str.maketrans("×÷−–（），＋＊／", "*/--(),+*/")


class BadFormula(ValueError):
    """A formula that cannot be read or computed. The message says why, in words for whoever wrote it."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A number that stands in the formula itself."""

    value: Decimal


@dataclass(frozen=True, slots=True)
class Name:
    """A figure, by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class Negative:
    """A formula with its sign turned."""

    of: Node


@dataclass(frozen=True, slots=True)
class Binary:
    """Two formulas and what stands between them: + - * / or ^."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Call:
    """A function of `FUNCTIONS` and what it is given."""

    function: str
    given: tuple[Node, ...]


Node = Constant | Name | Negative | Binary | Call


@dataclass(frozen=True, slots=True)
class Quantity:
    """A figure on its way through a formula.

    Attributes:
        value: As written: 1.5 for 1.5 %.
        unit: Canonical name of `checking.units`; None where it is not known, or where units cancelled out.
        hundredths: How many times the value still has to be divided by 100: 1 for a per cent.
        constant: It came from the formula, not from the evidence.
        ratio: It is one figure in parts of another of the same unit, so that 100 times it is a per cent.
        hundredfold: It was multiplied by 100, so that it is a per cent once it has been divided by its like.
        amount: It is a per cent of something, which is no per cent any more.
    """

    value: Decimal
    unit: str | None = None
    hundredths: int = 0
    constant: bool = False
    ratio: bool = False
    hundredfold: bool = False
    amount: bool = False


def parse(text: str) -> Node:
    """Read a formula.

    Raises:
        BadFormula: it does not follow the grammar, or is too long.
    """
    text = text.translate(_WIDE).strip()
    if len(text) > _LONGEST:
        raise BadFormula(f"the formula has more than {_LONGEST} characters")
    return _Parser(_tokens(text)).whole()


def names(node: Node) -> list[str]:
    """Return the names of a formula in the order of their first use."""
    match node:
        case Name(name):
            return [name]
        case Constant():
            return []
        case Negative(of):
            return names(of)
        case Binary(_, left, right):
            parts: Sequence[Node] = (left, right)
        case Call(_, given):
            parts = given
    return list(dict.fromkeys(name for part in parts for name in names(part)))


def compute(node: Node, values: Mapping[str, Quantity]) -> Quantity:
    """Compute a formula.

    Raises:
        BadFormula: a name is unknown, units do not go together, something is divided by nothing, or a value is too
            large or has too many digits.
    """
    for name, quantity in values.items():
        if len(quantity.value.as_tuple().digits) > _DIGITS:
            raise BadFormula(f"{name} has more than {_DIGITS} digits")
    try:
        with localcontext(Context(prec=_DIGITS, Emin=-6000, Emax=6000)):
            result = _settled(_computed(node, values))
    except (DecimalException, OverflowError) as error:
        raise BadFormula("the formula cannot be computed") from error
    return result


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._nodes = 0
        self._level = 0

    def whole(self) -> Node:
        node = self._formula()
        if self._at < len(self._tokens):
            raise BadFormula(f"{self._tokens[self._at]!r} is not expected in the formula")
        return node

    def _formula(self) -> Node:
        self._level += 1
        if self._level > _LEVELS:
            raise BadFormula("the formula has too many brackets")
        node = self._row(("+", "-"), lambda: self._row(("*", "/"), self._sign))
        self._level -= 1
        return node

    def _row(self, signs: tuple[str, ...], part: Callable[[], Node]) -> Node:
        node = part()
        while self._peek() in signs:
            sign = self._next()
            node = self._made(Binary(sign, node, part()))
        return node

    def _sign(self) -> Node:
        turned = False
        while self._peek() in ("+", "-"):
            turned ^= self._next() == "-"
        node = self._power()
        return self._made(Negative(node)) if turned else node

    def _power(self) -> Node:
        base = self._atom()
        if self._peek() in ("**", "^"):
            self._next()
            self._level += 1
            if self._level > _LEVELS:
                raise BadFormula("the formula has too many powers")
            base = self._made(Binary("^", base, self._sign()))
            self._level -= 1
        return base

    def _atom(self) -> Node:
        token = self._next()
        if token == "(":  # noqa: S105 - a bracket
            node = self._formula()
            self._expect(")")
            return node
        if token[0].isdigit():
            return self._made(Constant(Decimal(token.replace(",", ""))))
        if not (token[0].isalpha() or token[0] == "_"):
            raise BadFormula(f"{token!r} is not expected in the formula")
        if self._peek() != "(":
            return self._made(Name(token))
        if token not in FUNCTIONS:
            raise BadFormula(f"there is no function {token}")
        self._next()
        given = [self._formula()]
        while self._peek() == ",":
            self._next()
            given.append(self._formula())
        self._expect(")")
        return self._made(Call(token, tuple(given)))

    def _made(self, node: Node) -> Node:
        self._nodes += 1
        if self._nodes > _NODES:
            raise BadFormula("the formula is too long")
        return node

    def _peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise BadFormula("the formula ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, mark: str) -> None:
        if self._next() != mark:
            raise BadFormula(f"{mark!r} is missing in the formula")


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise BadFormula(f"{text[at:].strip()[:1]!r} is not expected in the formula")
        found.append(match[0].strip())
        at = match.end()
    return found


def _computed(node: Node, values: Mapping[str, Quantity]) -> Quantity:
    match node:
        case Constant(value):
            return Quantity(value, constant=True)
        case Name(name):
            if name not in values:
                raise BadFormula(f"{name} is not given")
            return values[name]
        case Negative(of):
            inner = _computed(of, values)
            return replace(inner, value=-inner.value)
        case Call(function, given):
            return FUNCTIONS[function]([_computed(one, values) for one in given])
        case Binary(sign, left, right):
            return _SIGNS[sign](_computed(left, values), _computed(right, values))


def _bounded(one: Quantity) -> Quantity:
    if abs(one.value) > _LARGEST:
        raise BadFormula("the result is too large")
    return one


def _plain(one: Quantity) -> Quantity:
    """Return a quantity without per cents: 1.5 % as 0.015."""
    return replace(one, value=one.value / Decimal(100) ** one.hundredths, hundredths=0)


def _settled(one: Quantity) -> Quantity:
    """Return a result as it is said: a per cent of nothing else stays one, a per cent of an amount is an amount."""
    if one.hundredths == 1 and one.unit is None and not one.amount:
        return one
    return _plain(one) if one.hundredths > 0 else one


def _alike(one: Quantity, other: Quantity) -> tuple[Quantity, Quantity, str | None]:
    """Return two quantities that can be added or compared, and their unit."""
    if one.hundredths != other.hundredths:
        one, other = _plain(one), _plain(other)
    if one.unit is None or other.unit is None or one.unit == other.unit:
        return one, other, one.unit or other.unit
    if "" in (one.unit, other.unit) and is_currency(one.unit) and is_currency(other.unit):
        return one, other, one.unit or other.unit
    raise BadFormula(f"{one.unit} and {other.unit} cannot be added or subtracted")


def _add(one: Quantity, other: Quantity) -> Quantity:
    one, other, unit = _alike(one, other)
    constant = one.constant and other.constant
    ratio = (one.ratio or one.constant) and (other.ratio or other.constant) and not constant
    amount = one.amount or other.amount
    return _bounded(Quantity(one.value + other.value, unit, one.hundredths, constant, ratio, amount=amount))


def _subtract(one: Quantity, other: Quantity) -> Quantity:
    return _add(one, replace(other, value=-other.value))


def _multiply(one: Quantity, other: Quantity) -> Quantity:
    for a, b in ((one, other), (other, one)):
        if _is_hundred(b) and a.ratio and a.hundredths == 0:
            return _bounded(Quantity(a.value * b.value, None, 1))
    unit = one.unit if other.unit is None or is_currency(one.unit) else other.unit
    constant = one.constant and other.constant
    hundredfold = not constant and (_is_hundred(one) or _is_hundred(other))
    hundredths = one.hundredths + other.hundredths
    amount = any(a.amount or not (a.constant or a.hundredths or a.ratio) for a in (one, other))
    value = one.value * other.value
    ratio = not hundredths and ((one.ratio and other.constant) or (other.ratio and one.constant))
    return _bounded(Quantity(value, unit, hundredths, constant, ratio, hundredfold, amount))


def _divide(one: Quantity, other: Quantity) -> Quantity:
    if other.value == 0:
        raise BadFormula("something is divided by zero")
    if _is_hundred(other) and one.hundredths > 0:
        return replace(one, value=one.value / 100, hundredths=one.hundredths - 1)
    unit = None if one.unit == other.unit else one.unit
    hundredths = one.hundredths - other.hundredths
    if hundredths < 0:
        other, hundredths = _plain(other), one.hundredths
    ratio = (one.ratio and other.constant) or not (one.constant or other.constant or hundredths or unit)
    if ratio and one.hundredfold:
        return _bounded(Quantity(one.value / other.value, None, 1))
    constant = one.constant and other.constant
    return _bounded(Quantity(one.value / other.value, unit, hundredths, constant, ratio, amount=one.amount))


def _power(base: Quantity, exponent: Quantity) -> Quantity:
    if abs(exponent.value) > _EXPONENT or exponent.hundredths or exponent.unit not in (None, "year", "month", "day"):
        raise BadFormula(f"an exponent must be a number of at most {_EXPONENT}")
    base = _plain(base)
    if base.value < 0 and exponent.value != exponent.value.to_integral_value():
        raise BadFormula("a root of a negative figure")
    if base.value == 0 and exponent.value < 0:
        raise BadFormula("something is divided by zero")
    return _bounded(Quantity(base.value**exponent.value, base.unit, 0, base.constant and exponent.constant, base.ratio))


def _is_hundred(one: Quantity) -> bool:
    return one.constant and one.value == 100


def _sum(given: Sequence[Quantity]) -> Quantity:
    total = given[0]
    for one in given[1:]:
        total = _add(total, one)
    return total


def _average(given: Sequence[Quantity]) -> Quantity:
    total = _sum(given)
    return replace(total, value=total.value / len(given))


def _extreme(pick: Callable[[Decimal, Decimal], Decimal]) -> Callable[[Sequence[Quantity]], Quantity]:
    def of(given: Sequence[Quantity]) -> Quantity:
        best = given[0]
        for one in given[1:]:
            best, one, unit = _alike(best, one)
            best = replace(best, value=pick(best.value, one.value), unit=unit)
        return best

    return of


def _absolute(given: Sequence[Quantity]) -> Quantity:
    if len(given) != 1:
        raise BadFormula("abs takes one figure")
    return replace(given[0], value=abs(given[0].value))


_SIGNS: Final[Mapping[str, Callable[[Quantity, Quantity], Quantity]]] = {
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "^": _power,
}

FUNCTIONS: Final[Mapping[str, Callable[[Sequence[Quantity]], Quantity]]] = {
    "sum": _sum,
    "avg": _average,
    "average": _average,
    "mean": _average,
    "min": _extreme(min),
    "max": _extreme(max),
    "abs": _absolute,
    "count": lambda given: Quantity(Decimal(len(given))),
}
"""What a formula may call."""
