"""Several rankings into one: by rank, for rankings whose scores cannot be compared, and by score, for the two that can.

A passage's BM25 score, divided by the highest that any passage could reach for the query, is a share of the query that
it matches; its cosine is on a fixed scale too. Adding the two keeps what ranks throw away: by how much the first is
better than the second, and whether anything is good at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

__all__ = ["WEIGHTS", "Hits", "Weights", "in_order", "reciprocal_rank_fusion", "weighted_fusion", "weights_for"]

Hits = Sequence[tuple[int, float]]
"""(item, score) pairs, best first."""

_K: Final = 60
"""The constant of the paper; it keeps the first places of one list from outweighing agreement between lists."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What each sign of relevance counts. Only their proportions matter.

    `words` is of the share of the query that is matched (0 to 1), `meaning` of the cosine, `phrases` of the share of
    the query's pairs of neighbouring words that stand side by side in the passage.
    """

    words: float
    meaning: float
    phrases: float


WEIGHTS: Final[Mapping[str, Weights]] = MappingProxyType(
    {
        "en": Weights(words=0.4, meaning=0.6, phrases=0.12),
        "zh": Weights(words=0.65, meaning=0.35, phrases=0.1),
    }
)
"""By language of the query.

English: fitted on the 422 training questions of SciFact's DEV half (docs/log.md, 2026-11-24). From 0.3 to 0.5 for words
all is within 0.01; phrases gain from 0.05 on and lose from 0.3 on.

Chinese: the shares of words were fitted on STARD's DEV half with the multilingual model, where 0.6 to 0.7 are as good;
its cosines tell less of relevance, and bigrams more. Phrases were not fitted there.
"""


def weights_for(language: str) -> Weights:
    """Return the weights of a language; those of English for one that is not listed."""
    return WEIGHTS.get(language, WEIGHTS["en"])


def reciprocal_rank_fusion(rankings: Iterable[Sequence[int]]) -> list[tuple[int, float]]:
    """Return (item, score) pairs, best first; an item's score is the sum of 1 / (60 + rank) over the rankings it is in.

    Ranks count from 1. Equal scores are ordered by item, so that the same rankings always give the same result.

    Source: Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
    Methods" (SIGIR 2009).
    """
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, start=1):
            scores[item] = scores.get(item, 0.0) + 1.0 / (_K + rank)
    return in_order(scores)


def weighted_fusion(words: Hits, meaning: Hits, weights: Weights) -> list[tuple[int, float]]:
    """Return (item, score) pairs, best first: the weighted sum of both scores.

    An item that only one list holds gets the last score of the other one: it can be no better there. Where one list is
    empty, because nothing matches or no model knows the language, the other decides alone.

    Args:
        words: shares of the query that are matched, from 0 to 1.
        meaning: cosines.
        weights: of the two.
    """
    scores: dict[int, float] = dict.fromkeys((item for hits in (words, meaning) for item, _ in hits), 0.0)
    for hits, weight in ((words, weights.words), (meaning, weights.meaning)):
        known, least = dict(hits), min((score for _, score in hits), default=0.0)
        for item in scores:
            scores[item] += weight * known.get(item, least)
    return in_order(scores)


def in_order(scores: Mapping[int, float]) -> list[tuple[int, float]]:
    """Return (item, score) pairs, best first, equal scores by item."""
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
