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

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from retrieval.facts.kinds import ISSUED
from retrieval.facts.names import GENERIC, core_of, joined
from retrieval.filing.accounting import ACCOUNTING
from retrieval.filing.distance import tiers_of
from retrieval.filing.question import Asked, Mention, asked_of
from retrieval.filing.vocabulary import Vocabulary
from retrieval.types import DocumentFacts, Scope

__all__ = ["Directory", "Narrowing"]

_SHORT: Final = 4  # letters up to which a name may be a ticker or a word of everyday, and must be written as a name
_TOO_SHORT: Final = 2  # letters up to which a ticker says nothing: IT, ON, SO

_VOCABULARIES: Final[Mapping[str, Vocabulary]] = dict.fromkeys(ISSUED, ACCOUNTING)
"""What a company issues tells its figures in the words of accounting."""


class Described(Protocol):
    """A document with facts, as the index holds it."""

    @property
    def label(self) -> str:
        """Who may see it."""
        ...

    @property
    def collection(self) -> str:
        """Where it is."""
        ...

    @property
    def facts(self) -> DocumentFacts:
        """What it says of itself."""
        ...


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Which documents a question means, and in what words they may say it.

    A search looks in the first tier for the question and its `expansion`: for their words together, and by meaning for
    the mean of their two vectors. It looks in the next tier when that one has less than it wants, and everywhere the
    scope reaches after the last.

    `tiers` holds ids of documents, the best first: each document of the companies that were named stands in exactly one
    tier, and all that stand in none come after. `expansion` is what documents of the kind of the first tier write for
    what is asked ("" for nothing): words to be searched beside the question. `words` are the parts of the question that
    named company, period and day; inside the first tier they tell no passage from another.
    """

    tiers: tuple[tuple[str, ...], ...]
    expansion: str = ""
    words: tuple[str, ...] = ()

    @property
    def documents(self) -> tuple[str, ...]:
        """All documents of the companies that were named."""
        return tuple(one for tier in self.tiers for one in tier)


class Directory:
    """The documents of an index by the companies that they are of.

    Build one for each state of the index; it is read only, and safe to share between threads.
    """

    def __init__(
        self, documents: Mapping[str, Described], *, vocabularies: Mapping[str, Vocabulary] = _VOCABULARIES
    ) -> None:
        """Note under which names each document may be asked for; documents without a company are left out.

        Args:
            documents: by id, whoever may see them.
            vocabularies: the words of documents, by their kind.
        """
        self._documents = {id_: one for id_, one in documents.items() if one.facts.company}
        self._about_companies = 2 * len(self._documents) > len(documents)
        self._vocabularies = vocabularies
        self._keys: dict[str, frozenset[str]] = {}
        self._by_name: dict[str, list[str]] = {}
        self._by_beginning: dict[str, list[str]] = {}
        for id_, one in self._documents.items():
            company = core_of(one.facts.company or "")
            others = (core_of(name) for name in one.facts.names)
            cores = dict.fromkeys((company, *(core for core in others if not _says_nothing(joined(core)))))
            self._keys[id_] = frozenset(joined(core) for core in cores)
            for key in self._keys[id_]:
                self._by_name.setdefault(key, []).append(id_)
            for first in {core[0] for core in cores if len(core) > 1}:
                self._by_beginning.setdefault(first, []).append(id_)

    def narrow(self, question: str, scope: Scope) -> Narrowing | None:
        """Return the documents that a question means; None when it names no company of those that the scope sees.

        Where most documents are of companies, and those that the scope sees are all of one, it need not be named.

        Args:
            question: in either language.
            scope: documents that it hides take no part: nobody can tell from an order that they are there.
        """
        if not self._documents:
            return None
        asked = asked_of(question)
        groups: list[set[str]] = []
        taken: list[Mention] = []
        for mention in asked.mentions:
            if any(mention.start < other.end and other.start < mention.end for other in taken):
                continue
            if ids := self._named(mention, asked, scope):
                taken.append(mention)
                groups.append(ids)
        if not groups and (ids := self._only(scope)):
            groups.append(ids)
        if not groups:
            return None
        tiers = _merged([tiers_of({id_: self._documents[id_].facts for id_ in ids}, asked) for ids in groups])
        words = (*(mention.text for mention in taken), *asked.words)
        return Narrowing(tiers=tiers, expansion=self._expansion(question, tiers[0]), words=words)

    def _seen(self, ids: Iterable[str], scope: Scope) -> set[str]:
        of = self._documents
        return {id_ for id_ in ids if scope.allows(label=of[id_].label, collection=of[id_].collection)}

    def _only(self, scope: Scope) -> set[str]:
        """Return the documents of the one company whose documents the scope sees; nothing when it sees several."""
        if not self._about_companies:
            return set()
        keys: frozenset[str] = frozenset()
        found: set[str] = set()
        for id_ in self._documents:
            if self._seen((id_,), scope):
                if found and keys.isdisjoint(self._keys[id_]):
                    return set()
                found.add(id_)
                keys |= self._keys[id_]
        return found

    def _expansion(self, question: str, best: Iterable[str]) -> str:
        kinds = dict.fromkeys(self._documents[id_].facts.kind or "" for id_ in best)
        known = dict.fromkeys(self._vocabularies[kind] for kind in kinds if kind in self._vocabularies)
        return " ".join(text for vocabulary in known if (text := vocabulary.expansion(question)))

    def _named(self, mention: Mention, asked: Asked, scope: Scope) -> set[str]:
        """Return the documents in the scope of the company that a mention names, if it names one."""
        ids = self._seen(self._by_name.get(mention.key, ()), scope) if _is_name(mention, asked) else set()
        if _is_beginning(mention):
            longer = self._seen(self._by_beginning.get(mention.key, ()), scope)
            ids |= longer if self._of_one(ids | longer, mention.key) else set()
        keys = {key for id_ in ids for key in self._keys[id_]}
        return self._seen((id_ for key in keys for id_ in self._by_name[key]), scope)

    def _of_one(self, ids: Iterable[str], beginning: str) -> bool:
        """Say whether documents whose companies begin alike are of one: each name is the beginning of the next."""
        names = {joined(core_of(self._documents[id_].facts.company or "")) for id_ in ids}
        keys = sorted((name for name in names if name.startswith(beginning)), key=lambda name: (len(name), name))
        return bool(keys) and all(longer.startswith(key) for key, longer in itertools.pairwise(keys))


def _says_nothing(key: str) -> bool:
    return key.isascii() and len(key) <= _TOO_SHORT


def _is_name(mention: Mention, asked: Asked) -> bool:
    """Say whether a mention of a known name is meant as one: "block" is a word of everyday, "Block's" is not."""
    if mention.words > 1 and len(mention.key) > _SHORT:
        return True
    if mention.key in GENERIC or len(mention.key) <= _SHORT:
        return mention.sure
    return mention.capital or asked.narrow


def _is_beginning(mention: Mention) -> bool:
    return mention.words == 1 and mention.capital and mention.key not in GENERIC and len(mention.key) > 2


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
