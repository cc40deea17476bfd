"""Numbers, percentages, amounts of money, measures, dates and codes of a text, as values that can be compared.

"1,234 million" and "1.234 billion" are one value, 12.5亿元 is 1,250,000,000 yuan, 2023年3月1日 is March 1, 2023, and
"(1,234)" in a table is negative. Two values agree when they say the same; a value without a unit agrees with any unit,
since tables keep their units in the heading. `missing` says which values of a claim its source does not hold.

Not covered: conversion of units, values computed from others (a sum is missing until a tool has computed it), and
everything that `numerals`, `units` and `dates` name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final

from app.answering.checking.dates import Date, dates
from app.answering.checking.numerals import CHINESE, ENGLISH, chinese_number, english_number
from app.answering.checking.units import (
    CURRENCY,
    SCALES,
    UNIT,
    currency_of,
    is_currency,
    scale_of,
    table_scales,
    unit_of,
)

__all__ = ["Value", "ValueKind", "extract", "missing"]

_WIDE: Final = str.maketrans("０１２３４５６７８９．％－−﹣", "0123456789.%---")

_NUMBER: Final = re.compile(
    rf"""(?:(?P<open>\()\s{{0,3}})?
        (?P<sign>(?<![\w)])[-+])?\s?
        (?:(?P<currency>{CURRENCY})\s?(?P<inner>-)?)?
        (?<![A-Za-z\d.])(?P<figures>\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?)(?!\d)
        (?:(?P<short>[kKmMbB])(?![A-Za-z\d])|[\s-]?(?P<scale>{SCALES}))?
        (?:\s?-?(?P<unit>{UNIT}))?
        (?P<close>\s{{0,3}}\))?""",
    re.VERBOSE | re.IGNORECASE,
)
_ENGLISH: Final = re.compile(
    rf"\b(?P<words>{ENGLISH})\b(?:[\s-](?P<scale>{SCALES}))?(?:[\s-](?P<unit>{UNIT}))?", re.IGNORECASE
)
_CHINESE: Final = re.compile(rf"(?P<percent>百分之)?(?P<words>{CHINESE})\s?(?P<unit>{UNIT})?", re.IGNORECASE)
_CODE: Final = re.compile(
    r"(?<![A-Za-z0-9])(?!FY\d|RMB|USD|EUR|CNY|GBP|HKD)[A-Za-z]{1,6}-?\d+(?:\.\d+)*[A-Za-z]?(?![A-Za-z0-9])"
)
_SQUEEZE: Final = re.compile(r"[\s-]+")
_QUARTER: Final = re.compile(
    r"\b(first|second|third|fourth)[\s-]quarter\b|第?([一二三四])季度|\b([1-4])Q", re.IGNORECASE
)
_QUARTERS: Final = {"first": 1, "second": 2, "third": 3, "fourth": 4, "一": 1, "二": 2, "三": 3, "四": 4}
_HEDGE: Final = re.compile(
    r"(?:about|approximately|approx\.|around|nearly|almost|roughly|some|over|more than"
    r"|大约|约为|约|将近|近|超过|逾)\s*$",
    re.IGNORECASE,
)
_LOOK_BACK: Final = 16

_HEDGED_SLACK: Final = Decimal("0.025")
"""How far "about" may be off. A claim should use the words of its passage; this allows dropping a last digit."""

_PRECISE: Final = 3
"""Significant digits from which a rounded figure still counts as the figure (1.23 billion for 1,234 million)."""


_NO_DATE: Final = Date()


_LONGEST_ROUNDED: Final = 20
"""Digits above which a figure is compared as it stands; `decimal` computes with 28."""


class ValueKind(StrEnum):
    """What sort of value it is; numbers may carry a unit, which can be a currency or a per cent sign."""

    NUMBER = "number"
    DATE = "date"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Value:
    """One value. `amount` has its scale applied; `digits` counts the significant digits that were written."""

    kind: ValueKind
    text: str
    amount: Decimal = Decimal(0)
    unit: str | None = None
    date: Date = _NO_DATE
    code: str = ""
    digits: int = 0
    scaled: bool = False
    hedged: bool = False
    word: bool = False

    @property
    def meaning(self) -> tuple[object, ...]:
        """What is compared, without the wording: values of one meaning are held or missing together."""
        return (self.kind, self.amount, self.unit, self.date, self.code, self.digits, self.scaled, self.hedged)


def extract(text: str, *, words: bool = False) -> list[Value]:
    """Read the values of a text.

    Args:
        text: Any text.
        words: Also read bare number words ("three", 三). Set it for a source, so that "3" is found there; leave it
        for a
            claim, where "one" is mostly no number. Words with a unit ("three months") are read in either case.
    """
    text = text.translate(_WIDE)
    found: list[Value] = []
    blank = list(text)
    for start, end, date in dates(text):
        found.append(Value(ValueKind.DATE, text[start:end], date=date))
        blank[start:end] = "\n" * (end - start)
    rest = "".join(blank)
    for match in _CODE.finditer(rest):
        found.append(Value(ValueKind.CODE, match[0], code=_code(match[0])))
        blank[match.start() : match.end()] = "\n" * len(match[0])
    rest = "".join(blank)
    for match in _QUARTER.finditer(rest):
        name = next(group for group in match.groups() if group)
        found.append(Value(ValueKind.CODE, match[0], code=f"q{_QUARTERS.get(name.lower(), name)}"))
    found.extend(_figures(rest))
    found.extend(_words(rest, bare=words))
    return found


def missing(claimed: Iterable[Value], source: str, *, unsigned: bool = False) -> list[Value]:
    """Return the values that a source text does not hold.

    Args:
        claimed: Values of a claim.
        source: The text that must hold them.
        unsigned: Compare without signs: for a claim that says the sign in words ("a loss of 5 million").
    """
    held = extract(source, words=True)
    scales = table_scales(source)
    squeezed = _SQUEEZE.sub("", source.translate(_WIDE)).lower()
    held += [replace(v, amount=v.amount * scale) for v in held if _bare(v) for scale in scales]
    held = list({value.meaning: value for value in held}.values())
    claimed = list(claimed)
    absent = {
        meaning
        for meaning, value in {value.meaning: value for value in claimed}.items()
        if not (_held(value, held, unsigned=unsigned) or (value.kind is ValueKind.CODE and value.code in squeezed))
    }
    return [value for value in claimed if value.meaning in absent]


def _bare(value: Value) -> bool:
    return value.kind is ValueKind.NUMBER and not value.scaled and not value.word and value.unit != "%"


def _figures(text: str) -> Iterator[Value]:
    for match in _NUMBER.finditer(text):
        figures = match["figures"]
        amount = Decimal(figures.replace(",", ""))
        currency = match["currency"]
        scale = match["scale"] or (match["short"] if currency else None)
        if scale:
            amount *= scale_of(scale)
        unit = currency_of(currency) if currency else None
        if match["unit"]:
            unit = unit_of(match["unit"])
        if unit == "bp":
            amount, unit = amount / 100, "pp"
        bracketed = bool(match["open"] and match["close"])
        if bracketed or match["sign"] == "-" or match["inner"]:
            amount = -amount
        yield Value(
            ValueKind.NUMBER,
            match[0].strip(),
            amount=amount,
            unit=unit,
            digits=len(figures.replace(",", "").replace(".", "").strip("0")),
            scaled=bool(scale),
            hedged=_hedged(text, match.start()),
        )


def _words(text: str, *, bare: bool) -> Iterator[Value]:
    for match in _ENGLISH.finditer(text):
        if not (bare or match["unit"] or match["scale"]):
            continue
        amount = english_number(match["words"]) * (scale_of(match["scale"]) if match["scale"] else 1)
        unit = unit_of(match["unit"]) if match["unit"] else None
        if bare or match["words"].lower() not in ("zero", "one"):
            yield Value(
                ValueKind.NUMBER, match[0], amount=amount, unit=unit, hedged=_hedged(text, match.start()), word=True
            )
    for match in _CHINESE.finditer(text):
        words = match["words"]
        if not (bare or match["percent"] or (match["unit"] and words not in ("一", "两", "千", "万", "十"))):
            continue
        try:
            amount = chinese_number(words)
        except ValueError:  # 万 or 千 as part of another word
            continue
        unit = "%" if match["percent"] else unit_of(match["unit"]) if match["unit"] else None
        yield Value(
            ValueKind.NUMBER, match[0], amount=amount, unit=unit, hedged=_hedged(text, match.start()), word=True
        )


def _hedged(text: str, start: int) -> bool:
    return bool(_HEDGE.search(text[max(0, start - _LOOK_BACK) : start]))


def _code(text: str) -> str:
    return text.lower().replace("-", "")


def _held(claimed: Value, held: list[Value], *, unsigned: bool) -> bool:
    if claimed.kind is ValueKind.CODE:
        return any(value.code == claimed.code for value in held)
    if claimed.kind is ValueKind.DATE:
        return _date_held(claimed.date, held)
    return any(_number_agrees(claimed, value, unsigned=unsigned) for value in held)


def _date_held(claimed: Date, held: list[Value]) -> bool:
    found = [value.date for value in held if value.kind is ValueKind.DATE]
    if any(_covers(date, claimed) for date in found):
        return True
    if claimed.month is None and claimed.day is None:  # 2000 may be a plain number in the source
        return any(value.kind is ValueKind.NUMBER and value.amount == claimed.year for value in held)
    within_year = any(_covers(date, Date(None, claimed.month, claimed.day)) and date.year is None for date in found)
    return within_year and any(date.year == claimed.year for date in found)


def _covers(found: Date, claimed: Date) -> bool:
    pairs = zip((claimed.year, claimed.month, claimed.day), (found.year, found.month, found.day), strict=True)
    return all(wanted is None or wanted == got for wanted, got in pairs)


def _number_agrees(claimed: Value, found: Value, *, unsigned: bool) -> bool:
    if found.kind is ValueKind.DATE:
        plain = claimed.unit is None and found.date.month is None
        return plain and found.date.year is not None and claimed.amount == found.date.year
    if found.kind is not ValueKind.NUMBER or not _units_agree(claimed.unit, found.unit):
        return False
    wanted, got = (abs(claimed.amount), abs(found.amount)) if unsigned else (claimed.amount, found.amount)
    if wanted == got:
        return True
    if claimed.hedged and abs(wanted - got) <= _HEDGED_SLACK * abs(got):
        return True
    return claimed.scaled and claimed.digits >= _PRECISE and _rounded(got, claimed.digits) == wanted


def _units_agree(claimed: str | None, found: str | None) -> bool:
    if claimed is None or found is None or claimed == found:
        return True
    return "" in (claimed, found) and is_currency(claimed) and is_currency(found)


def _rounded(amount: Decimal, digits: int) -> Decimal:
    if amount == 0 or digits > _LONGEST_ROUNDED:
        return amount
    return round(amount, digits - 1 - amount.adjusted())
