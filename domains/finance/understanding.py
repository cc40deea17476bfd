"""What a question asks of the stored companies: which ones, which figures, to compare or to describe.

A question belongs here when it names a stored company that the asker may see and a subject of risk, or when it
asks to compare companies on such a subject and there are two to compare. Anything else, also any other question
about money, stays with the domain for all documents.

Not covered: pronouns ("how is its leverage?") beyond the last question; companies called by another name than the
stored one; subjects in other words than the ones below and the titles of factors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from domains.contract import Question, ToolCall
from domains.finance.statements.factors import FACTORS
from domains.finance.statements.store import name_key
from domains.finance.tools import COMPARE, FIGURES, RISKS
from retrieval.language import Language

__all__ = ["Asked", "calls_of", "understand"]

_GROUPS: Final = {
    "liquidity": r"liquid|short[- ]term (?:debt|solvency|obligations)|流动性|短期偿债|变现能力",
    "solvency": r"solven|leverag|indebted|gearing|interest cover|偿债能力|杠杆|负债水平|负债率|付息",
    "profitability": r"profitab|\breturns?\b on|margins?\b|盈利能力|利润率|毛利率|净利率|收益率",
    "cash_flow": r"cash flows?\b|cash generation|现金流",
    "efficiency": r"turnover|efficien|周转|营运效率|营运能力",
    "growth": r"\bgrow(?:th|ing|s)?\b|成长性|成长能力|增长能力|增速",
    "quality": r"earnings quality|quality of (?:earnings|profits?)|accruals|盈利质量|利润质量",
}
_RISKS: Final = r"risks?\b|red flags?|warning signs?|going concern|风险|红旗|预警|隐患"
_COMPARES: Final = (
    r"\bwhich (?:\w+ ){0,4}(?:company|companies|one|firm|borrower)|compar|rank|weak(?:est|er)|strong(?:est|er)"
    r"|\bbest\b|\bworst\b"
    r"|highest|lowest|哪家|哪一家|哪个公司|比较|对比|排名|排序|最弱|最强|最差|最好|最高|最低"
)
_COMPANIES: Final = r"compan(?:y|ies)|firms?\b|borrowers?|issuers?|公司|企业|客户|发行人"

_LEAST_TITLE: Final[Mapping[Language, int]] = {"en": 8, "zh": 4}
"""Characters from which a factor's title counts when it stands in a question."""

_MOST_FACTORS: Final = 6
_MOST_COMPANIES: Final = 12


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question asks: ids of companies (all that may be seen, if none is named), and the subjects."""

    companies: tuple[str, ...]
    named: bool
    compares: bool
    groups: tuple[str, ...]
    factors: tuple[str, ...]
    risks: bool

    @property
    def subject(self) -> bool:
        """Whether there is anything to compute."""
        return bool(self.groups or self.factors or self.risks)

    @property
    def belongs(self) -> bool:
        """Whether the question is one for this domain."""
        return self.subject and (self.named or (self.compares and len(self.companies) > 1))


def understand(question: Question, known: Sequence[tuple[str, str]]) -> Asked:
    """Read a question.

    Args:
        question: As it was asked; the question before supplies names that this one leaves out.
        known: Id and name of the companies that the asker may see.
    """
    low = question.text.lower()
    named = tuple(_named(question.text, known))
    if not named and question.history:
        named = tuple(_named(question.history[-1].question, known))
    compares = bool(re.search(_COMPARES, low))
    about_companies = bool(re.search(_COMPANIES, low))
    everyone = tuple(id_ for id_, _ in sorted(known, key=lambda row: row[1]))[:_MOST_COMPANIES]
    return Asked(
        companies=named[:_MOST_COMPANIES] or (everyone if compares and about_companies else ()),
        named=bool(named),
        compares=compares and (len(named) > 1 or (not named and about_companies)),
        groups=tuple(group for group, words in _GROUPS.items() if re.search(words, low)),
        factors=tuple(_factors(low))[:_MOST_FACTORS],
        risks=bool(re.search(_RISKS, low)),
    )


def calls_of(asked: Asked, question: Question) -> tuple[ToolCall, ...]:
    """Return the tools to run, each with the scope of whoever asks."""
    scope = question.scope.model_dump(mode="json")
    scope = {**scope, "labels": sorted(scope["labels"]), "collections": sorted(scope["collections"])}
    common = {"company_ids": list(asked.companies), "scope": scope, "language": question.language}
    calls: list[ToolCall] = []
    if asked.compares and asked.groups and len(asked.companies) > 1:
        calls.append(ToolCall(COMPARE, {**common, "groups": list(asked.groups)}))
    if asked.factors or (asked.groups and not calls):
        groups = [] if asked.factors else list(asked.groups)
        calls.append(ToolCall(FIGURES, {**common, "groups": groups, "factors": list(asked.factors)}))
    if asked.risks:
        calls.append(ToolCall(RISKS, common))
    return tuple(calls)


def _named(text: str, known: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield the companies that a text names; a name inside a longer one that was found does not count."""
    left = name_key(text)
    for id_, name in known:  # the longest first
        key = name_key(name)
        if len(key) > 1 and key in left:
            left = left.replace(key, "\n")
            yield id_


def _factors(low: str) -> Iterator[str]:
    left = low
    for title, factor in _titles():
        if title in left:
            left = left.replace(title, "\n")
            yield factor


@lru_cache(maxsize=1)
def _titles() -> tuple[tuple[str, str], ...]:
    """Return the titles of plain factors (no growth, trend or peers of another), the longest first."""
    found = [
        (factor.titles[language].lower(), factor.id)
        for factor in FACTORS.values()
        for language, least in _LEAST_TITLE.items()
        if len(factor.titles[language]) >= least and factor.group not in ("benford", "levels", "common_size")
    ]
    return tuple(sorted(dict(reversed(found)).items(), key=lambda row: (-len(row[0]), row[0])))
