"""The language in which factors are declared: line items, four operations, and the functions of `FUNCTIONS`.

    expression = term {("+" | "-") term}
    term       = factor {("*" | "/") factor}
    factor     = "-" factor | number | name | name "(" argument {"," argument} ")" | "(" expression ")"

A name is a line item, a definition (`definitions.DEFINITIONS`) or ``days``, the days of the period (365 for a year).
What a formula means is fixed so that no doubtful number comes out of it:

* ``a / b`` needs a *positive* `b`; a ratio to negative equity or negative earnings says the opposite of what it seems
  to. ``quotient(a, b)`` is the rare division by something that may be negative, and needs only that it is not zero.
* Whatever reaches back (``avg``, ``prior``, ``growth``, windows) needs every period it reaches, adjacent to the next.
* A missing item makes the whole missing. ``opt(item)`` alone takes an absent item as nil, where the statement that it
  belongs to was reported without it; the result names what was assumed.

A parsed formula is a tree of frozen dataclasses; it is walked, never executed. Errors name the column.

Not covered: names of one's own, comparisons other than ``less``, text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final, NoReturn

from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.errors import FormulaError

__all__ = [
    "FUNCTIONS",
    "LONGEST",
    "Binary",
    "Call",
    "Days",
    "Function",
    "Item",
    "Named",
    "Negative",
    "Node",
    "Number",
    "items",
    "parse",
    "positives",
    "reach",
    "show",
    "walk",
]

LONGEST: Final = 2_000
"""Characters of a formula."""

_DEEPEST: Final = 40
"""Nested brackets and calls; the interpreter's own stack is far from full then."""

_MOST: Final = 200
"""Operations of one formula: a chain of sums is a tree as deep as it is long."""


@dataclass(frozen=True, slots=True)
class Number:
    """A constant of the formula."""

    value: Decimal


@dataclass(frozen=True, slots=True)
class Item:
    """A line item as reported in the period."""

    concept: str


@dataclass(frozen=True, slots=True)
class Days:
    """The days of the period: 365 for twelve months."""


@dataclass(frozen=True, slots=True)
class Named:
    """A definition under its name; `body` is what it stands for."""

    name: str
    body: Node


@dataclass(frozen=True, slots=True)
class Negative:
    """Minus the operand."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Binary:
    """One of ``+ - * /``."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Call:
    """A function of `FUNCTIONS`: `arguments` are expressions, `numbers` the whole numbers after them."""

    function: str
    arguments: tuple[Node, ...]
    numbers: tuple[int, ...] = ()


Node = Number | Item | Days | Named | Negative | Binary | Call


@dataclass(frozen=True, slots=True)
class Function:
    """What a function takes and means. `takes` is what its expressions must be: any, a line item, or one in parts."""

    arguments: tuple[int, int]
    numbers: tuple[tuple[int, int], ...]
    meaning: str
    takes: str = "any"
    optional: bool = False


_K: Final = ((2, 10),)

FUNCTIONS: Final[Mapping[str, Function]] = MappingProxyType(
    {
        "avg": Function((1, 1), (), "mean of x at the beginning and the end of the period"),
        "prior": Function((1, 1), ((1, 10),), "x one period (or k) before", optional=True),
        "change": Function((1, 1), (), "x less x one period before"),
        "growth": Function((1, 1), (), "change(x) / prior(x); needs prior(x) > 0"),
        "cagr": Function((1, 1), _K, "(x / prior(x, k)) to the power 1/k, less 1; needs both > 0"),
        "slope": Function((1, 1), _K, "slope of the least-squares line through x over the last k periods"),
        "trend": Function((1, 1), _K, "slope(x, k) / mean(x, k); needs a positive mean"),
        "sd": Function((1, 1), _K, "sample standard deviation of x over the last k periods"),
        "cv": Function((1, 1), _K, "sd(x, k) / mean(x, k); needs a positive mean"),
        "mean": Function((1, 1), _K, "mean of x over the last k periods"),
        "sum": Function((1, 1), _K, "sum of x over the last k periods"),
        "turns": Function((1, 1), _K, "how often x changed its sign over the last k periods, zeros left out"),
        "abs": Function((1, 1), (), "x without its sign"),
        "sqrt": Function((1, 1), (), "square root; needs x > 0"),
        "ln": Function((1, 1), (), "natural logarithm; needs x > 0"),
        "exp": Function((1, 1), (), "e to the power x"),
        "min": Function((2, 2), (), "the smaller of two"),
        "max": Function((2, 2), (), "the larger of two"),
        "less": Function((2, 2), (), "1 where x is less than y, else 0"),
        "quotient": Function((2, 2), (), "x / y where y may be negative; needs y other than 0"),
        "first": Function((2, 4), (), "the first of the arguments for which nothing is missing"),
        "opt": Function((1, 1), (), "the item, or 0 where its statement was reported without it", takes="item"),
        "parts_sum": Function((1, 1), (), "sum of the parts of an item", takes="parts"),
        "parts_squares": Function((1, 1), (), "sum of the squares of the parts of an item", takes="parts"),
        "parts_count": Function((1, 1), (), "number of parts that are not zero", takes="parts"),
        "entropy": Function((1, 1), (), "sum of share x ln(1 / share) over the parts of an item", takes="parts"),
        "top": Function((1, 1), ((1, 10),), "sum of the k largest parts of an item", takes="parts"),
        "digit_mad": Function((0, 0), ((1, 2),), "mean absolute deviation of the n-th digits from Benford's law"),
        "digit_chi2": Function((0, 0), ((1, 2),), "chi-square statistic of the n-th digits against Benford's law"),
        "digit_ks": Function((0, 0), ((1, 2),), "largest distance of the cumulated n-th digits from Benford's law"),
        "digit_z": Function((0, 0), ((1, 2), (0, 9)), "Nigrini's z of digit d as n-th digit, continuity corrected"),
        "peer_z": Function((1, 1), (), "x less the mean of the peers, over their sample standard deviation"),
        "peer_rank": Function((1, 1), (), "share of the peers below x, ties counted half"),
    }
)

