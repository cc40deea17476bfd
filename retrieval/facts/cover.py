"""What the first pages of a document say of it: the cover of a filing or a report, the head of a release or a contract.

Each rule looks for words that issuers must write or always write ("Exact name of registrant", "For the fiscal year
ended", 公司名称, 股票简称), and takes what stands beside them. Where nothing of the kind stands, nothing is guessed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

from retrieval.facts.dates import Period, days_in, periods_in
from retrieval.facts.kinds import kind_in, kind_of_title
from retrieval.facts.names import GENERIC, core_of, tokens_of
from retrieval.language import CJK
from retrieval.parsing.page_text import CELL

__all__ = ["company_of", "day_of", "kind_of", "names_of", "period_of", "title_of"]

_NAME_LENGTH: Final = 100
_HEAD: Final = 40  # lines of the first page that may say what it is
_OPENING: Final = 6  # lines among which a release or a contract says so

_REGISTRANT: Final = re.compile(r"exact name of (?:the )?registrant", re.IGNORECASE)
_LABELLED: Final = re.compile(
    r"(?:公司(?:的)?(?:中文|法定)?(?:中文)?名称|发行人名称?|(?:company|issuer)(?:['’]?s)?\s+name|name\s+of\s+(?:the\s+)?(?:company|issuer))"
    r"(?:（[^）]*）)?\s*(?:[:：|]|\s{2,})\s*(?:\|\s*)?(?P<name>[^|\n:：]{2,100})",
    re.IGNORECASE,
)
_SMALL_CAPITALS: Final = re.compile(r"\b([A-Z]) ([A-Z]{3,})\b")  # "H ARBOUR T RADING", as PDF readers give them
_HAN_COMPANY: Final = re.compile(r"[\u4e00-\u9fff（）()·]{2,40}(?:股份有限公司|有限责任公司|集团有限公司|有限公司)")
_REPORTS: Final = re.compile(r"^(?P<name>[A-Z][\w&.,'’\- ]{1,80}?)\s+(?i:reports?|announces?|posts)\b")
_LISTED: Final = re.compile(
    r"(?<![\w&])(?P<name>[A-Z][\w&.'’\-]{0,40}(?:,? [A-Z&][\w&.'’\-]{0,40}){0,6})\s{0,4}"
    r"\((?:NYSE|NASDAQ|Nasdaq|AMEX|LSE|SSE|SZSE|HKEX|SEHK|ASX|TSX)[^)]{0,40}[:：]\s*(?P<ticker>[A-Z0-9.]{1,8})"
)
_SYMBOL_ROW: Final = re.compile(
    r"[|\s](?P<ticker>[A-Z]{1,5})\s*\|\s*(?i:the\s+)?(?i:new york stock exchange|nasdaq|nyse|london stock exchange)"
)
_SYMBOL_HAN: Final = re.compile(r"(?:股票|证券|公司)(?:简称|代码)\s*[:：|]?\s*(?P<name>[\u4e00-\u9fffA-Z0-9*]{2,12})")
_QUOTED: Final = re.compile(r"[“\"](?P<name>[^”\"“\n]{2,40}?),?[”\"]")
_CALLED_HAN: Final = re.compile(r"(?:以下)?简称[:：]?\s*[“\"「](?P<name>[^”\"」\n]{2,20})[”\"」]")
_PRONOUN_LIST: Final = """
    company we us our registrant the corporation group bank issuer borrower lender
    公司 本公司 本集团 本行 我们 发行人 甲方 乙方
