"""Answers that were given, for the next time that the same person asks the same thing of the same documents.

An answer is found again only in its place: the digest of

    whose it is     subject, labels and collections of the scope, whole
    what made it    versions of program, prompt and checks, the model's identity, the embedder
    of what         the index's generation, which every change of any document raises
    for what        domain, language, style, choices, parameters, and the conversation before

and there by its wording. `exact` takes the same words: blanks, a question mark and full-width marks aside. `near` also
takes the same words that say something in another order or form ("What is the revenue for 2022?", "the 2022 revenue?"),
with the same figures, dates, names in the same order and negation, whose embeddings are alike. Two questions of which
one has a word more that says something ("gross margin", "net margin") are never one, however near an embedding finds
them: nobody would notice the wrong answer.

The subject is part of the place although two people with the same labels may see the same documents: a domain may know
who asks, and how long an answer took would tell one person what another asked. Nothing is written to disk. An answer
whose content was erased from the vault is not given again.

Every answer that comes from here has an intent and an outcome of its own, which say which answer it repeats.

Not covered: several processes share nothing; names in lower case count as words like others.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from app.answering.checking.opposites import negated, turned
from app.answering.checking.support import informative
from app.answering.checking.values import extract, missing
from app.answering.types import Claim
from domains.contract import Question
from retrieval.language import CJK
from retrieval.types import Evidence

__all__ = ["NEAR_FROM", "AnswerCache", "Kept", "normalised", "place_of", "same_question"]

NEAR_FROM: Final = 0.95
"""Least cosine of two questions' embeddings. High, since the words were compared before: it is to notice what they
cannot, such as another order."""

Embed = Callable[[str], Sequence[float]]

_MARKS: Final = str.maketrans("？！，：；（）　", "?!,:;() ")
_BLANKS: Final = re.compile(r"\s+")
_END: Final = re.compile(r"[\s?!.。]+$")
_NAME: Final = re.compile(r"(?<=[^\s])\s+[\"'“(]?([A-Z][\w&-]*)")
"""A word with a capital that does not begin the question."""

_CHINESE_FILLERS: Final = re.compile(r"[的了呢吗吧啊呀么请问是\s,?!:;.。]|一下")
"""What a Chinese question may have or lack. The rest must be the same, in the same order: there are no inflections."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it can be given again.

    Attributes:
        answer_id: Of the answer that was made.
        entry: Its outcome in the ledger.
        evidence: What it was made from.
        claims: All of its claims with their verdicts.
        short: The bare answer.
        abstained: Why it abstained, as a code.
        drafter: Who wrote it.
        more: What else the pipeline keeps of a run.
    """

    answer_id: str
    entry: int
    evidence: tuple[Evidence, ...]
    claims: tuple[Claim, ...]
    short: str | None
    abstained: Any
    drafter: str | None
    more: Mapping[str, Any] = field(default_factory=dict)


class AnswerCache:
    """Keeps answers in memory, those longest not asked for going first. Safe to share between threads."""

    def __init__(
        self,
        *,
        entries: int,
        embed: Embed | None = None,
        holds: Callable[[str], bool] = lambda _answer_id: True,
        near_from: float = NEAR_FROM,
    ) -> None:
        """Make an empty cache.

        Args:
            entries: Most answers that are kept.
            embed: Gives the embedding of a question, of length 1; None takes the exact wording alone.
            holds: Says whether an answer's content is still kept.
            near_from: Least cosine of embeddings for two wordings to be one question.

        Raises:
            ValueError: there is room for no entry, or the threshold is no cosine.
        """
        if entries < 1 or not 0 < near_from <= 1:
            raise ValueError(f"{entries} entries, threshold {near_from}: give at least one, and a cosine above 0")
        self._most = entries
        self._embed = embed
        self._holds = holds
        self._near_from = near_from
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], tuple[Kept, Sequence[float] | None, str]] = OrderedDict()

    def __len__(self) -> int:
        """Return how many answers are kept."""
        return len(self._kept)

    def find(self, place: str, text: str) -> Kept | None:
        """Return the answer that was given to a question in its place, or None."""
        key = (place, normalised(text))
        with self._lock:
            key = key if key in self._kept or self._embed is None else self._near(place, text) or key
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
        if self._holds(found[0].answer_id):
            return found[0]
        with self._lock:
            self._kept.pop(key, None)
        return None

    def keep(self, place: str, text: str, kept: Kept) -> None:
        """Keep an answer in its place."""
        vector = None if self._embed is None else self._embed(text)
        with self._lock:
            self._kept[place, normalised(text)] = (kept, vector, text)
            self._kept.move_to_end((place, normalised(text)))
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def _near(self, place: str, text: str) -> tuple[str, str] | None:
        """Return the key of the nearest question of a place that asks the same in other words."""
        same = [(key, held) for key, held in self._kept.items() if key[0] == place and same_question(text, held[2])]
        if not same or self._embed is None:
            return None
        vector = self._embed(text)
        scored = [(_cosine(vector, held[1]), key) for key, held in same if held[1] is not None]
        best = max(scored, default=(0.0, ("", "")))
        return best[1] if best[0] >= self._near_from else None


def place_of(question: Question, *, domain: str, versions: Mapping[str, Any]) -> str:
    """Return the digest of everything but its wording that an answer depends on."""
    scope = question.scope
    parts = {
        "subject": scope.subject,
        "labels": sorted(scope.labels),
        "collections": sorted(scope.collections),
        "versions": versions,
        "domain": domain,
        "language": question.language,
        "style": question.style.value,
        "choices": list(question.choices),
        "parameters": dict(question.parameters),
        "history": [[turn.question, turn.answer] for turn in question.history],
    }
    said = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=repr)
    return hashlib.sha256(said.encode("ascii")).hexdigest()


def normalised(text: str) -> str:
    """Return a question without what makes no difference: blanks, the mark at its end, full-width marks.

    Composed letters are one with their parts (Unicode NFC). NFKC would make ``10²`` into ``102``, and case can be a
    name's ("US", "us"), so both stay.
    """
    whole = unicodedata.normalize("NFC", text).translate(_MARKS)
    return _END.sub("", _BLANKS.sub(" ", whole).strip())


def same_question(one: str, other: str) -> bool:
    """Say whether two wordings hold the same words that say something, figures, names in their order, and negation."""
    return (
        _said(one) == _said(other) != frozenset()
        and _NAME.findall(one) == _NAME.findall(other)
        and negated(one) == negated(other)
        and not missing(extract(one), other)
        and not missing(extract(other), one)
        and turned(one, [other]) is None
        and turned(other, [one]) is None
    )


def _said(text: str) -> frozenset[str]:
    """Return the English stems of a text that say something, and its Chinese as one string without what fills it."""
    whole = normalised(text)
    words = {term for term in informative(whole) if term.isascii()}
    return frozenset(words | {_CHINESE_FILLERS.sub("", whole)} if CJK.search(whole) else words)


def _cosine(one: Sequence[float], other: Sequence[float] | None) -> float:
    return 0.0 if other is None else float(sum(a * b for a, b in zip(one, other, strict=True)))
