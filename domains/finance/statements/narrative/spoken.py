"""Turns values into words, in English and Chinese, and remembers for each figure what it is the value of.

    spoken = say("{ratio} is below {line}.", "en", {"ratio": Quantity(...), "line": Quantity(...)}, values)
    spoken.text    -> "0.83 is below 1.00."
    spoken.said    -> the two quantities, in the order of the text

What a figure looks like follows from its kind alone, so that `proof` can read it back:

| kind      | English              | Chinese     | value          |
| money     | USD 1,234.5 million  | 12.35亿美元  | in whole units |
| percent   | 23.1%                | 23.1%       | 0.231          |
| points    | 3.2 percentage points| 3.2个百分点  | 0.032          |
| change    | down 23.1%           | 下降23.1%    | -0.231         |
| ratio     | 6.31                 | 6.31        | 6.31           |
| days      | 57.9 days            | 57.9天      | 57.9           |
| count     | 3                    | 3           | 3              |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from string import Formatter
from typing import Final, Literal

from domains.finance.statements.types import Period
from retrieval.language import Language

__all__ = ["DECIMALS", "Kind", "Over", "Quantity", "Said", "Spoken", "Value", "label", "rounded", "say", "show_figure"]

Kind = Literal["money", "percent", "points", "change", "ratio", "days", "count"]
Over = Literal["own", "peer_median"]

DECIMALS: Final[Mapping[Kind, int]] = {"percent": 1, "points": 1, "change": 1, "ratio": 2, "days": 1, "count": 0}
"""Decimals of each kind but money, whose decimals follow from its scale."""

_ENGLISH_SCALES: Final = ((10**6, " million", 1), (10**3, " thousand", 1), (1, "", 2))
_CHINESE_SCALES: Final = ((10**8, "亿", 2), (10**4, "万", 2), (1, "", 2))
_CHINESE_NAMES: Final = {"CNY": "元", "USD": "美元", "HKD": "港元", "EUR": "欧元", "GBP": "英镑", "JPY": "日元"}

_YEAR: Final = 12
_QUARTER: Final = 3


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a figure is the value of: a formula in a period, of the company or in the middle of its peers."""

    formula: str
    period: Period
    kind: Kind
    over: Over = "own"


Said = Quantity | Period
Value = Callable[[Quantity], Decimal]
"""Gives the value of a quantity; a quantity without one must not be said."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A sentence and what its figures and periods stand for, in the order of the text."""

    text: str
    language: Language
    said: tuple[Said, ...]


def say(template: str, language: Language, named: Mapping[str, Said | str], value: Value, *, currency: str) -> Spoken:
    """Fill a template; names of quantities and periods become figures, other names their text."""
    pieces: list[str] = []
    said: list[Said] = []
    for literal, name, _, _ in Formatter().parse(template):
        pieces.append(literal)
        if name is None:
            continue
        item = named[name]
        if isinstance(item, str):
            pieces.append(item)
            continue
        said.append(item)
        if isinstance(item, Period):
            pieces.append(label(item, language))
        else:
            pieces.append(show_figure(value(item), item.kind, language, currency=currency))
    return Spoken("".join(pieces), language, tuple(said))


def label(period: Period, language: Language) -> str:
    """Return how a period is called: by its year when it is a calendar year, else by its last day."""
    year = period.end.year
    if period.months == _YEAR and period.end == date(year, 12, 31):
        return f"{year}年" if language == "zh" else str(year)
    end = period.end.isoformat()
    if period.months in (_YEAR, _QUARTER):
        english, chinese = ("year", "年度") if period.months == _YEAR else ("quarter", "季度")
        return f"截至{end}的{chinese}" if language == "zh" else f"the {english} to {end}"
    months = period.months
    return f"截至{end}的{months}个月" if language == "zh" else f"the {months} months to {end}"


def show_figure(value: Decimal, kind: Kind, language: Language, *, currency: str) -> str:
    """Return a value as it stands in a sentence."""
    if kind == "money":
        return _money(value, language, currency)
    scaled = value * 100 if kind in ("percent", "points", "change") else value
    shown = rounded(scaled, DECIMALS[kind])
    if kind == "change":
        word = ("下降", "上升") if language == "zh" else ("down ", "up ")
        return f"{word[shown >= 0]}{abs(shown):,}%"
    unit = {
        "percent": ("%", "%"),
        "points": (" percentage points", "个百分点"),
        "days": (" days", "天"),
    }.get(kind, ("", ""))
    return f"{shown:,}{unit[language == 'zh']}"


def _money(value: Decimal, language: Language, currency: str) -> str:
    scales = _CHINESE_SCALES if language == "zh" else _ENGLISH_SCALES
    factor, word, decimals = next((row for row in scales if abs(value) >= row[0]), scales[-1])
    shown = f"{rounded(value / factor, decimals):,}"
    if language == "en":
        return f"{currency} {shown}{word}"
    return f"{shown}{word}{_CHINESE_NAMES.get(currency, ' ' + currency)}"


def rounded(value: Decimal, decimals: int) -> Decimal:
    """Return a value with so many decimals, halves to even, never a negative zero."""
    return value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN) + 0
