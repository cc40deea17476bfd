"""A second reading of the formulas, sharing nothing with the first but the declared text.

Formulas are read by Python's own parser and walked over fractions, one formula and year at a time, without steps,
masks or decimals; what is irrational is a float. Run this file to write `data/goldens.csv` anew after a factor was
added or its formula changed, and read the difference before it is committed.
"""

from __future__ import annotations

import ast
import csv
import math
import statistics
import sys
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
YEARS = range(2019, 2025)

Book = Mapping[tuple[str, str, int], Fraction]
"""Figures by line item, member and year."""


class Undefined(Exception):
    """The formula has no value here."""


def read_figures() -> dict[str, dict[tuple[str, str, int], Fraction]]:
    """Return the figures of every company in data/figures.csv."""
    books: dict[str, dict[tuple[str, str, int], Fraction]] = {}
    with (DATA / "figures.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            book = books.setdefault(row["company"], {})
            for year in YEARS:
                book[row["concept"], row["member"], year] = Fraction(row[str(year)])
    return books


class Reading:
    """Values of formulas for one company."""

    def __init__(self, book: Book, *, names: Mapping[str, str], units: Mapping[str, str], peers: tuple[Book, ...] = ()):
        self.book = book
        self.names = names
        self.units = units
        self.peers = tuple(Reading(peer, names=names, units=units) for peer in peers)

    def value(self, formula: str, year: int) -> Any:
        return self.walk(ast.parse(formula.strip(), mode="eval").body, year)

    def walk(self, node: ast.expr, year: int) -> Any:
        match node:
            case ast.Constant(value=number):
                return Fraction(Decimal(repr(number)))
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -self.walk(inner, year)
            case ast.Name(id="days"):
                return Fraction(365)
            case ast.Name(id=name) if name in self.names:
                return self.value(self.names[name], year)
            case ast.Name(id=name):
                return self.item(name, year)
            case ast.BinOp(left=left, op=operator, right=right):
                return self.combine(operator, self.walk(left, year), self.walk(right, year))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self.call(name, arguments, year)
        raise AssertionError(ast.dump(node))

    def item(self, name: str, year: int) -> Fraction:
        if (name, "", year) not in self.book:
            raise Undefined(f"missing {name} {year}")
        return self.book[name, "", year]

    @staticmethod
    def combine(operator: ast.operator, left: Any, right: Any) -> Any:
        match operator:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult():
                return left * right
        if right <= 0:
            raise Undefined("denominator")
        return left / right

    def call(self, name: str, arguments: list[ast.expr], year: int) -> Any:
        plain = [item.value for item in arguments if isinstance(item, ast.Constant) and isinstance(item.value, int)]
        if name.startswith("digit_"):
            return digits(self, name, plain, year)
        if name in ("parts_sum", "parts_squares", "parts_count", "entropy", "top"):
            first = arguments[0]
            assert isinstance(first, ast.Name)
            return parts(name, [v for (c, m, y), v in self.book.items() if (c, y) == (first.id, year) and m], plain)
        if name in ("peer_z", "peer_rank"):
            return self.compare(name, arguments[0], year)
        if name == "first":
            return self.choose(arguments, year)
        if name == "opt":
            assert isinstance(arguments[0], ast.Name)
            return self.book.get((arguments[0].id, "", year), Fraction(0))
        if name in SERIES:
            back, function = SERIES[name]
            count = plain[0] if len(arguments) > 1 else 1
            years = range(year - back(count), year + 1)
            if years[0] < YEARS[0]:
                raise Undefined("history")
            return function([self.walk(arguments[0], other) for other in years])
        return PLAIN[name](*(self.walk(item, year) for item in arguments))

    def choose(self, arguments: list[ast.expr], year: int) -> Any:
        for item in arguments:
            try:
                return self.walk(item, year)
            except Undefined as why:
                if "missing" not in str(why):
                    raise
        raise Undefined("missing")

    def compare(self, name: str, argument: ast.expr, year: int) -> float:
        own = float(self.walk(argument, year))
        others = []
        for peer in self.peers:
            try:
                others.append(float(peer.walk(argument, year)))
            except Undefined:
                continue
        if len(others) < 3:
            raise Undefined("peers")
        if name == "peer_z":
            return (own - statistics.fmean(others)) / statistics.stdev(others)
        return sum((other < own) + (math.isclose(other, own, rel_tol=1e-12)) / 2 for other in others) / len(others)


def positive(value: Any) -> Any:
    if value <= 0:
        raise Undefined("positive")
    return value


def nonzero(value: Any) -> Any:
    if value == 0:
        raise Undefined("zero")
    return value


def fitted_slope(values: list[Any]) -> float:
    return statistics.linear_regression(range(len(values)), [float(value) for value in values]).slope


def sign_turns(values: list[Any]) -> int:
    signs = [math.copysign(1, value) for value in values if value != 0]
    return sum(1 for place in range(1, len(signs)) if signs[place] != signs[place - 1])


Count = Callable[[int], int]
SERIES: dict[str, tuple[Count, Callable[[list[Any]], Any]]] = {
    "avg": (lambda k: 1, lambda v: (v[0] + v[1]) / 2),
    "prior": (lambda k: k, lambda v: v[0]),
    "change": (lambda k: 1, lambda v: v[1] - v[0]),
    "growth": (lambda k: 1, lambda v: v[1] / positive(v[0]) - 1),
    "cagr": (lambda k: k, lambda v: math.exp(math.log(positive(v[-1]) / positive(v[0])) / (len(v) - 1)) - 1),
    "slope": (lambda k: k - 1, fitted_slope),
    "trend": (lambda k: k - 1, lambda v: fitted_slope(v) / float(positive(sum(v) / len(v)))),
    "sd": (lambda k: k - 1, lambda v: statistics.stdev([float(x) for x in v])),
    "cv": (lambda k: k - 1, lambda v: statistics.stdev([float(x) for x in v]) / float(positive(sum(v) / len(v)))),
    "sum": (lambda k: k - 1, sum),
    "mean": (lambda k: k - 1, lambda v: sum(v) / len(v)),
    "turns": (lambda k: k - 1, sign_turns),
}
PLAIN: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "exp": lambda x: math.exp(x),
    "ln": lambda x: math.log(positive(x)),
    "sqrt": lambda x: math.sqrt(positive(x)),
    "min": min,
    "max": max,
    "less": lambda x, y: int(x < y),
    "quotient": lambda x, y: x / nonzero(y),
}


