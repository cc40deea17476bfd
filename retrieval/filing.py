"""From a question to the documents that it means: the company, the period, the day and the kind that it names.

Of a store of many filings, half of what a search finds comes from the wrong one: last year's report, or another
company's, says nearly the same words. A question that names a company has said where to look.

The answer is an order of documents and never a filter: what does not fit comes later. Facts may be wrong, and a report
of 2023 holds the figures of 2022 as well. So the documents of the company come before all others; among them those of
the latest period asked for, then those of the next years (which repeat it beside their own), then the rest. A question
that names no period looks at the newest first only among equals.

Not covered: companies that no document is of, questions about what several documents say of somebody else, and
pronouns: "its revenue" means whom the conversation was about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol

from retrieval.facts_dates import Period
from retrieval.facts_kinds import FAMILY
from retrieval.facts_names import GENERIC, core_of, joined
from retrieval.filing_question import Asked, Mention, asked_of
from retrieval.types import DocumentFacts

__all__ = ["Directory", "Narrowing"]

_SHORT: Final = 4  # letters up to which a name is a ticker or initials, which must be in capitals
_AHEAD: Final = 2  # years by which a report still repeats an earlier one's figures
_WHOLE: Final = 0.25  # distance of a year from its quarter, and of a quarter from its year
_OTHER_PART: Final = 0.5  # of a quarter from another one
_UNKNOWN: Final = 1.5  # of a document without a period
_OLDER: Final = 0.5  # of a year, when no period is asked for
_OTHER_KIND: Final = 2.0
_OTHER_DAY: Final = 1.0
_REPORTED_WITHIN: Final = 45  # days


class Described(Protocol):
    """A document with facts, as the index holds it."""

    @property
    def facts(self) -> DocumentFacts:
        """What it says of itself."""
        ...


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Which documents a question means.

    `tiers` holds ids of documents, the best first: each document of the companies that were named stands in exactly one
    tier, and all that stand in none come after. `words` are the parts of the question that named company, period and
    day; inside the first tier they tell no passage from another.
    """

    tiers: tuple[tuple[str, ...], ...]
    words: tuple[str, ...] = ()

    @property
    def documents(self) -> tuple[str, ...]:
        """All documents of the companies that were named."""
        return tuple(one for tier in self.tiers for one in tier)


class Directory:
    """The documents of an index by the companies that they are of.

    Build one for each state of the index; it is read only, and safe to share between threads.
    """

    def __init__(self, documents: Mapping[str, Described]) -> None:
        """Note under which names each document may be asked for; documents without a company are left out."""
        self._facts = {id_: one.facts for id_, one in documents.items() if one.facts.company}
        self._keys: dict[str, frozenset[str]] = {}
        self._by_name: dict[str, list[str]] = {}
        self._by_beginning: dict[str, list[str]] = {}
        for id_, facts in self._facts.items():
            cores = dict.fromkeys(core_of(name) for name in (facts.company or "", *facts.names))
            self._keys[id_] = frozenset(joined(core) for core in cores)
            for key in self._keys[id_]:
                self._by_name.setdefault(key, []).append(id_)
            for first in {core[0] for core in cores if len(core) > 1}:
                self._by_beginning.setdefault(first, []).append(id_)

    def narrow(self, question: str, *, visible: Callable[[str], bool]) -> Narrowing | None:
        """Return the documents that a question means; None when it names no company of those that are visible.

        Args:
            question: in either language.
            visible: says whether the asker may see the document of an id. Documents that are hidden take no part:
                nobody can tell from an order that they are there.
        """
        if not self._facts:
            return None
        asked = asked_of(question)
        groups: list[set[str]] = []
        taken: list[Mention] = []
        for mention in asked.mentions:
            if any(mention.start < other.end and other.start < mention.end for other in taken):
                continue
            if ids := self._named(mention, asked, visible):
                taken.append(mention)
                groups.append(ids)
        if not groups:
            return None
        tiers = _merged([_tiers({id_: self._facts[id_] for id_ in ids}, asked) for ids in groups])
        return Narrowing(tiers=tiers, words=(*(mention.text for mention in taken), *asked.words))

    def _named(self, mention: Mention, asked: Asked, visible: Callable[[str], bool]) -> set[str]:
        """Return the visible documents of the company that a mention names, if it names one."""
        ids = {id_ for id_ in self._by_name.get(mention.key, ()) if visible(id_)}
        if not ids or not _is_name(mention, asked):
            ids = {id_ for id_ in self._by_beginning.get(mention.key, ()) if visible(id_)}
            if not ids or not _is_beginning(mention) or not self._of_one(ids, mention.key):
                return set()
        keys = {key for id_ in ids for key in self._keys[id_]}
        return {id_ for key in keys for id_ in self._by_name[key] if visible(id_)}

    def _of_one(self, ids: Iterable[str], beginning: str) -> bool:
        """Say whether documents whose companies begin with the same word are of one company."""
        keys = {joined(core_of(self._facts[id_].company or "")) for id_ in ids}
        keys = {key for key in keys if key.startswith(beginning)}
        shortest = min(keys, key=len, default="")
        return bool(keys) and all(key.startswith(shortest) for key in keys)


def _is_name(mention: Mention, asked: Asked) -> bool:
    """Say whether a mention of a known name is meant as one: "block" is a word of everyday, "Block's" is not."""
    if mention.words > 1 and len(mention.key) > _SHORT:
        return True
    if len(mention.key) <= _SHORT:  # a ticker or initials
        return mention.text.isupper() or mention.text[0].isdigit() or not mention.text.isascii()
    if mention.key in GENERIC:
        return mention.sure
    return mention.capital or asked.narrow


def _is_beginning(mention: Mention) -> bool:
    return mention.words == 1 and mention.capital and mention.key not in GENERIC and len(mention.key) > 2


def _tiers(documents: Mapping[str, DocumentFacts], asked: Asked) -> list[list[str]]:
    """Group documents of one company by how far they are from what was asked, the nearest first."""
    newest = max((period.year for facts in documents.values() if (period := _period(facts))), default=0)
    groups: dict[float, list[str]] = {}
    for id_, facts in documents.items():
        groups.setdefault(_distance(facts, asked, newest=newest), []).append(id_)
    return [groups[distance] for distance in sorted(groups)]


def _merged(companies: Sequence[Sequence[Sequence[str]]]) -> tuple[tuple[str, ...], ...]:
    """Put the tiers of several companies beside each other: the best documents of each are equally good."""
    depth = max(len(tiers) for tiers in companies)
    merged: list[tuple[str, ...]] = []
    seen: set[str] = set()
    for level in range(depth):
        tier = [id_ for tiers in companies if level < len(tiers) for id_ in tiers[level]]
        fresh = tuple(id_ for id_ in dict.fromkeys(tier) if id_ not in seen)
        seen.update(fresh)
        if fresh:
            merged.append(fresh)
    return tuple(merged)


def _distance(facts: DocumentFacts, asked: Asked, *, newest: int) -> float:
    """Return how far a document is from what was asked: 0 is exactly it; years of distance are the measure."""
    period = _period(facts)
    distance = _years(period, asked) if asked.latest else _age(period, newest)
    if asked.kind and facts.kind not in FAMILY.get(asked.kind, {asked.kind}):
        distance += _OTHER_KIND
    if asked.days:
        distance += 0.0 if _reports_on(facts, asked.days) else _OTHER_DAY
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
