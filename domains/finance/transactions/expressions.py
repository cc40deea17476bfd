"""The small language of the rules: comparisons of features with numbers, joined by `and`, `or`, `not` and parentheses.

    expression = term { "or" term }
    term       = factor { "and" factor }
    factor     = "not" factor | "(" expression ")" | operand comparison operand | "known" "(" feature ")"
    operand    = feature | number
    comparison = "<" | "<=" | ">" | ">=" | "==" | "!="

A feature that does not apply (NaN) makes every comparison false, `!=` too; `known(f)` asks for it. `not` turns what
is written after it around, so `not a > 1` is true where a does not apply.

The text is read by a recursive-descent parser into closures; nothing is ever evaluated as Python. Errors name the
column and what was expected. Limits: `LONGEST` characters, `DEEPEST` levels.

Not covered: arithmetic. A ratio that a rule needs is a feature with a name, or should become one.
"""

from __future__ import annotations

import difflib
import math
import operator
import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from domains.finance.transactions.errors import RulesRefused

__all__ = ["DEEPEST", "LONGEST", "Condition", "Row", "parse"]

LONGEST: Final = 1_000
DEEPEST: Final = 20

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>[0-9]+(?:_[0-9]+)*(?:\.[0-9]+)?(?:e[+-]?[0-9]{1,3})?)"
    r"|(?P<word>[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*)|(?P<sign><=|>=|==|!=|[<>()-])|(?P<end>$))",
    re.ASCII,
)
_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": lambda a, b: a != b and a == a and b == b,
}
_WORDS: Final = frozenset({"and", "or", "not", "known"})


class Row(Protocol):
    """The features of one transaction by place; a list, or a mapping of those that are read."""

    def __getitem__(self, place: int, /) -> float:
        """Return one feature."""
        ...


Check = Callable[[Row], bool]


@dataclass(frozen=True, slots=True)
class Condition:
    """A parsed expression: `holds(row)` for a row of all features; `features` are the places that it reads."""

    text: str
    holds: Check
    features: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


def parse(text: str, names: Sequence[str]) -> Condition:
    """Read an expression over features.

    Args:
        text: The expression.
        names: All features, in the order of a row.

    Raises:
        RulesRefused: it is none; the message names the column.
    """
    if len(text) > LONGEST:
        raise RulesRefused(f"The condition has more than {LONGEST} characters.", remedy="Split it into several rules.")
    reader = _Reader(_tokens(text), names)
    check = reader.expression(0)
    reader.expect("end", "and, or, or the end")
    return Condition(text, check, tuple(sorted(reader.used)))


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    place = 0
    while True:
        match = _TOKEN.match(text, place)
        if match is None:
            column = len(text) - len(text[place:].lstrip(string.whitespace)) + 1  # the spaces that \s means in ASCII
            raise RulesRefused(
                f"Column {column}: {text[column - 1]!r} has no meaning here.",
                remedy="Use feature names, numbers, < <= > >= == !=, and, or, not, known(…) and parentheses.",
            )
        kind = match.lastgroup or ""
        found.append(_Token(kind, match.group(kind), match.start(kind) + 1))
        if kind == "end":
            return found
        place = match.end()


class _Reader:
    def __init__(self, tokens: list[_Token], names: Sequence[str]) -> None:
        self._tokens = tokens
        self._place = 0
        self._names = {name: place for place, name in enumerate(names)}
        self.used: set[int] = set()

    @property
    def _next(self) -> _Token:
        return self._tokens[self._place]

    def _take(self) -> _Token:
        token = self._tokens[self._place]
        self._place += 1
        return token

    def _is(self, text: str) -> bool:
        return self._next.kind != "end" and self._next.text == text

    def expect(self, what: str, said: str) -> None:
        """Take one token that must be there."""
        token = self._next
        if not (token.kind == "end" if what == "end" else self._is(what)):
            shown = "the end" if token.kind == "end" else repr(token.text[:40])
            raise RulesRefused(
                f"Column {token.column}: {said} was expected, not {shown}.", remedy="Correct the condition there."
            )
        if what != "end":
            self._place += 1

    def expression(self, depth: int) -> Check:
        """Read terms joined by `or`."""
        checks = [self._term(depth)]
        while self._is("or"):
            self._take()
            checks.append(self._term(depth))
        return checks[0] if len(checks) == 1 else lambda row: any(check(row) for check in checks)

    def _term(self, depth: int) -> Check:
        checks = [self._factor(depth)]
        while self._is("and"):
            self._take()
            checks.append(self._factor(depth))
        return checks[0] if len(checks) == 1 else lambda row: all(check(row) for check in checks)

    def _factor(self, depth: int) -> Check:
        if depth > DEEPEST:
            raise RulesRefused(
                f"Column {self._next.column}: more than {DEEPEST} levels deep.", remedy="Split it into several rules."
            )
        if self._is("not"):
            self._take()
            inner = self._factor(depth + 1)
            return lambda row: not inner(row)
        if self._is("("):
            self._take()
            inner = self.expression(depth + 1)
            self.expect(")", "a closing parenthesis")
            return inner
        if self._is("known"):
            self._take()
            self.expect("(", "an opening parenthesis")
            place = self._feature(self._take())
            self.expect(")", "a closing parenthesis")
            return lambda row: not math.isnan(row[place])
        return self._comparison()

    def _comparison(self) -> Check:
        left = self._operand()
        sign = self._take()
        if sign.text not in _COMPARE:
            shown = "the end" if sign.kind == "end" else repr(sign.text[:40])
            raise RulesRefused(
                f"Column {sign.column}: a comparison was expected, not {shown}.", remedy="Use < <= > >= == or !=."
            )
        right = self._operand()
        compare = _COMPARE[sign.text]
        if isinstance(left, int):
            if isinstance(right, int):
                return _two_features(compare, left, right)
            return _feature_and_number(compare, left, right)
        if isinstance(right, int):
            return _number_and_feature(compare, left, right)
        raise RulesRefused(
            f"Column {sign.column}: two numbers are compared.", remedy="Name a feature on one side at least."
        )

    def _operand(self) -> int | float:
        """Return the place of a feature (int) or a number (float)."""
        token = self._take()
        if token.kind == "sign" and token.text == "-" and self._next.kind == "number":
            return -float(self._take().text)
        if token.kind == "number":
            return float(token.text)
        return self._feature(token)

    def _feature(self, token: _Token) -> int:
        if token.kind != "word" or token.text in _WORDS:
            shown = "the end" if token.kind == "end" else repr(token.text[:40])
            raise RulesRefused(
                f"Column {token.column}: a feature or a number was expected, not {shown}.",
                remedy="The features are listed in docs/finance-transactions.md.",
            )
        if token.text not in self._names:
            near = difflib.get_close_matches(token.text, self._names, n=1)
            raise RulesRefused(
                f"Column {token.column}: there is no feature {token.text[:80]!r}.",
                remedy=f"Did you mean {near[0]!r}?" if near else "They are listed in docs/finance-transactions.md.",
            )
        place = self._names[token.text]
        self.used.add(place)
        return place


def _two_features(compare: Callable[[float, float], bool], left: int, right: int) -> Check:
    return lambda row: compare(row[left], row[right])


def _feature_and_number(compare: Callable[[float, float], bool], place: int, number: float) -> Check:
    return lambda row: compare(row[place], number)


def _number_and_feature(compare: Callable[[float, float], bool], number: float, place: int) -> Check:
    return lambda row: compare(number, row[place])
