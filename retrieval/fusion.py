"""Several rankings into one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["reciprocal_rank_fusion"]

_K: Final = 60
"""The constant of the paper; it keeps the first places of one list from outweighing agreement between lists."""


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
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
