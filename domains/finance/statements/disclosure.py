"""Finds what a company's own documents say about a risk point, under the caller's scope.

The documents are searched for the company's name and the words of the rule; a passage counts when it names the company
(in its text, its headings or its document's name) and shares at least two words with the rule's. It is attached as it
stands, with its place; nothing is concluded from it.

The search is an addition. While it is not ready, or fails, the assessment is made without it and says so.

Not covered: passages in another language than both searches; a filing that calls the company by another name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from domains.contract import Searcher
from domains.finance.statements.risk_points import RiskPoint
from retrieval.language import Language
from retrieval.lexical import tokenize
from retrieval.types import Evidence, Scope

__all__ = ["Disclosures", "find_disclosures"]

_CANDIDATES: Final = 8
_KEPT: Final = 2
_SHARED: Final = 2
_MOST_POINTS: Final = 12
"""Risk points that are searched for, the gravest; each costs a search in two languages."""

_COMMON: Final = frozenset(tokenize("company limited inc corp corporation co ltd group plc 公司 股份 有限 集团"))
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Disclosures:
    """Passages by the id of the risk rule; `searched` is false where the search could not be asked."""

    passages: dict[str, tuple[Evidence, ...]]
    searched: bool


def find_disclosures(points: Sequence[RiskPoint], company: str, searcher: Searcher, scope: Scope) -> Disclosures:
    """Return what the documents that a scope may see say about each risk point."""
    name = frozenset(tokenize(company)) - _COMMON
    found: dict[str, tuple[Evidence, ...]] = {}
    if not name:
        return Disclosures({}, searched=False)
    try:
        for point in points[:_MOST_POINTS]:
            found[point.rule.id] = _of(point, company, name, searcher, scope)
    except Exception as error:  # noqa: BLE001 - another layer's errors are not known here, and an addition may fail
        _log.warning("finance.disclosures_unsearched", error=type(error).__name__)
        return Disclosures({}, searched=False)
    return Disclosures({rule: passages for rule, passages in found.items() if passages}, searched=True)


def _of(point: RiskPoint, company: str, name: frozenset[str], searcher: Searcher, scope: Scope) -> tuple[Evidence, ...]:
    languages: tuple[Language, ...] = ("en", "zh")
    queries = [f"{company} {point.rule.search[language]}" for language in languages]
    words = [frozenset(tokenize(point.rule.search[language])) for language in languages]
    kept = [
        item
        for item in searcher.search(queries, scope, k=_CANDIDATES)
        if _names(item, name) and any(_shares(item, wanted) for wanted in words)
    ]
    return tuple(kept[:_KEPT])


def _names(item: Evidence, name: frozenset[str]) -> bool:
    around = " ".join((item.locator.document, *item.locator.headings, item.text)).replace("_", " ")
    return name <= frozenset(tokenize(around))


def _shares(item: Evidence, wanted: frozenset[str]) -> bool:
    return len(wanted & frozenset(tokenize(item.text))) >= _SHARED