_TOKEN: Final = re.compile(r"\s*(?:(\d+(?:\.\d+)?)|([a-z_][a-z0-9_]*)|([-+*/(),]))")


class _Parser:
    """Recursive descent over the tokens of one formula."""

    def __init__(self, text: str, definitions: Mapping[str, Node]) -> None:
        self.text = text
        self.definitions = definitions
        self.depth = 0
        self.operations = 0
        if len(text) > LONGEST:
            self.refuse(f"longer than {LONGEST} characters", LONGEST)
        self.tokens = list(self._scan())
        self.place = 0

    def refuse(self, problem: str, column: int) -> NoReturn:
        near = self.text[max(0, column - 15) : column + 15]
        message = f"Formula: {problem} at column {column + 1}, near {near!r}."
        raise FormulaError(message, remedy="See docs/finance-factors.md for the language of formulas.")

    def _scan(self) -> Iterator[tuple[str, str, int]]:
        column = 0
        while self.text[column:].strip():
            found = _TOKEN.match(self.text, column)
            if found is None:
                column += len(self.text[column:]) - len(self.text[column:].lstrip())
                self.refuse(f"unexpected {self.text[column]!r}", column)
            kind = ("number", "name", "sign")[(found.lastindex or 1) - 1]
            yield kind, found.group(found.lastindex or 1), found.start(found.lastindex or 1)
            column = found.end()
        yield "end", "", len(self.text)

    def take(self, *signs: str) -> str | None:
        """Consume the next token if it is one of `signs`."""
        kind, value, column = self.tokens[self.place]
        if kind == "sign" and value in signs:
            self.place += 1
            self.operations += value in "+-*/"
            if self.operations > _MOST:
                self.refuse(f"more than {_MOST} operations", column)
            return value
        return None

    def expect(self, sign: str) -> None:
        if self.take(sign) is None:
            _, value, column = self.tokens[self.place]
            self.refuse(f"expected {sign!r}, found {value!r}" if value else f"expected {sign!r}, found the end", column)

    def expression(self) -> Node:
        node = self.term()
        while sign := self.take("+", "-"):
            node = Binary(sign, node, self.term())
        return node

    def term(self) -> Node:
        node = self.factor()
        while sign := self.take("*", "/"):
            node = Binary(sign, node, self.factor())
        return node

    def factor(self) -> Node:
        kind, value, column = self.tokens[self.place]
        self.depth += 1
        if self.depth > _DEEPEST:
            self.refuse(f"nested deeper than {_DEEPEST}", column)
        if self.take("-"):
            node: Node = Negative(self.factor())
        elif self.take("("):
            node = self.expression()
            self.expect(")")
        elif kind == "number":
            self.place += 1
            node = Number(Decimal(value))
        elif kind == "name":
            self.place += 1
            node = self.call(value, column) if self.take("(") else self.name(value, column)
        else:
            self.refuse(f"unexpected {value!r}" if value else "unexpected end", column)
        self.depth -= 1
        return node

    def name(self, name: str, column: int) -> Node:
        if name == "days":
            return Days()
        if name in self.definitions:
            return Named(name, self.definitions[name])
        if name not in CONCEPTS:
            self.refuse(f"unknown name {name!r}", column)
        if CONCEPTS[name].by_member:
            self.refuse(f"{name!r} is reported in parts", column)
        return Item(name)

    def call(self, name: str, column: int) -> Node:
        function = FUNCTIONS.get(name)
        if function is None:
            self.refuse(f"unknown function {name!r}", column)
        arguments: list[Node] = []
        numbers: list[int] = []
        while True:
            kind, value, place = self.tokens[self.place]
            if len(arguments) >= function.arguments[0] and kind == "number" and len(numbers) < len(function.numbers):
                numbers.append(self.whole(value, place, function.numbers[len(numbers)]))
            elif numbers or len(arguments) >= function.arguments[1]:
                self.refuse(f"too many arguments of {name!r}", place)
            else:
                arguments.append(self.argument(function))
            if not self.take(","):
                break
        self.expect(")")
        wanted = len(function.numbers)
        if len(arguments) < function.arguments[0] or (len(numbers) < wanted and not function.optional):
            self.refuse(f"too few arguments of {name!r}", column)
        return Call(name, tuple(arguments), tuple(numbers))

    def argument(self, function: Function) -> Node:
        if function.takes == "any":
            return self.expression()
        kind, value, column = self.tokens[self.place]
        self.place += 1
        concept = CONCEPTS.get(value) if kind == "name" else None
        if concept is None or concept.by_member != (function.takes == "parts"):
            self.refuse("expected a line item" + (" in parts" if function.takes == "parts" else ""), column)
        if function.takes == "item" and concept.statement in ("market", "notes"):
            self.refuse(f"{value!r} stands in no statement, so nothing says that it is nil", column)
        return Item(value)

    def whole(self, value: str, column: int, bounds: tuple[int, int]) -> int:
        self.place += 1
        if not value.isdigit() or len(value) > 3 or not bounds[0] <= int(value) <= bounds[1]:
            self.refuse(f"expected a whole number from {bounds[0]} to {bounds[1]}, found {value!r}", column)
        return int(value)