"""
_PRONOUNS: Final = frozenset(_PRONOUN_LIST.split())

_FISCAL_YEAR: Final = re.compile(r"for\s+the\s+(?:fiscal\s+|financial\s+)?year\s+(?:then\s+)?ended", re.IGNORECASE)
_QUARTER: Final = re.compile(r"for\s+the\s+(?:quarterly\s+period|quarter|three\s+months)\s+ended", re.IGNORECASE)
_MONTHS_ENDED: Final = re.compile(r"\b(three|six|nine)\s+months\s+ended", re.IGNORECASE)
_MONTHS: Final = {"three": 3, "six": 6, "nine": 9}
_DATED: Final = re.compile(
    r"(?:date\s+of\s+(?:this\s+)?report|dated(?:\s+as\s+of)?|effective\s+(?:date|as\s+of)|date\s+of\s+issue|"
    r"(?:签订|签署|发布|公布|公告|施行|生效|报告|出具)(?:日期|时间)|date\s*:)",
    re.IGNORECASE,
)
_PASSED: Final = re.compile(r"(?:通过|公布|施行|发布|修订)")
_DATELINE: Final = re.compile(r"^[A-Z][\w.,'’ ]{2,60}?[,\-–—]\s*(?=[A-Z][a-z]{2,8}\.?\s+\d{1,2},?\s+\d{4}\s*[-–—(/])")
_BOILERPLATE: Final = re.compile(
    r"^(?:united states(?: securities and exchange commission)?|securities and exchange commission"
    r"|washington,? d\.?c\.?.*|\(?mark one\)?|table of contents|index|exhibit [\d.]+|confidential|draft|[\W_\d]+)$",
    re.IGNORECASE,
)


def company_of(first: str, *, kind: str | None) -> str | None:
    """Return the name of the company that the first page states, else None."""
    lines = _lines(first)
    for at, line in enumerate(lines[: 2 * _HEAD]):
        if at and _REGISTRANT.search(line):
            return _name(lines[at - 1])
    if found := _LABELLED.search(first):
        return _name(found["name"])
    head = "\n".join(lines[:_HEAD])
    if kind in ("contract", "statute", "guideline", "policy", "medical_record"):
        return None  # parties and publishers are not whom it is about
    if found := _LISTED.search(head):
        return _name(found["name"])
    if found := _HAN_COMPANY.search(head):
        return _name(found[0])
    for line in lines[:_OPENING]:
        if (found := _REPORTS.match(line)) and kind == "earnings_release":
            return _name(found["name"])
    return None


def names_of(first: str, opening: str, company: str | None) -> Iterator[str]:
    """Yield the other names that a document gives its company: ticker, short name, what it says to call itself.

    Args:
        first: the first page.
        opening: the first pages.
        company: the company that was found.
    """
    head = "\n".join(_lines(first)[: 2 * _HEAD])
    yield from (found["ticker"] for found in _LISTED.finditer(head))
    if found := _SYMBOL_ROW.search(head):
        yield found["ticker"]
    yield from (found["name"] for found in _SYMBOL_HAN.finditer(opening))
    if company is None:
        return
    for found in (*_QUOTED.finditer(opening), *_CALLED_HAN.finditer(opening)):
        name = found["name"].strip(" ,.")
        if _shortens(name, company):
            yield name


def kind_of(first: str) -> str | None:
    """Return the kind that the first page states: a form on a line of its own, else what its opening lines name."""
    lines = _lines(first)
    for line in lines[:_HEAD]:
        if len(line.split()) <= 4 and re.match(r"(?:annual report on )?form\b", line, re.IGNORECASE):
            return kind_in(line)
    opening = [line for line in lines[:_OPENING] if len(line) <= _NAME_LENGTH]
    wrapped = (" ".join(pair) for pair in itertools.pairwise(opening))  # a title may go on in the next line
    return next((kind for line in (*opening, *wrapped) if (kind := kind_of_title(line))), None)


def period_of(first: str, pages: Sequence[str], *, kind: str | None) -> Period | None:
    """Return the period that a report is about; a contract or a statute has none.

    Args:
        first: the first page.
        pages: the first pages, which say how much of the fiscal year a quarter ends.
        kind: the kind that was found.
    """
    head = "\n".join(_lines(first)[: 2 * _HEAD])
    if (found := _QUARTER.search(head)) and (end := _day_after(head, found.end())):
        return _quarter(end, pages) or Period(end.year, f"Q{(end.month + 2) // 3}", fiscal=True)
    if (found := _FISCAL_YEAR.search(head)) and (end := _day_after(head, found.end())):
        return Period(end.year, fiscal=True)
    if kind is None or not (kind.endswith("_report") or kind == "earnings_release"):
        return None
    opening = "\n".join(_lines(first)[:_OPENING])
    said = [period for *_, period in periods_in(opening)]
    parts = [period for period in said if period.part]
    return next(iter(parts), None) or next((Period(period.year, fiscal=True) for period in said), None)


def day_of(first: str) -> date | None:
    """Return the day that the first page bears: beside a word that says so, or in the dateline of a release."""
    head = "\n".join(_lines(first)[: 2 * _HEAD])
    for found in _DATED.finditer(head):
        if day := _day_after(head, found.end(), within=60):
            return day
    for line in head.split("\n"):
        if _DATELINE.match(line) or (len(line) < 40 and _is_day(line)):
            return next((day for *_, day in days_in(line)), None)
    return next((day for start, end, day in days_in(head) if _PASSED.search(head[end : end + 40])), None)


def title_of(first: str) -> str | None:
    """Return the first line that could be a title: not what stands on every cover, and not a sentence."""
    for line in _lines(first)[:_OPENING]:
        if not _BOILERPLATE.match(line) and len(line) <= _NAME_LENGTH and not line.endswith(("。", ".", ";", "；")):
            return line.replace(CELL, " ")
    return None


def _shortens(name: str, company: str) -> bool:
    """Say whether a name is made of the company's own words, or in Chinese of its characters in their order.

    "MGM Resorts" is short for MGM Resorts International; "MGM China" is another company.
    """
    tokens = tokens_of(name)
    if _PRONOUNS.issuperset(tokens) or GENERIC.issuperset(tokens):
        return False
    if CJK.search(name):
        rest = iter(company)
        return all(character in rest for character in name)
    return set(tokens) <= set(tokens_of(company))


def _lines(text: str) -> list[str]:
    return [stripped for line in text.split("\n") if (stripped := line.strip(" \t|_"))]


def _name(text: str) -> str | None:
    """Return what stands where a name is expected, if it can be one."""
    plain = " ".join(text.split(CELL)[0].split()).strip(" ,;:*“”\"'")
    if len(_SMALL_CAPITALS.findall(plain)) > 1:
        plain = _SMALL_CAPITALS.sub(r"\1\2", plain)
    words = core_of(plain)
    if not 1 < len(plain) <= _NAME_LENGTH or not words or re.search(r"\d[\d-]{4}", plain) or len(words) > 10:
        return None
    return plain if any(character.isalpha() for character in plain) else None


def _day_after(text: str, at: int, *, within: int = 40) -> date | None:
    return next((day for start, _, day in days_in(text[at : at + within + 30]) if start <= within), None)


def _is_day(line: str) -> bool:
    return any(end - start >= len(line.strip()) - 2 for start, end, _ in days_in(line))


def _quarter(end: date, pages: Sequence[str]) -> Period | None:
    """Return the fiscal quarter that ends on a day, by the longest stretch of months that ends then.

    "Six months ended December 31" makes it the second quarter, of the fiscal year that ends six months later.
    """
    longest = 0
    for text in pages:
        for found in _MONTHS_ENDED.finditer(text):
            longest = max(longest, _MONTHS[found[1].lower()])
    if not longest:
        return None
    left = 12 - longest
    shown = end.month if end.day > 15 else end.month - 1  # a quarter that ends on July 2 is June's
    return Period(end.year + (shown + left - 1) // 12, f"Q{longest // 3}", fiscal=True)
