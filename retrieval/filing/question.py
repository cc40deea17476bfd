"""What a question says about where to look: words that may name a company, periods, days and a kind of document."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from retrieval.facts.dates import Period, days_in, periods_in
from retrieval.facts.kinds import kind_in
from retrieval.facts.names import GENERIC, joined
from retrieval.language import CJK

__all__ = ["Asked", "Mention", "asked_of"]

_LONGEST: Final = 6  # words of a name
_LONGEST_HAN: Final = 20  # characters of a Chinese one
_WORD: Final = re.compile(rf"(?:(?!{CJK.pattern})[^\W_])+")
_HAN: Final = re.compile(f"{CJK.pattern}+")
_POSSESSIVE: Final = re.compile(r"['’]s?(?!\w)")
_OPENERS: Final = '.?!:;。？！：；\n"“(（'  # after which a capital says nothing
_LOOK_BACK: Final = 8
_READ: Final = 2000  # characters of a question; a pasted text names its document at the beginning or not at all
_BETWEEN: Final = re.compile(r"[\s\-&.,/'’]{0,3}")


@dataclass(frozen=True, slots=True)
class Mention:
    """A run of words that may name a company.

    `key` is its words as one, in lower case; `sure` says that it is written as a name: in Chinese always, in English
    with a capital that no beginning of a sentence explains, or as several words of which the first has one.
    """

    text: str
    key: str
    start: int
    end: int
    words: int
    capital: bool
    sure: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question says about the documents that it means. `words` are its words for periods and days."""

    mentions: tuple[Mention, ...]
    periods: tuple[Period, ...]
    days: tuple[date, ...]
    kind: str | None
    words: tuple[str, ...]

    @property
    def latest(self) -> int | None:
        """The last year that is asked for: a report on it repeats the years before."""
        years = [period.year for period in self.periods] or [day.year for day in self.days]
        return max(years, default=None)

    @property
    def part(self) -> str:
        """The part of the last year that is asked for, if there is one."""
        return next((one.part for one in self.periods if one.part and one.year == self.latest), "")

    @property
    def narrow(self) -> bool:
        """Whether anything but a company says where to look."""
        return bool(self.periods or self.days or self.kind)


def asked_of(question: str) -> Asked:
    """Read a question, in English or Chinese, up to its 2,000th character; what it does not say is empty."""
    question = question[:_READ]
    days, periods = list(days_in(question)), list(periods_in(question))
    spans = sorted({(start, end) for start, end, _ in (*days, *periods)})
    return Asked(
        mentions=tuple((*_english(question), *_chinese(question))),
        periods=tuple(dict.fromkeys(period for *_, period in periods)),
        days=tuple(dict.fromkeys(day for *_, day in days)),
        kind=_kind(question),
        words=tuple(question[start:end] for start, end in spans),
    )


def _kind(question: str) -> str | None:
    """Return the kind that is asked for; a word that is a subject as often as a document does not count."""
    kind = kind_in(question)
    return None if kind in ("contract", "statute", "policy", "guideline", "earnings_release", "minutes") else kind


def _english(question: str) -> Iterator[Mention]:
    """Yield runs of up to six words, the longest first."""
    words = list(_WORD.finditer(question))
    for size in range(min(_LONGEST, len(words)), 0, -1):
        for at in range(len(words) - size + 1):
            run = words[at : at + size]
            if all(_BETWEEN.fullmatch(question, a.end(), b.start()) for a, b in itertools.pairwise(run)):
                yield _mention(question, run)


def _mention(question: str, run: list[re.Match[str]]) -> Mention:
    start, end = run[0].start(), run[-1].end()
    text = question[start:end]
    key = joined([word[0].lower() for word in run])
    first = run[0][0]
    capital = first[0].isupper() or first[0].isdigit()
    before = question[max(0, start - _LOOK_BACK) : start].rstrip(" \t")
    opens = not before or before[-1] in _OPENERS
    shouted = len(first) > 1 and first.isupper()
    owns = _POSSESSIVE.match(question, end) is not None
    sure = capital and (len(run) > 1 or shouted or owns or not opens)
    return Mention(text=text, key=key, start=start, end=end, words=len(run), capital=capital, sure=sure)


def _chinese(question: str) -> Iterator[Mention]:
    """Yield the pieces of each run of ideographs, the longest first."""
    runs = list(_HAN.finditer(question))
    longest = min(_LONGEST_HAN, max((len(run[0]) for run in runs), default=0))
    for size in range(longest, 1, -1):
        for run in runs:
            for at in range(len(run[0]) - size + 1):
                start = run.start() + at
                text = question[start : start + size]
                yield Mention(
                    text=text,
                    key=text,
                    start=start,
                    end=start + size,
                    words=size,
                    capital=True,
                    sure=text not in GENERIC,
                )
