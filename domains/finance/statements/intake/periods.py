"""Reads which span of time a heading means, and refuses what could mean two.

    read_period("Year ended December 31, 2023") -> Mark(end 2023-12-31, months 12)
    read_period("2023年1-6月")                   -> Mark(end 2023-06-30, months 6)
    read_period("2022-12-31")                   -> Mark(end 2022-12-31, months None)   an instant, or a span's end
    read_period("本期金额")                       -> None

A bare year is the financial year that ends in it, on the last day that the caller names (31 December unless told). A
span of months ends on the last day of its month. A heading that names a date but no length gets the length that the
caller gives, or that the distance of the headings shows.

Not covered: 期末/期初 and "current year" without a date (refused: they need the date), financial years of 52 weeks
named by a bare year (give the date), two-digit years.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from domains.finance.statements.intake.amounts import plain
from domains.finance.statements.refusals import InputRefused, shown
from domains.finance.statements.types import Period

__all__ = ["LENGTHS", "Mark", "back", "month_end", "read_date", "read_period", "span"]

LENGTHS: Final = (1, 3, 6, 9, 12)
"""Lengths in months that a period may have."""

_FIRST_YEAR: Final = 1900
_LAST_YEAR: Final = 2200

_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            ("january", "jan"),
            ("february", "feb"),
            ("march", "mar"),
            ("april", "apr"),
            ("may",),
            ("june", "jun"),
            ("july", "jul"),
            ("august", "aug"),
            ("september", "sept", "sep"),
            ("october", "oct"),
            ("november", "nov"),
            ("december", "dec"),
        ),
        1,
    )
    for name in names
}
_NAMED: Final = "|".join(sorted(_MONTHS, key=len, reverse=True))
_WORDS: Final = {"one": 1, "three": 3, "six": 6, "nine": 9, "twelve": 12, "一": 1, "三": 3, "六": 6, "九": 9}
_ORDINALS: Final = {"first": 1, "second": 2, "third": 3, "fourth": 4, "一": 1, "二": 2, "三": 3, "四": 4}

_NUMERIC: Final = re.compile(r"(?<!\d)(?P<y>\d{4})(?P<sep>[-/.])(?P<m>\d{1,2})(?P=sep)(?P<d>\d{1,2})(?!\d)")
_COMPACT: Final = re.compile(r"(?<!\d)(?P<y>(?:19|20)\d\d)(?P<m>0[1-9]|1[0-2])(?P<d>[0-3]\d)(?!\d)")
_CHINESE: Final = re.compile(r"(?P<y>\d{4})\s?年\s?(?P<m>\d{1,2})\s?月\s?(?P<d>\d{1,2})\s?日")
_ENGLISH: Final = re.compile(rf"\b(?P<name>{_NAMED})\.?\s+(?P<d>\d{{1,2}})\s?,?\s+(?P<y>\d{{4}})(?!\d)", re.IGNORECASE)
_DAY_FIRST: Final = re.compile(
    rf"(?<!\d)(?P<d>\d{{1,2}})\s+(?P<name>{_NAMED})\.?,?\s+(?P<y>\d{{4}})(?!\d)", re.IGNORECASE
)
_SPAN: Final = re.compile(r"(?P<y>\d{4})\s?年\s?(?P<a>\d{1,2})\s?(?:月\s?)?[-至到~]\s?(?P<b>\d{1,2})\s?月")
_QUARTER: Final = re.compile(
    r"(?P<y>\d{4})\s?(?:年度?)?\s?(?:第?(?P<zh>[一二三四])季度?|-?q(?P<q>[1-4]))|\bq(?P<q2>[1-4])\s?-?\s?(?:fy)?(?P<y2>\d{4})",
    re.IGNORECASE,
)
_HALF: Final = re.compile(r"(?P<y>\d{4})\s?年?度?(?:上半年|半年度|中期)")
_NINE: Final = re.compile(r"(?P<y>\d{4})\s?年?度?前三季度")
_MONTH: Final = re.compile(r"^(?P<y>\d{4})\s?年\s?(?P<m>\d{1,2})\s?月(?:末|底)?$|^(?P<y2>\d{4})-(?P<m2>\d{2})$")
_YEAR: Final = re.compile(r"^(?:fy|fiscal(?: year)?|year)?\s?(?P<y>\d{4})\s?(?:年度?末?|年报|年底|a)?$", re.IGNORECASE)
_LENGTH: Final = re.compile(
    r"\b(?P<en>one|three|six|nine|twelve|1|3|6|9|12)[\s-]months?\b|\b(?P<year>(?:fiscal )?years?|annual)\b"
    r"|\b(?P<quarter>quarter)\b|(?P<zh>年度)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """What a heading says of time: the last day, and the length in months where it says one."""

    end: date
    months: int | None = None


def read_period(text: str, *, year_end: tuple[int, int] = (12, 31)) -> Mark | None:
    """Return what a heading means, or None where it names no time.

    Args:
        text: The heading, its rows joined.
        year_end: Month and day on which the financial years end that are named by their number alone.

    Raises:
        InputRefused: it names a day that no calendar has.
    """
    low = plain(text).lower()
    found = _of_months(low) or _dated(low)
    if found is not None:
        return found
    year = _YEAR.match(low)
    if year and _FIRST_YEAR <= int(year["y"]) <= _LAST_YEAR:
        month, day = year_end
        last = month_end(int(year["y"]), month)
        return Mark(min(last, _day(int(year["y"]), month, min(day, last.day), low)), 12)
    return None


def _of_months(low: str) -> Mark | None:
    """Read a heading that names its months."""
    if match := _SPAN.search(low):
        first, last = int(match["a"]), int(match["b"])
        if not 1 <= first <= last <= 12:
            raise _no_day(low)
        return Mark(month_end(int(match["y"]), last), last - first + 1)
    if match := _NINE.search(low):
        return Mark(month_end(int(match["y"]), 9), 9)
    if match := _HALF.search(low):
        return Mark(month_end(int(match["y"]), 6), 6)
    if match := _QUARTER.search(low):
        number = _ORDINALS.get(match["zh"] or "") or int(match["q"] or match["q2"])
        return Mark(month_end(int(match["y"] or match["y2"]), 3 * number), 3)
    if match := _MONTH.match(low):
        month = int(match["m"] or match["m2"])
        if not 1 <= month <= 12:
            raise _no_day(low)
        return Mark(month_end(int(match["y"] or match["y2"]), month))
    return None


def _dated(low: str) -> Mark | None:
    """Read a heading that names a day."""
    for pattern in (_NUMERIC, _COMPACT, _CHINESE, _ENGLISH, _DAY_FIRST):
        if match := pattern.search(low):
            parts = match.groupdict()
            month = _MONTHS[parts["name"]] if parts.get("name") else int(parts["m"])
            end = _day(int(parts["y"]), month, int(parts["d"]), low)
            rest = low[: match.start()] + low[match.end() :]
            return Mark(end, _length(rest))
    return None


def _length(rest: str) -> int | None:
    match = _LENGTH.search(rest)
    if match is None:
        return None
    if match["en"]:
        return _WORDS.get(match["en"]) or int(match["en"])
    return 3 if match["quarter"] else 12


def read_date(text: str) -> date:
    """Read one day.

    Raises:
        InputRefused: it is none.
    """
    found = _dated(plain(text).lower())
    if found is None:
        raise InputRefused(f"{shown(text)!r} is no date.", remedy="Write dates like 2023-12-31.")
    return found.end


def span(mark: Mark, months: int) -> Period:
    """Return the period that ends where a mark says and is as long as it says, or else `months` long."""
    length = mark.months or months
    return Period(back(mark.end, length) + timedelta(days=1), mark.end)


def back(day: date, months: int) -> date:
    """Return the day some months before; the last day of a month leads to the last day of a month."""
    total = day.year * 12 + day.month - 1 - months
    year, month = divmod(total, 12)
    last = month_end(year, month + 1)
    if day == month_end(day.year, day.month):
        return last
    return last if day.day > last.day else date(year, month + 1, day.day)


def month_end(year: int, month: int) -> date:
    """Return the last day of a month.

    Raises:
        InputRefused: the year is not one of a financial statement.
    """
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise InputRefused(f"The year {year} is out of range.", remedy="Give years from 1900 to 2200.")
    return date(year, month, calendar.monthrange(year, month)[1])


def _day(year: int, month: int, day: int, text: str) -> date:
    try:
        found = date(year, month, day)
    except ValueError as error:
        raise _no_day(text) from error
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise InputRefused(f"The year {year} is out of range.", remedy="Give years from 1900 to 2200.")
    return found


def _no_day(text: str) -> InputRefused:
    return InputRefused(f"{shown(text)!r} names a day that no calendar has.", remedy="Write dates like 2023-12-31.")
