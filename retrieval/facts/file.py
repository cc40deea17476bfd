"""What the name of a file says: who, when and what, as people name what they keep.

"HARBOUR_2015_10K.pdf", "HARBOUR_2023_8K_dated-2023-05-30", "Q3 2023 earnings.pdf", "青禾纸业：2022年年度报告.pdf". The
words before the first period, day or kind name a company, provided that the kind is one that companies issue: "Credit
Agreement 2020.pdf" and "Measles (2019).txt" name none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from retrieval.facts.dates import Period, days_in, periods_in
from retrieval.facts.kinds import ISSUED, kind_in
from retrieval.facts.names import tokens_of

__all__ = ["FileFacts", "facts_of_name"]

_EXTENSION: Final = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}$")
_JOINT: Final = re.compile(r"[_\s]+")
_FIRST_FACT: Final = re.compile(
    r"(?<![A-Za-z\d])(?:(?:fy\s?)?(?:19|20)\d\d|q[1-4]|[1-4]q|h[12]|10-?[kq]|8-?k|20-?f|6-?k|dated|annual|quarterly|interim"
    r"|half|earnings|prospectus|proxy|agreement|contract)|[一二]?[〇零○一二三四五六七八九]{4}年|第[一二三四]季|年度?报|季度?报|半年",
    re.IGNORECASE,
)
_LONGEST: Final = 6  # words of a company's name
_OF_FILES_LIST: Final = """
    annual copy company document draft exhibit file filing final financial form full group half interim letter new
    page part quarterly report results scan section signed statement statements the updated version
"""
_OF_FILES: Final = frozenset(_OF_FILES_LIST.split())


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a file name says; `day` is ISO 8601."""

    company: str | None = None
    period: Period | None = None
    day: str | None = None
    kind: str | None = None


def facts_of_name(name: str) -> FileFacts:
    """Read a file name; what it does not say stays None."""
    plain = _JOINT.sub(" ", _EXTENSION.sub("", name)).strip()
    day = next((day.isoformat() for *_, day in days_in(plain)), None)
    periods = [period for *_, period in periods_in(plain)]
    period = next((one for one in periods if one.part), periods[0] if periods else None)
    kind = kind_in(plain)
    company = _company(plain) if kind in ISSUED else None
    return FileFacts(company=company, period=period, day=day, kind=kind)


def _company(plain: str) -> str | None:
    first = _FIRST_FACT.search(plain)
    before = plain[: first.start()] if first else ""
    name = before.strip(" -:：,，.·()（）[]【】")
    tokens = tokens_of(name)
    if not tokens or len(tokens) > _LONGEST or all(token in _OF_FILES or token.isdigit() for token in tokens):
        return None
    return name if any(len(token) > 1 for token in tokens) else None
