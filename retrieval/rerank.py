"""A second look at the best candidates, with what their texts say and what their document is called.

BM25 counts a word in the document's name once among many: of all passages on a disease, it puts the one that repeats
the name most often first. Here a word that the name holds is matched in full, whatever the text repeats, so that the
rest of the question decides between the passages of one document. A word that the names of all candidates hold tells
none from another and counts by the text alone: inside one contract its name is worth nothing. To this come pairs of
neighbouring words of the query that stand side by side in the passage.

The matching is BM25F: Robertson, Zaragoza and Taylor, "Simple BM25 Extension to Multiple Weighted Fields" (CIKM 2004).

Not covered: synonyms, which are left to the embedding model; the order of words beyond pairs.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from retrieval.context import in_context
from retrieval.fusion import Weights
from retrieval.lexical import searched_terms, tokenize
from retrieval.types import Passage

__all__ = ["Reranker", "rescored", "share_of"]

_K1: Final = 0.9
_B: Final = 0.4
_NAME: Final = 8.0
"""What a word in the document's name counts in occurrences. Fitted on MedQuAD's DEV half, where 8 to 50 are about as
good; on SciFact's anything from 1 to 8 is."""

Rarity = Callable[[Sequence[str]], Sequence[float]]


class Reranker(Protocol):
    """A model that reads a query and a passage together, for machines that have one."""

    def scores(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """Return one score a text: the higher, the better it answers the query."""
        ...


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A passage as it is matched: counts of its terms, its pairs of neighbouring terms, the terms of its name."""

    counts: Mapping[str, int]
    pairs: frozenset[tuple[str, str]]
    name: frozenset[str]
    size: int


def share_of(query: str, rarity: Rarity) -> float:
    """Return the highest BM25 score that any passage could reach for a query; 0 for a query without terms."""
    return sum(rarity(searched_terms(query)))


def rescored(
    query: str, passages: Sequence[Passage], meaning: Sequence[float], *, rarity: Rarity, weights: Weights
) -> list[float]:
    """Return a new score for each passage, on the scale of `weighted_fusion`.

    Args:
        query: in either language.
        passages: the candidates.
        meaning: the cosine of each; all equal where no model knows the language.
        rarity: the weight of terms by how few passages hold them.
        weights: of words, meaning and phrases.
    """
    if not passages:
        return []
    terms = searched_terms(query)
    rare = dict(zip(terms, rarity(terms), strict=True))
    candidates = [_candidate(passage) for passage in passages]
    matched = _matched(terms, candidates, rare)
    phrases = _phrases(tokenize(query), candidates, rare)
    return [
        weights.words * by_words + weights.meaning * cosine + weights.phrases * by_pairs
        for by_words, cosine, by_pairs in zip(matched, meaning, phrases, strict=True)
    ]


def _candidate(passage: Passage) -> _Candidate:
    text = in_context(passage.text, document="", headings=passage.locator.headings)
    terms = searched_terms(text)
    return _Candidate(
        counts=Counter(terms),
        pairs=frozenset(itertools.pairwise(tokenize(text))),
        name=frozenset(tokenize(in_context("", document=passage.locator.document, headings=()))),
        size=len(terms),
    )


def _matched(terms: Sequence[str], candidates: Sequence[_Candidate], rare: Mapping[str, float]) -> list[float]:
    """Return the share of the query that each candidate matches, from 0 to 1."""
    whole = sum(rare[term] for term in terms)
    if not whole:
        return [0.0] * len(candidates)
    wanted = Counter(terms)
    usual = sum(one.size for one in candidates) / len(candidates) or 1.0
    names = {one.name for one in candidates}
    telling = {term: 1.0 - sum(term in name for name in names) / len(names) for term in wanted}

    def score(one: _Candidate) -> float:
        room = 1.0 - _B + _B * one.size / usual
        total = 0.0
        for term, times in wanted.items():
            count = one.counts.get(term, 0) / room + (_NAME * telling[term] if term in one.name else 0.0)
            total += times * rare[term] * count / (count + _K1)
        return total / whole

    return [score(one) for one in candidates]


def _phrases(terms: Sequence[str], candidates: Sequence[_Candidate], rare: Mapping[str, float]) -> list[float]:
    """Return the share of the query's pairs that each candidate holds; a pair weighs what its commoner word does."""
    weight = {pair: min(rare[pair[0]], rare[pair[1]]) for pair in itertools.pairwise(terms)}
    whole = sum(weight.values())
    if not whole:
        return [0.0] * len(candidates)
    return [sum(weight[pair] for pair in weight.keys() & one.pairs) / whole for one in candidates]
