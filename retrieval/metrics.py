"""How good a ranking is, and how sure one can be of it."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Sequence
from typing import Final

import numpy as np

__all__ = ["hit_at", "interval", "mean", "ndcg_at", "recall_at"]

_DRAWS: Final = 2000
_LEVEL: Final = 0.95


def ndcg_at(k: int, ranking: Sequence[str], relevant: Collection[str]) -> float:
    """Return the normalized discounted cumulative gain of the first `k` places, with binary relevance.

    The gain of a relevant item at rank r is 1 / log2(r + 1), divided by the best sum that any order could have. 0 when
    nothing is relevant. Source: Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (2002).
    """
    ideal = sum(_discount(rank) for rank in range(1, min(k, len(set(relevant))) + 1))
    gained = sum(_discount(rank) for rank, item in enumerate(ranking[:k], start=1) if item in relevant)
    return gained / ideal if ideal else 0.0


def recall_at(k: int, ranking: Sequence[str], relevant: Collection[str]) -> float:
    """Return the share of the relevant items that are among the first `k`; 0 when nothing is relevant."""
    wanted = set(relevant)
    return len(wanted & set(ranking[:k])) / len(wanted) if wanted else 0.0


def hit_at(k: int, ranking: Sequence[str], relevant: Collection[str]) -> float:
    """Return 1.0 when any of the first `k` is relevant, else 0.0."""
    return float(not set(ranking[:k]).isdisjoint(relevant))


def mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean; 0 of nothing."""
    return float(np.mean(values)) if values else 0.0


def interval(values: Sequence[float], *, seed: int, groups: Sequence[Hashable] | None = None) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the mean, over 2,000 draws of all items with replacement.

    Args:
        values: one figure an item.
        seed: of the draws.
        groups: what each item shares with others, such as the contract that it asks about. Whole groups are drawn then:
            items of one group are alike, and drawing them one by one would make the interval too narrow.
    """
    if not values:
        return (0.0, 0.0)
    rng = np.random.default_rng(seed)
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))} if groups else None
    of = np.arange(len(values)) if groups is None or numbers is None else np.array([numbers[one] for one in groups])
    sums, sizes = np.bincount(of, weights=np.asarray(values, dtype=np.float64)), np.bincount(of)  # (G,) each
    means = np.empty(_DRAWS)
    for draw in range(_DRAWS):
        drawn = rng.integers(0, len(sums), len(sums))
        means[draw] = sums[drawn].sum() / sizes[drawn].sum()
    low, high = np.quantile(means, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return (float(low), float(high))


def _discount(rank: int) -> float:
    return 1.0 / math.log2(rank + 1)
