"""What can be read off a claim and its passage about whether the one follows from the other, without a model.

Each signal is least for a sentence that stands in the passage as it is. None of them knows what a text means: a summary
that stitches far parts of a passage together is made of more and shorter pieces than one that keeps its sentences, and
one that adds something has names, letters or a "may" that the passage has not.

The signals of a claim of several sentences are those of the whole. The pieces are the "extractive fragments" of Grusky
et al., "Newsroom: a dataset of 1.3 million summaries" (NAACL 2018), counted here instead of measured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from app.answering.checking.support import best_window, coverage, informative, sentences
from retrieval.language import CJK

__all__ = ["SIGNALS", "Source", "signals"]

SIGNALS: Final = ("missing", "spread", "pieces", "strange", "names", "hedged")
"""Names of the signals, in the order in which `signals` gives them.

    missing   share of the claim's informative terms, by weight, that the passage has nowhere
    spread    the same of the three neighbouring sentences that fit best
    pieces    copied runs of words, divided by the words of the claim: many when it is stitched together
    strange   share of the claim's runs of letters that the passage has not
    names     capitalised words, inside a sentence, that the passage has not
    hedged    1 where the claim says "may" or "about" and the sentences that it rests on do not
"""

_WORD: Final = re.compile(rf"\d[\d.,]*\d|\d|{CJK.pattern}|(?:(?!{CJK.pattern})[^\W\d_])+")
"""A number, an ideograph, or a run of other letters."""

_LATIN_RUN: Final = 8
_CHINESE_RUN: Final = 3
"""Characters of a run of letters: about a word and a half in either script."""

_BLANKS: Final = re.compile(r"\s+")
_NAME: Final = re.compile(r"(?<=[^\s.!?:\"“] )[A-Z][\w'’-]+")
_HEDGE: Final = re.compile(
    r"\b(?:may|might|could|possibly|likely|perhaps|appears?|seems?|reportedly|alleged\w*|believed|suspected|around|about"
    r"|approximately|nearly|potential\w*|estimated)\b|可能|大约|约|或许|据称",
    re.IGNORECASE,
)
_MOST_NAMES: Final = 3
"""New names after which one more says nothing."""

_LONGEST: Final = 20_000
"""Characters of a passage whose pieces are looked at; what a claim takes from beyond them counts as one piece more."""


@dataclass(frozen=True)
class Source:
    """A passage, cut up once for all the claims that are held against it."""

    text: str
    around: str = ""
    _places: dict[str, list[int]] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def whole(self) -> str:
        """The passage in lower case, with single blanks, under its headings."""
        return _plain(f"{self.around}\n{self.text}" if self.around else self.text)

    @cached_property
    def parts(self) -> list[str]:
        """Its sentences."""
        return sentences(self.text)

    @cached_property
    def words(self) -> list[str]:
        """Its words and ideographs, in lower case."""
        found = _words(self.whole[:_LONGEST])
        for place, word in enumerate(found):
            self._places.setdefault(word, []).append(place)
        return found

    def run_at(self, words: Sequence[str], start: int) -> int:
        """Return how many words from a place on stand in the passage in one run."""
        mine = self.words
        longest = 0
        for place in self._places.get(words[start], ()):
            length = 0
            while start + length < len(words) and place + length < len(mine):
                if words[start + length] != mine[place + length]:
                    break
                length += 1
            longest = max(longest, length)
        return longest


def signals(text: str, source: Source, *, terms: Mapping[str, float] | None = None) -> tuple[float, ...]:
    """Return the signals of a claim, in the order of `SIGNALS`.

    Args:
        text: The claim.
        source: What it is held against.
        terms: Its informative terms with their weights, where they weigh otherwise than `informative` says.
    """
    weighed = informative(text) if terms is None else terms
    window = best_window(weighed, source.parts)
    return (
        1.0 - coverage(weighed, [source.whole]) if weighed else 0.0,
        1.0 - coverage(weighed, [*window, source.around]) if weighed else 0.0,
        _pieces(text, source),
        _strange(text, source),
        float(min(_MOST_NAMES, sum(_plain(name) not in source.whole for name in set(_NAME.findall(text))))),
        float(bool(_HEDGE.search(text)) and not any(map(_HEDGE.search, window))),
    )


def _pieces(text: str, source: Source) -> float:
    words = _words(text.lower())
    place = pieces = 0
    while place < len(words):
        run = source.run_at(words, place)
        pieces += run > 0
        place += max(run, 1)
    return pieces / len(words) if words else 0.0


def _strange(text: str, source: Source) -> float:
    plain = _plain(text)
    length = _CHINESE_RUN if CJK.search(plain) else _LATIN_RUN
    runs = {plain[start : start + length] for start in range(max(1, len(plain) - length + 1))}
    return sum(run not in source.whole for run in runs) / len(runs)


def _plain(text: str) -> str:
    return _BLANKS.sub(" ", text).strip().lower()


def _words(text: str) -> list[str]:
    return _WORD.findall(text)
