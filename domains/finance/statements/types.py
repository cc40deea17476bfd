"""The words that everything about statements shares: figures and where they stand, factors, and what came of them.

* **Value.** An exact `Decimal` in base units (one unit of currency, one share), so that sums of reported figures are
  exact and a denominator that is zero *is* zero; a binary float would leave 1e-9 and a huge ratio. Not finite, larger
  than `LARGEST` or finer than `FINEST` is refused where the cell is made.
* **Unit of a cell.** ``"USD"``, ``"USD/share"``, ``"shares"`` or ``"pure"``; see `concepts`. One currency a company.
* **Period.** A stock's cell belongs to the period at whose end it stands. All periods of a company have one length; a
  gap between them is allowed and stops averages and growth across it, never silently bridges it.
* **Reason.** What has no value says why, as a code with details; ``str(reason)`` is English, ``text("zh")`` Chinese.

Errors: `StatementsError` for figures that cannot be taken. What cannot be computed from good figures is a `Reason`.

Not covered: conversion of currencies, annualisation, restatements (the intake keeps one figure a cell).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Final, Literal

from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.definitions import DEFINITIONS
from domains.finance.statements.errors import StatementsError
from retrieval.language import Language

__all__ = [
    "FINEST",
    "LARGEST",
    "Applicability",
    "Cell",
    "Computed",
    "Direction",
    "Factor",
    "FactorUnit",
    "Period",
    "Reason",
    "ReasonCode",
    "Source",
    "Statements",
    "unit_of",
]

LARGEST: Final = Decimal(10) ** 21
"""No reported figure reaches this: the largest balance sheets in rupiah or dong stay below 10 to the 17th."""

FINEST: Final = -12
"""The least exponent of a figure; per-share figures are published with at most six decimals."""

Direction = Literal["higher_is_better", "lower_is_better", "neutral"]
FactorUnit = Literal[
    "ratio",
    "percent",
    "points",
    "days",
    "currency",
    "currency_per_share",
    "score",
    "signal",
    "count",
    "z",
    "percentile",
]
"""``percent`` is a fraction (0.23 is 23 %), ``points`` a difference of such fractions; ``signal`` is 0 or 1."""

ReasonCode = Literal[
    "missing",
    "zero_denominator",
    "negative_denominator",
    "not_positive",
    "no_variation",
    "needs_periods",
    "gap",
    "needs_peers",
    "needs_members",
    "needs_cells",
    "industry",
    "currency",
    "months",
    "out_of_range",
]

_WORDS: Final[Mapping[ReasonCode, tuple[str, str]]] = {
    "missing": ("missing: {}", "缺少：{}"),
    "zero_denominator": ("denominator is zero: {}", "分母为零：{}"),
    "negative_denominator": ("negative {}", "分母为负：{}"),
    "not_positive": ("must be positive: {}", "须为正数：{}"),
    "no_variation": ("no variation: {}", "没有变动：{}"),
    "needs_periods": ("needs {} periods", "需要 {} 个期间"),
    "gap": ("periods are not adjacent before {}", "{} 之前的期间不连续"),
    "needs_peers": ("needs {} peers with this figure", "需要 {} 家具备该指标的同业"),
    "needs_members": ("needs parts of: {}", "需要分项：{}"),
    "needs_cells": ("needs {} reported figures", "需要 {} 个报告数字"),
    "industry": ("not defined for industry: {}", "不适用于行业：{}"),
    "currency": ("defined in {} only", "仅以 {} 定义"),
    "months": ("needs periods of {} months", "需要 {} 个月的期间"),
    "out_of_range": ("result is out of range: {}", "结果超出范围：{}"),
}


_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*")

_FUNCTIONS: Final[Mapping[str, str]] = {
    "avg": "平均",
    "prior": "上期",
    "change": "变动",
    "growth": "增长率",
    "mean": "均值",
    "sum": "合计",
    "sd": "标准差",
}


def _chinese(name: re.Match[str]) -> str:
    word = name.group()
    item = CONCEPTS.get(word) or DEFINITIONS.get(word)
    return _FUNCTIONS.get(word, word) if item is None else item.titles["zh"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a factor has no value here."""

    code: ReasonCode
    details: tuple[str, ...] = ()

    def text(self, language: Language) -> str:
        """Say it; in Chinese with the titles of the line items and definitions that the details name."""
        english, chinese = _WORDS[self.code]
        if language == "en":
            return english.format(", ".join(self.details))
        return chinese.format("、".join(_NAME.sub(_chinese, detail) for detail in self.details))

    def __str__(self) -> str:
        return self.text("en")


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A span of days, both ends included. Ordered by start, then end."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end < self.start:
            message = f"A period ends before it begins: {self.start} to {self.end}."
            raise StatementsError(message, remedy="Give the first and the last day of the period.")

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.end - self.start).days + 1

    @property
    def months(self) -> int:
        """Number of months, rounded; a year of 52 or 53 weeks has 12."""
        return max(1, round(self.days / 30.4375))

    def follows(self, earlier: Period) -> bool:
        """Say whether this period begins where `earlier` ends, give or take a week (years of 52 or 53 weeks)."""
        return abs((self.start - earlier.end).days - 1) <= 7

    def __str__(self) -> str:
        return f"{self.start}..{self.end}"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure stands: the document, and the page, cell or tag in it."""

    document: str
    place: str = ""
    page: int | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One reported figure of one line item in one period; `member` names the part of an item reported in parts."""

    concept: str
    period: Period
    value: Decimal
    unit: str
    source: Source
    member: str | None = None

    def __post_init__(self) -> None:
        if self.concept not in CONCEPTS:
            message = f"There is no line item {self.concept[:60]!r}."
            raise StatementsError(message, remedy="Use a line item of domains.finance.statements.concepts.")
        value: object = self.value
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            message = f"The value of {self.concept} is no exact number: {str(value)[:60]!r}."
            raise StatementsError(message, remedy="Give a whole number or a Decimal, never a float.")
        exact = Decimal(value)
        if not exact.is_finite() or exact.copy_abs() > LARGEST:
            message = f"The value of {self.concept} is no figure of a company: {str(exact)[:40]}."
            raise StatementsError(message, remedy="Check the figure and its scale; it is given in base units.")
        if isinstance(exponent := exact.as_tuple().exponent, int) and exponent < FINEST:
            message = f"The value of {self.concept} has more than {-FINEST} decimals."
            raise StatementsError(message, remedy="Give the figure as it was reported.")
        if (self.member is None) == CONCEPTS[self.concept].by_member:
            wanted = "needs a member" if self.member is None else "is not reported in parts"
            message = f"The line item {self.concept} {wanted}."
            raise StatementsError(
                message, remedy="Name the member of items by segment, customer or band, and no other."
            )
        object.__setattr__(self, "value", exact if exact else Decimal(0))  # -0 is 0


