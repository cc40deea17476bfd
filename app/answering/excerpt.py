"""The part of a text that is much too long for a prompt which has most to do with the question.

Documents are cut into passages when they are added; what comes from elsewhere (a tool, a plugin's own searcher) may be
one line of fifty thousand characters. A passage that does not fit is left out whole, since half of one could say the
opposite; when nothing else fits, its best part is better than no answer. Claims are checked against that part alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from app.answering.checking.support import coverage, informative
from retrieval.sentences import split_sentences

__all__ = ["excerpt"]

_MOST_PARTS: Final = 200
"""Parts that are compared; a text of more is looked at from its beginning, so that the work has a bound."""

_SPARE: Final = 0.9
"""Share of the room that a part is cut for, since tokens are not spread evenly over a text."""


def excerpt(text: str, question: str, *, room: int, count: Callable[[str], int]) -> str:
    """Return the part of a text that holds most of a question's terms and fits; "" when none does.

    Args:
        text: Longer than the room.
        question: What it is read for.
        room: Most tokens of the part.
        count: Counts the tokens of a text.
    """
    size = int(len(text) * _SPARE * room / max(1, count(text)))
    if size < 1:
        return ""
    terms = informative(question)
    parts = _parts(text, size)[:_MOST_PARTS]
    best = max(parts, key=lambda part: coverage(terms, [part]), default="")  # the first of those that are alike
    while best and count(best) > room:
        best = best[: int(len(best) * _SPARE)]
    return best.strip()


def _parts(text: str, size: int) -> list[str]:
    """Cut a text into parts of at most `size` characters: between sentences, else between words, else anywhere."""
    ends = [end for _, end in split_sentences(text)]
    parts: list[str] = []
    start, place = 0, 0
    while start < len(text):
        end = min(len(text), start + size)
        while place < len(ends) and ends[place] <= start:
            place += 1
        last = start
        while place < len(ends) and ends[place] <= end:
            last = ends[place]
            place += 1
        if last == start and end < len(text):
            blank = text.rfind(" ", start + 1, end)
            last = blank if blank > start else end
        elif last == start:
            last = end
        parts.append(text[start:last])
        start = last
    return parts
