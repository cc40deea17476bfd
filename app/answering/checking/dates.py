"""Calendar dates in English and Chinese text, as far as each is given: a year, a month, a day.

Not covered: dates in figures whose order of day and month is not certain (03/04/2023 gives its year alone), the lunar
calendar, and relative dates ("last year").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.answering.checking.numerals import chinese_number

__all__ = ["Date", "dates"]

_NAMES: Final = "january february march april may june july august september october november december"
_MONTHS: Final = _NAMES.split()
_NUMBER_OF: Final = (
    {name: number for number, name in enumerate(_MONTHS, 1)}
    | {name[:3]: number for number, name in enumerate(_MONTHS, 1)}
    | {"sept": 9}
)
_MONTH: Final = rf"(?P<month>{'|'.join(_MONTHS)}|(?:jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec)(?:\.|\b))"
_DAY: Final = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR: Final = r"(?P<year>1[89]\d\d|20\d\d)"
_EDGE: Final = r"(?<![A-Za-z0-9.,])"

_FORMS: Final = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        _EDGE + _YEAR + r"[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})(?!\d)",
        r"(?<!\d)" + _YEAR + r"\s*年\s*(?P<month>\d{1,2})\s*月(?:份)?(?:\s*(?P<day>\d{1,2})\s*[日号])?",
        r"(?P<zh_year>[一二][零〇一二三四五六七八九]{3})年(?:(?P<zh_month>[一二三四五六七八九十]{1,2})月(?:(?P<zh_day>[一二三四五六七八九十]{1,3})[日号])?)?",
        r"(?<!\d)(?P<month>\d{1,2})\s*月\s*(?P<day>\d{1,2})\s*[日号]",
        rf"\b{_MONTH}\s*{_DAY}(?!\d),?\s+{_YEAR}\b",
        rf"\b{_DAY}\s+(?:of\s+)?{_MONTH},?\s+{_YEAR}\b",
        rf"\b{_MONTH},?\s+(?:of\s+)?{_YEAR}\b",
        rf"\b{_MONTH}\s+{_DAY}\b(?!\s*%)",
        rf"\b{_DAY}\s+(?:of\s+)?{_MONTH}",
        r"(?<!\d)\d{1,2}/\d{1,2}/" + _YEAR + r"(?!\d)",
        r"\b(?:FY|CY)\s?(?P<short>\d\d)\b",
        r"\b(?:FY|CY)\s?" + _YEAR + r"\b",
        _EDGE + _YEAR + r"\s*[-–/]\s*(?P<until>\d\d)(?![\d/.-])",
        _EDGE + _YEAR + r"(?:\s*年(?:度|末|底|初)?)?(?![\d%％,.]\d|\d|[%％])",
    )
)


@dataclass(frozen=True, slots=True)
class Date:
    """A date or the part of one that a text gives."""

    year: int | None = None
    month: int | None = None
    day: int | None = None


def dates(text: str) -> Iterator[tuple[int, int, Date]]:
    """Yield each date with the half-open span of its text, in the order of the forms; spans do not overlap."""
    taken = bytearray(len(text))
    for form in _FORMS:
        for match in form.finditer(text):
            start, end = match.span()
            if any(taken[start:end]):
                continue
            found = list(_read({name: value for name, value in match.groupdict().items() if value}))
            if found:
                taken[start:end] = b"\x01" * (end - start)
            for date in found:
                yield start, end, date


def _read(parts: dict[str, str]) -> Iterator[Date]:
    if "short" in parts:
        yield Date(year=2000 + int(parts["short"]))
        return
    year = _number(parts.get("year"), parts.get("zh_year"))
    month = _month(parts.get("month")) or _number(None, parts.get("zh_month"))
    day = _number(parts.get("day"), parts.get("zh_day"))
    if (month is not None and not 1 <= month <= 12) or (day is not None and not 1 <= day <= 31):
        return
    yield Date(year, month, day)
    if "until" in parts and year is not None:
        yield Date(year=year - year % 100 + int(parts["until"]))


def _number(figures: str | None, numerals: str | None) -> int | None:
    if figures:
        return int(figures)
    if not numerals:
        return None
    try:
        return int(chinese_number(numerals))
    except ValueError:
        return None


def _month(word: str | None) -> int | None:
    if word is None:
        return None
    return int(word) if word.isdigit() else _NUMBER_OF[word.lower().rstrip(".")]