def parts(name: str, values: list[Fraction], plain: list[int]) -> Any:
    values = sorted((value for value in values if value), reverse=True)
    if not values:
        raise Undefined("parts")
    total = sum(values)
    match name:
        case "parts_sum":
            return total
        case "parts_squares":
            return sum(value**2 for value in values)
        case "parts_count":
            return len(values)
        case "top":
            return sum(values[: plain[0]])
    return -sum(float(value / total) * math.log(value / total) for value in values)


def digits(reading: Reading, name: str, plain: list[int], year: int) -> float:
    """Benford's statistics, from the figures as they are written."""
    place = plain[0]
    least = 1 if place == 1 else 10
    texts = [
        str(int(abs(value)))
        for (concept, _, when), value in reading.book.items()
        if when <= year and reading.units[concept] == "currency" and abs(value) >= least
    ]
    if len(texts) < 50:
        raise Undefined("cells")
    law = {
        str(digit): sum(math.log10(1 + 1 / (10 * lead + digit)) for lead in range(1, 10))
        if place == 2
        else math.log10(1 + 1 / digit)
        for digit in range(2 - place, 10)
    }
    seen = {digit: sum(text[place - 1] == digit for text in texts) for digit in law}
    total = len(texts)
    gaps = {digit: seen[digit] / total - law[digit] for digit in law}
    match name:
        case "digit_mad":
            return statistics.fmean(abs(gap) for gap in gaps.values())
        case "digit_chi2":
            return sum((seen[digit] - total * law[digit]) ** 2 / (total * law[digit]) for digit in law)
        case "digit_ks":
            ordered = list(gaps.values())
            return max(abs(sum(ordered[: count + 1])) for count in range(len(ordered)))
    digit = str(plain[1])
    gap, half = abs(gaps[digit]), 1 / (2 * total)
    return (gap - half if half < gap else gap) / math.sqrt(law[digit] * (1 - law[digit]) / total)


def reading() -> Reading:
    """Return the reading of the company laid down in data/figures.csv, with its peers."""
    from domains.finance.statements.concepts import CONCEPTS
    from domains.finance.statements.definitions import DEFINITIONS

    books = read_figures()
    own = books.pop("own")
    names = {name: definition.formula for name, definition in DEFINITIONS.items()}
    units = {name: concept.unit for name, concept in CONCEPTS.items()}
    return Reading(own, names=names, units=units, peers=tuple(books.values()))


def main() -> None:
    from domains.finance.statements.factors import FACTORS

    found = reading()
    with (DATA / "goldens.csv").open("w", encoding="utf-8", newline="") as lines:
        rows = csv.writer(lines, lineterminator="\n")
        rows.writerow(["factor", "value"])
        for factor in FACTORS.values():
            rows.writerow([factor.id, f"{float(found.value(factor.formula, 2024)):.15g}"])


if __name__ == "__main__":
    main()
    sys.stderr.write("goldens written\n")
