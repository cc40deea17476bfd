"""How far the documents of a company are from what a question asks for, in years.

A report of a year repeats the figures of the year before, often of two: so a later report comes right after the one
that was asked for, and an earlier one, which cannot hold the figures, far behind. A day is reported on within weeks. Of
documents that differ in nothing that was said, the newest comes first: who names no year asks about now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

from retrieval.facts.dates import Period
from retrieval.facts.kinds import FAMILY
from retrieval.filing.question import Asked
from retrieval.types import DocumentFacts

__all__ = ["tiers_of"]

_AHEAD: Final = 2  # years by which a report still repeats an earlier one's figures
_WHOLE: Final = 0.25  # distance of a year from its quarter, and of a quarter from its year
_OTHER_PART: Final = 0.5  # of a quarter from another one
_UNKNOWN: Final = 1.5  # of a document without a period
_OLDER: Final = 0.5  # of a year, when no period is asked for
_OTHER_KIND: Final = 2.0
_OTHER_DAY: Final = 1.0
_REPORTED_WITHIN: Final = 45  # days


def tiers_of(documents: Mapping[str, DocumentFacts], asked: Asked) -> list[list[str]]:
    """Group documents of one company by how far they are from what was asked, the nearest first."""
    newest = max((period.year for facts in documents.values() if (period := _period(facts))), default=0)
    groups: dict[float, list[str]] = {}
    for id_, facts in documents.items():
        groups.setdefault(_distance(facts, asked, newest=newest), []).append(id_)
    return [groups[distance] for distance in sorted(groups)]


def _distance(facts: DocumentFacts, asked: Asked, *, newest: int) -> float:
    """Return how far a document is from what was asked: 0 is exactly it; years of distance are the measure."""
    period = _period(facts)
    if asked.days and _reports_on(facts, asked.days):
        distance = 0.0
    else:
        distance = (_years(period, asked) if asked.latest else _age(period, newest)) + _OTHER_DAY * bool(asked.days)
    if asked.kind and facts.kind not in FAMILY.get(asked.kind, {asked.kind}):
        distance += _OTHER_KIND
    return distance


def _years(period: Period | None, asked: Asked) -> float:
    if period is None or asked.latest is None:
        return _UNKNOWN
    later = period.year - asked.latest
    distance = float(later) if 0 <= later <= _AHEAD else _AHEAD + 1.0 + abs(later)
    return distance + _part(period.part, asked.part)


def _part(has: str, wanted: str) -> float:
    """Return the distance of parts of a year. The second quarter's report tells the half, the fourth's the year."""
    same = {"Q2": "H1", "Q4": ""}
    if has == wanted or same.get(has, has) == same.get(wanted, wanted):
        return 0.0
    return _OTHER_PART if wanted and has else _WHOLE


def _age(period: Period | None, newest: int) -> float:
    return _UNKNOWN if period is None else _OLDER * (newest - period.year)


def _reports_on(facts: DocumentFacts, days: Iterable[date]) -> bool:
    """Say whether a document bears one of the days, or one within the weeks after it, when things are reported."""
    if facts.date is None:
        return False
    own = date.fromisoformat(facts.date)
    return any(0 <= (own - day).days <= _REPORTED_WITHIN for day in days)


def _period(facts: DocumentFacts) -> Period | None:
    return None if facts.period is None else Period.parse(facts.period)
