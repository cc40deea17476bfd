"""Which sentences of the evidence a choice may rest on: few, verbatim, and short enough to be quoted.

A sentence counts for what it shares with the question, for telling a finding (a figure, a comparison, "showed") and,
a little, for standing late in its passage: texts of every kind put what came out behind what was asked.

Not covered: a finding that is spread over sentences far apart, or that stands in a table without sentences.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.answering.checking.support import coverage, informative, sentences
from app.answering.claims import MARK
from retrieval.types import Evidence

__all__ = ["LONGEST", "Sentence", "carrying"]

LONGEST: Final = 600
"""Characters of the longest sentence that is quoted; what has no end for longer than that is no sentence."""

ROOM: Final = 900
"""Characters of all sentences together: what the model reads before it chooses.

The results of a medical abstract have about 570 characters, the whole abstract 1,330; a small model chooses no better
from more, and each choice costs its tokens.
"""

_FINDING: Final = re.compile(
    r"\b(?:significant\w*|associat\w+|correlat\w+|compar\w+|differ\w*|increas\w+|decreas\w+|reduc\w+|improv\w+"
    r"|higher|lower|greater|less|more|found|show\w*|demonstrat\w+|conclu\w+|reveal\w*|suggest\w*|indicat\w+"
    r"|only|however|must|shall|may not|held|overrul\w+)\b|\d"
    r"|显著|相关|差异|增加|减少|降低|提高|高于|低于|表明|显示|应当|不得",
    re.IGNORECASE,
)
_BLANKS: Final = re.compile(r"\s+")
_WEIGHT_FINDING: Final = 0.4
_WEIGHT_LATE: Final = 0.4


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of the evidence.

    Attributes:
        text: As it stands there, with single blanks and without what would read as a citation mark of ours.
        source: Id of the evidence.
        fit: How well it fits the question, from 0 (not at all) on.
    """

    text: str
    source: str
    fit: float


def carrying(question: str, evidence: Sequence[Evidence], *, room: int = ROOM) -> list[Sentence]:
    """Return the sentences that fit the question best, in the order of the evidence.

    Args:
        question: The wording that stands alone.
        evidence: What the model may see.
        room: Most characters of all of them; the best one is there even when it alone is longer.
    """
    terms = informative(question)
    found: list[Sentence] = []
    for item in evidence:
        parts = [part for part in map(_clean, sentences(item.text)) if part]
        for place, part in enumerate(parts, 1):
            fit = (
                coverage(terms, [part])
                + _WEIGHT_FINDING * bool(_FINDING.search(part))
                + _WEIGHT_LATE * place / len(parts)
            )
            found.append(Sentence(part, item.id, fit))
    kept: set[int] = set()
    left = room
    for number in sorted(range(len(found)), key=lambda number: -found[number].fit):
        need = len(found[number].text) + 1
        if need <= left or not kept:
            kept.add(number)
            left -= need
    return [sentence for number, sentence in enumerate(found) if number in kept]


def _clean(part: str) -> str:
    text = _BLANKS.sub(" ", MARK.sub("", part)).strip()
    if len(text) <= LONGEST:
        return text
    return text[:LONGEST].rsplit(" ", 1)[0]