def parse(text: str, definitions: Mapping[str, Node] | None = None) -> Node:
    """Return the tree of a formula.

    Raises:
        FormulaError: it is not in the language; the message names the column.
    """
    parser = _Parser(text, definitions or {})
    node = parser.expression()
    kind, value, column = parser.tokens[parser.place]
    if kind != "end":
        parser.refuse(f"unexpected {value!r}", column)
    return node


def show(node: Node) -> str:
    """Return the formula of a tree, definitions by their names, with no more brackets than it needs."""
    return _show(node, 0)


def _show(node: Node, outer: int) -> str:
    match node:
        case Number(value):
            return str(value)
        case Item(concept):
            return concept
        case Days():
            return "days"
        case Named(name, _):
            return name
        case Negative(operand):
            return f"-{_show(operand, 3)}"
        case Call(function, arguments, numbers):
            return f"{function}({', '.join([*(_show(item, 0) for item in arguments), *map(str, numbers)])})"
        case Binary(operator, left, right):
            level = 1 if operator in "+-" else 2
            text = f"{_show(left, level)} {operator} {_show(right, level + 1)}"
            return f"({text})" if level < outer else text


def walk(node: Node) -> Iterator[Node]:
    """Yield a tree's nodes, each before its children."""
    yield node
    match node:
        case Named(_, child) | Negative(child):
            yield from walk(child)
        case Binary(_, left, right):
            yield from walk(left)
            yield from walk(right)
        case Call(_, arguments, _):
            for child in arguments:
                yield from walk(child)
        case _:
            pass


def items(node: Node) -> tuple[str, ...]:
    """Return the line items of a formula, in the order in which they first stand there."""
    return tuple(dict.fromkeys(found.concept for found in walk(node) if isinstance(found, Item)))


def reach(node: Node) -> int:
    """Return how many periods before its own a formula reaches at most."""
    match node:
        case Named(_, child) | Negative(child):
            return reach(child)
        case Binary(_, left, right):
            return max(reach(left), reach(right))
        case Call(function, arguments, numbers):
            inner = max((reach(child) for child in arguments), default=0)
            if function in ("avg", "change", "growth"):
                return inner + 1
            if function == "prior" or function == "cagr":
                return inner + (numbers[0] if numbers else 1)
            if function in ("slope", "trend", "sd", "cv", "mean", "sum", "turns"):
                return inner + numbers[0] - 1
            return inner
        case _:
            return 0


def positives(node: Node) -> tuple[str, ...]:
    """Return what must be above zero for a formula to have a value, as formulas."""
    found: dict[str, None] = {}
    for item in walk(node):
        match item:
            case Binary("/", _, right) if not isinstance(right, Number):
                found[show(right)] = None
            case Call("growth", (child,), _):
                found[show(Call("prior", (child,)))] = None
            case Call("cagr", (child,), numbers):
                found[show(child)] = None
                found[show(Call("prior", (child,), numbers))] = None
            case Call("trend" | "cv", (child,), numbers):
                found[show(Call("mean", (child,), numbers))] = None
            case Call("ln" | "sqrt", (child,), _):
                found[show(child)] = None
            case _:
                pass
    return tuple(found)
