"""How much of a text another text holds, by its informative terms.

The terms are those of the lexical index: English stems and Chinese character bigrams. A term weighs by its length,
since long words carry more than short ones and no corpus is at hand whose frequencies could say more; a term with a
figure in it weighs most.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from retrieval.language import CJK
from retrieval.lexical import tokenize
from retrieval.sentences import split_sentences
from retrieval.types import Evidence

__all__ = ["WINDOW", "around", "best_window", "coverage", "in_full", "informative", "sentences"]

WINDOW: Final = 3
"""Sentences that a claim may be spread over in its passage."""

_LEAST_STEM: Final = 4
"""Letters from which a word that another begins with counts as a form of it."""

_LONGEST: Final = 8
_BIGRAM: Final = 4.0
_FIGURE: Final = 6.0
_CHINESE_FILLERS: Final = frozenset("的了是在这那和与及或也都就而于之其该此着过被把将等个吗呢吧么什哪谁怎几请问有为以")
_FILLER_STEMS: Final = """
    about accord after also ani answer base befor between describ document dure explain give includ inform list mani
    mention more most much over passag pleas provid question refer state tell than under use
"""
_ENGLISH_FILLERS: Final = frozenset(_FILLER_STEMS.split())


def informative(text: str) -> dict[str, float]:
    """Return the terms of a text that say something, with their weights."""
    return {term: weight for term in tokenize(text) if (weight := _weight(term)) > 0}


def _weight(term: str) -> float:
    if CJK.match(term):
        fillers = sum(mark in _CHINESE_FILLERS for mark in term)
        return 0.0 if fillers == len(term) else _BIGRAM / (1 + fillers)
    if any(mark.isdigit() for mark in term):
        return _FIGURE
    return 0.0 if term in _ENGLISH_FILLERS else float(min(len(term), _LONGEST))


def coverage(terms: Mapping[str, float], sources: Iterable[str]) -> float:
    """Return the share, by weight, of the terms that the sources together hold; 0 when there are no terms."""
    held = _held(terms, [term for source in sources for term in tokenize(source)])
    total = sum(terms.values())
    return sum(terms[term] for term in held) / total if total else 0.0


def _held(terms: Iterable[str], source: Iterable[str]) -> frozenset[str]:
    """Return the terms that a source holds, as such or as another form of the word (director, directed)."""
    exact = frozenset(source)
    words = [word for word in exact if len(word) >= _LEAST_STEM and word.isascii() and word.isalpha()]
    return frozenset(
        term
        for term in terms
        if term in exact
        or (
            len(term) >= _LEAST_STEM
            and term.isascii()
            and term.isalpha()
            and any(word.startswith(term) or term.startswith(word) for word in words)
        )
    )


def in_full(item: Evidence) -> str:
    """Return a piece of evidence with what stands over it and dates it: its document's name and its headings."""
    return "\n".join((around(item), item.text))


def around(item: Evidence) -> str:
    """Return what stands over a piece of evidence: its document's name and its headings."""
    return " / ".join((item.locator.document, *item.locator.headings))


def sentences(text: str) -> list[str]:
    """Return the sentences of a text without the blanks around them."""
    return [part for start, end in split_sentences(text) if (part := text[start:end].strip())]


def best_window(terms: Mapping[str, float], parts: Sequence[str], *, size: int = WINDOW) -> tuple[str, ...]:
    """Return the fewest neighbouring sentences, up to `size`, that hold most of the terms."""
    held = [_held(terms, tokenize(part)) for part in parts]
    best: tuple[float, int, int] = (-1.0, 0, 0)
    for width in range(1, size + 1):
        for start in range(max(0, len(parts) - width) + 1 if width <= len(parts) else 0):
            union = frozenset[str]().union(*held[start : start + width])
            weight = sum(terms[term] for term in union)
            if weight > best[0] + 1e-9:
                best = (weight, start, start + width)
    return tuple(parts[best[1] : best[2]])
