"""A suite's result: a figure an item for each metric, what that comes to, and how sure one can be of it.

The figures of each item are kept (``items``), so that two results on the same items can be compared pair by pair
(`./vouch eval compare`), which sees far smaller differences than two intervals side by side.
"""

from __future__ import annotations

import random
import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from retrieval.metrics import interval, mean

__all__ = ["INTERVALS", "Row", "drawn", "result"]

INTERVALS: Final = "95 %, percentile bootstrap over items, or over groups of items that share a document"
_PLACES: Final = 4

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one item.

    Attributes:
        id: The item's own.
        figures: Its share of each metric: 1 or 0, or a score. A metric that does not apply to the item is left out.
        group: What it shares with others (a document, a conversation): groups are drawn whole. None: nothing.
        told: What else a reader of the result wants to see: reply, claims, seconds. Plain JSON.
    """

    id: str
    figures: Mapping[str, float]
    group: Hashable | None = None
    told: Mapping[str, Any] = field(default_factory=dict)


def drawn(items: Sequence[Item], *, limit: int | None, seed: int) -> list[Item]:
    """Return all items, or `limit` of them drawn with the seed, in the order of the set."""
    if limit is None or limit >= len(items):
        return list(items)
    chosen = random.Random(seed).sample(range(len(items)), limit)  # noqa: S311 - a sample, not a secret
    return [items[place] for place in sorted(chosen)]


def result(
    suite: str,
    data: str,
    rows: Sequence[Row],
    *,
    started: float,
    seed: int,
    settings: Mapping[str, Any],
    metrics: Mapping[str, float] | None = None,
    edges: Mapping[str, Sequence[float]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return what `./vouch eval` writes.

    Args:
        suite: Its name.
        data: Name of the folder.
        rows: What came of each item.
        started: `time.monotonic` at the beginning.
        seed: Of the draw and of the intervals.
        settings: What else the figures depend on.
        metrics: Figures that are no means of items (a macro-F1), beside those that are.
        edges: Intervals of those figures, where the suite has them.
        more: Further keys, such as ``naive`` or ``risk_coverage``.
    """
    names = list(dict.fromkeys(name for row in rows for name in row.figures))
    means: dict[str, float] = {}
    intervals: dict[str, list[float]] = {}
    counts: dict[str, int] = {}
    for name in names:
        having = [row for row in rows if name in row.figures]
        values = [row.figures[name] for row in having]
        groups = [row.id if row.group is None else row.group for row in having]
        means[name] = round(mean(values), _PLACES)
        intervals[name] = [round(edge, _PLACES) for edge in interval(values, seed=seed, groups=groups)]
        counts[name] = len(values)
    return {
        "suite": suite,
        "data": data,
        "n": len(rows),
        "metrics": means | {name: round(value, _PLACES) for name, value in (metrics or {}).items()},
        "intervals": intervals
        | {name: [round(edge, _PLACES) for edge in pair] for name, pair in (edges or {}).items()},
        "intervals_are": INTERVALS,
        "counts": counts,
        "settings": {"seed": seed, **settings},
        **more,
        "items": [_item(row) for row in rows],
        "seconds": round(time.monotonic() - started, 1),
    }


def _item(row: Row) -> dict[str, Any]:
    group = {} if row.group is None else {"group": str(row.group)}
    return {"id": row.id, **group, "figures": dict(row.figures), **row.told}
