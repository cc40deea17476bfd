"""Days and periods as documents and questions write them, in English and Chinese.

Periods have one form each: "FY2022" is a fiscal year, "2023-Q2" a quarter of one, "2023-H1" a half; "2022" is a year of
which nothing more is said. A fiscal year bears the year in which it ends.

Not covered: dates in figures whose order depends on the country (03/04/2022), calendars other than the Gregorian,
relative dates ("last year"), and fiscal years that their company numbers by the year in which they begin, unless the
document itself says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

__all__ = ["YEARS", "Period", "days_in", "periods_in"]

YEARS: Final = range(1950, 2100)
"""Numbers that count as years."""

_MONTH_NAMES: Final = """
    january february march april may june july august september october november december
"""
_MONTHS: Final = {
    form: number for number, name in enumerate(_MONTH_NAMES.split(), start=1) for form in (name, name[:3], name[:4])
}
_MONTH: Final = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAY: Final = re.compile(
    rf"\b(?P<m1>{_MONTH})\.?\s+(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?\s*,?\s+(?P<y1>\d{{4}})\b"
    rf"|\b(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?(?:\s+day)?(?:\s+of)?\s+(?P<m2>{_MONTH})\.?\s*,?\s+(?P<y2>\d{{4}})\b"
    r"|(?<!\d)(?P<y3>\d{4})[-./](?P<m3>\d{1,2})[-./](?P<d3>\d{1,2})(?!\d)"
    r"|(?<!\d)(?P<y4>\d{4})\s*年\s*(?P<m4>\d{1,2})\s*月\s*(?P<d4>\d{1,2})\s*[日号]",
    re.IGNORECASE,
)
_DIGITS: Final = str.maketrans("〇零○一二三四五六七八九", "000123456789")
_HAN_DATE: Final = re.compile(
    r"([〇零○一二三四五六七八九]{4})年(?:([一二三四五六七八九十]{1,2})月(?:([一二三四五六七八九十]{1,3})[日号])?)?"
)

_ORDINAL: Final = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}
_PLACE: Final = "|".join(_ORDINAL)
_YEAR: Final = r"(?P<{0}>(?:19|20)\d\d)"
_FISCAL: Final = r"(?:fy|fiscal(?:\s+year)?|full[\s-]year)"
_PERIOD: Final = re.compile(
    # Q2 2023, Q2 of FY2023, Q22023, Q2'2023, 2Q23 is left alone
    rf"\b(?:q(?P<q1>[1-4])|(?P<q2>[1-4])q)['’\s]*(?:of\s+|for\s+)?(?:the\s+)?{_FISCAL}?\s*{_YEAR.format('y1')}(?!\d)"
    # FY2023Q1, 2023 Q1, 2023-Q1
    rf"|(?<!\d)(?:fy\s*)?{_YEAR.format('y2')}[\s_-]*q(?P<q3>[1-4])(?!\d)"
    # second quarter of fiscal 2023, fourth quarter 2022
    rf"|\b(?P<q4>{_PLACE})[\s-]+(?:fiscal\s+)?quarter(?:\s+of)?(?:\s+the)?(?:\s+{_FISCAL})?\s+{_YEAR.format('y3')}(?!\d)"
    # H1 FY2023, first half of 2023
    rf"|\b(?:h(?P<h1>[12])|(?P<h2>first|second)[\s-]+half)\s*(?:of\s+)?(?:the\s+)?{_FISCAL}?\s*{_YEAR.format('y4')}(?!\d)"
    # 2023年第三季度, 2023年三季度, 2022年半年度, 2022年上半年
    rf"|(?<!\d){_YEAR.format('y5')}\s*年?\s*(?:第?(?P<q5>[一二三四1-4])季[度报]?|(?P<h3>半年度?|上半年|下半年|中期))"
    # FY2022, FY 22, fiscal 2022, fiscal year 2022
    rf"|\b{_FISCAL}['’\s]*{_YEAR.format('y6')}(?!\d)|\bfy['’\s]*(?P<y7>\d\d)(?!\d)"
    # 2022年度, 2022财年, 2022年年度报告
    rf"|(?<!\d){_YEAR.format('y8')}\s*(?:年度|财年|财政年度|会计年度|年年度|年年报|年报)"
    # 2022, 2022年
    rf"|(?<![\d.,$€£¥/]){_YEAR.format('y9')}(?!\d|[.,]\d|[/-]\d\d?(?!\d)|\s*(?:%|million|billion|units|shares))",
    re.IGNORECASE,
)
_HAN_QUARTER: Final = {"一": 1, "二": 2, "三": 3, "四": 4}


@dataclass(frozen=True, slots=True)
class Period:
    """A year, or a part of one: `part` is "Q1" to "Q4", "H1", "H2" or nothing. `fiscal` when it was said to be."""

    year: int
    part: str = ""
    fiscal: bool = False

    def __str__(self) -> str:
        if self.part:
            return f"{self.year}-{self.part}"
        return f"FY{self.year}" if self.fiscal else str(self.year)

    @classmethod
    def parse(cls, text: str) -> Period | None:
        """Read the form that `str` writes; None when it is another."""
        found = re.fullmatch(r"(FY)?(\d{4})(?:-([QH][1-4]))?", text)
        return None if found is None else cls(int(found[2]), found[3] or "", fiscal=found[1] is not None)


def days_in(text: str) -> Iterator[tuple[int, int, date]]:
    """Yield where each full date begins and ends, and the date; days that no month has are passed over."""
    for found in _DAY.finditer(text):
        year, month, day = next(
            (found[f"y{form}"], found[f"m{form}"], found[f"d{form}"]) for form in "1234" if found[f"y{form}"]
        )
        number = int(month) if month.isdigit() else _MONTHS[month.lower()]
        yield from _checked(found, int(year), number, int(day))
    for found in _HAN_DATE.finditer(text):
        if found[3]:
            yield from _checked(found, int(found[1].translate(_DIGITS)), _han(found[2]), _han(found[3]))


def periods_in(text: str) -> Iterator[tuple[int, int, Period]]:
    """Yield where each period begins and ends, and the period, in the order of the text.

    A full date is no period: "on May 3, 2023" asks for that day.
    """
    taken = [(start, end) for start, end, _ in days_in(text)]
    for found in _PERIOD.finditer(_HAN_DATE.sub(_in_digits, text)):
        if any(start < found.end() and found.start() < end for start, end in taken):
            continue
        period = _period(found)
        if period is not None and period.year in YEARS:
            yield found.start(), found.end(), period


def _period(found: re.Match[str]) -> Period | None:
    said = {name: value for name, value in found.groupdict().items() if value}
    year = next(value for name, value in said.items() if name.startswith("y"))
    number = int(year) + (2000 if len(year) == 2 else 0)
    quarter = next((value.lower() for name, value in said.items() if name.startswith("q")), None)
    if quarter is not None:
        place = _ORDINAL.get(quarter) or _HAN_QUARTER.get(quarter) or int(quarter)
        return Period(number, f"Q{place}", fiscal=True)
    half = next((value.lower() for name, value in said.items() if name.startswith("h")), None)
    if half is not None:
        return Period(number, "H2" if half in ("2", "second", "下半年") else "H1", fiscal=True)
    return Period(number, fiscal="y9" not in said)


def _in_digits(found: re.Match[str]) -> str:
    """Write a year in Chinese numerals in digits, with as many characters as before."""
    return found[1].translate(_DIGITS) + found[0][4:]


def _checked(found: re.Match[str], year: int, month: int, day: int) -> Iterator[tuple[int, int, date]]:
    if year in YEARS:
        try:
            yield found.start(), found.end(), date(year, month, day)
        except ValueError:  # the 31st of a short month
            return


def _han(number: str) -> int:
    """Return a number up to 31 that is written as 二十一."""
    tens, _, ones = number.rpartition("十")
    if "十" not in number:
        return int(number.translate(_DIGITS))
    return int(tens.translate(_DIGITS) or 1) * 10 + (int(ones.translate(_DIGITS)) if ones else 0)