def unit_of(concept: str, currency: str) -> str:
    """Return the unit that a cell of `concept` has in statements in `currency`."""
    kind = CONCEPTS[concept].unit
    return {"currency": currency, "per_share": f"{currency}/share"}.get(kind, kind)


@dataclass(frozen=True, slots=True)
class Statements:
    """What one company reported, and the peers that it is to be compared with.

    `periods` are sorted, the newest last, without overlaps and of one length. `peers` are statements of other
    companies; only their ratios are compared, so their currency may differ. `industry` is a lower-case word, or None
    where it is not known; of ``bank``, ``insurer`` and ``broker`` many factors say nothing.
    """

    company: str
    currency: str
    periods: tuple[Period, ...]
    cells: tuple[Cell, ...]
    industry: str | None = None
    peers: tuple[Statements, ...] | None = None
    _index: Mapping[tuple[str, Period], Cell] = field(init=False, repr=False, compare=False)
    _members: Mapping[tuple[str, Period], tuple[Cell, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not (len(self.currency) == 3 and self.currency.isascii() and self.currency.isupper()):
            message = f"{self.currency[:20]!r} is no currency."
            raise StatementsError(message, remedy="Give the ISO 4217 code, such as CNY or USD.")
        _check_periods(self.periods)
        index: dict[tuple[str, Period], Cell] = {}
        members: dict[tuple[str, Period], dict[str, Cell]] = {}
        for cell in self.cells:
            self._check(cell)
            key = (cell.concept, cell.period)
            parts = members.setdefault(key, {}) if cell.member is not None else {}
            if key in index or cell.member in parts:
                message = f"{cell.concept} is given twice for {cell.period}."
                raise StatementsError(message, remedy="Keep one figure for an item and period, the restated one.")
            if cell.member is None:
                index[key] = cell
            else:
                parts[cell.member] = cell
        object.__setattr__(self, "_index", index)
        ordered = {key: tuple(parts[name] for name in sorted(parts)) for key, parts in members.items()}
        object.__setattr__(self, "_members", ordered)

    def _check(self, cell: Cell) -> None:
        if cell.period not in self.periods:
            message = f"{cell.concept} is given for {cell.period}, which is no period of these statements."
            raise StatementsError(message, remedy="Give every cell one of the periods.")
        if cell.unit != (expected := unit_of(cell.concept, self.currency)):
            message = f"{cell.concept} is given in {cell.unit[:20]!r}, these statements are in {expected!r}."
            raise StatementsError(message, remedy="Convert all figures to one currency and to base units first.")

    def cell(self, concept: str, period: Period) -> Cell | None:
        """Return the figure of a line item in a period, if it was reported."""
        return self._index.get((concept, period))

    def value(self, concept: str, period: Period) -> Decimal | None:
        """Return the number of a line item in a period, if it was reported."""
        found = self._index.get((concept, period))
        return None if found is None else found.value

    def members(self, concept: str, period: Period) -> tuple[Cell, ...]:
        """Return the parts of a line item in a period, in the order of their names."""
        return self._members.get((concept, period), ())

    def prior(self, period: Period, back: int = 1) -> Period | None:
        """Return the period `back` steps before, if every step is between adjacent periods."""
        place = self.periods.index(period) - back
        if place < 0:
            return None
        steps = zip(self.periods[place:], self.periods[place + 1 : place + 1 + back], strict=False)
        return self.periods[place] if all(later.follows(earlier) for earlier, later in steps) else None

    def average(self, concept: str, period: Period) -> Decimal | None:
        """Return the mean of an item at the beginning and the end of a period, if both are known."""
        before = self.prior(period)
        opening = None if before is None else self.value(concept, before)
        closing = self.value(concept, period)
        return None if opening is None or closing is None else (opening + closing) / 2


def _check_periods(periods: tuple[Period, ...]) -> None:
    if not periods:
        raise StatementsError("There are no periods.", remedy="Give at least one period with its figures.")
    for earlier, later in pairwise(periods):
        if later <= earlier:
            message = f"Periods are out of order or doubled: {earlier}, {later}."
            raise StatementsError(message, remedy="Give each period once, the oldest first.")
        if later.start <= earlier.end and not later.follows(earlier):
            message = f"Periods overlap: {earlier} and {later}."
            raise StatementsError(message, remedy="Give years or quarters, not both.")
        if later.months != earlier.months:
            message = f"Periods of {earlier.months} and of {later.months} months are mixed."
            raise StatementsError(message, remedy="Give periods of one length; assess quarters and years apart.")


@dataclass(frozen=True, slots=True)
class Applicability:
    """What must hold for a factor to mean anything.

    `periods` is the least number of adjacent periods, `positive` names what must be above zero (both follow from the
    formula), `excluded` the industries for which the factor says nothing, `months` and `currency` a demand of a model
    that was estimated on such figures, `peers` the least number of peers.
    """

    periods: int = 1
    positive: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    months: int | None = None
    currency: str | None = None
    peers: int = 0


@dataclass(frozen=True, slots=True)
class Factor:
    """One documented factor. `formula` is the whole definition, in the language of `formula`."""

    id: str
    titles: Mapping[Language, str]
    group: str
    formula: str
    unit: FactorUnit
    direction: Direction
    source: str
    applicability: Applicability


@dataclass(frozen=True, slots=True)
class Computed:
    """What came of a factor in a period: a finite value, or None and the reason.

    `inputs` are all cells of the company that it rests on (of peers none); `assumed` names the line items that were
    taken as nil since the statement they belong to was reported without them, each with the end of its period.
    """

    factor: Factor
    period: Period
    value: Decimal | None
    reason: Reason | None
    inputs: tuple[Cell, ...]
    assumed: tuple[str, ...] = ()
