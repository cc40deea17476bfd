"""Kinds of documents, by the words that name them on a cover, in a file name or in a question.

A kind is an SEC form by its own name ("10-K") or a word of this list: annual_report, interim_report, quarterly_report,
earnings_release, prospectus, proxy_statement, audit_report, contract, statute, guideline, policy, minutes,
medical_record. `FAMILY` says which kinds are the same thing under two names: whoever asks for the annual report may be
answered from a 10-K.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["FAMILY", "ISSUED", "kind_in", "kind_of_title"]

_FORM: Final = re.compile(
    r"(?<![a-z\d])(?:form\s+)?(10\s?-?\s?[kq]|8\s?-?\s?k|20\s?-?\s?f|6\s?-?\s?k|40\s?-?\s?f|def\s?14a)(?:t|/a)?(?![a-z\d])",
    re.IGNORECASE,
)
_NAMED: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (
            "interim_report",
            r"半年度?报告?|中期报告|\b(?:interim|half[- ]year(?:ly)?|semi-?annual)\s+(?:financial\s+)?report",
        ),
        ("quarterly_report", r"季度?报告?|季报|\bquarterly\s+report"),
        ("annual_report", r"年度?报告|年报|\bannual\s+report"),
        (
            "earnings_release",
            r"业绩(?:公告|快报|预告|发布)|\bearnings(?:\s+(?:release|report|call|announcement))?(?![a-z])"
            r"|\bpress\s+release|\breports?\b.{0,60}\bresults\b|\bresults\s+(?:announcement|release)",
        ),
        ("prospectus", r"招股(?:说明书|意向书)|募集说明书|\bprospectus"),
        ("proxy_statement", r"\bproxy\s+statement"),
        ("audit_report", r"审计报告|\b(?:independent\s+)?auditor[’']?s?[’']?\s+report"),
        ("medical_record", r"出院(?:小结|记录)|病历|病程记录|\bdischarge\s+summary|\bpatient\s+record"),
        ("minutes", r"会议纪要|会议记录|\bminutes\s+of\b|\bmeeting\s+minutes"),
        ("guideline", r"指南|指引|诊疗规范|专家共识|\bguidelines?\b"),
        ("contract", r"合同|协议书?|\b(?:agreement|contract|lease|deed)\b"),
        (
            "statute",
            r"(?:法|条例|司法解释)(?:（[^）]{1,12}）)?$|中华人民共和国.{1,30}法|\b(?:an\s+)?act\s+to\b|\bact(?:,)?\s+(?:of\s+)?\d{4}\b",
        ),
        ("policy", r"管理(?:制度|办法)|政策|\bpolic(?:y|ies)\b"),
    )
)

_ANNUAL: Final = frozenset({"10-K", "20-F", "40-F", "annual_report"})
_QUARTERLY: Final = frozenset({"10-Q", "quarterly_report", "interim_report"})
_CURRENT: Final = frozenset({"8-K", "6-K"})

FAMILY: Final[Mapping[str, frozenset[str]]] = {
    kind: family for family in (_ANNUAL, _QUARTERLY, _CURRENT) for kind in family
}
"""The kinds that answer a question for a kind; a kind that is not here stands for itself alone."""

ISSUED: Final = (
    _ANNUAL | _QUARTERLY | _CURRENT | {"DEF 14A", "earnings_release", "prospectus", "proxy_statement", "audit_report"}
)
"""Kinds that a company issues about itself."""


def kind_in(text: str) -> str | None:
    """Return the kind that a text names, a form before anything else; None when it names none."""
    if found := _FORM.search(text):
        return _form(found[1])
    return kind_of_title(text)


def kind_of_title(text: str) -> str | None:
    """Return the kind that the words of a title name, of which the first in this module's order counts."""
    return next((kind for kind, pattern in _NAMED if pattern.search(text)), None)


def _form(found: str) -> str:
    plain = re.sub(r"[\s-]", "", found).upper()
    return "DEF 14A" if plain == "DEF14A" else f"{plain[:-1]}-{plain[-1]}"
