"""Two results on the same items: which differences are more than the luck of the draw.

Items are compared pair by pair: the difference of each item's figure, and the 95 % percentile bootstrap interval of the
mean difference, over items or over groups of items that share a document. An interval without zero is a significant
difference. Pairs see far smaller differences than two intervals side by side, since what makes an item hard is the same
in both. Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.

Not covered: several metrics at once (of twenty that do not differ one is expected to look as if it did), and figures
that are no means of items, such as a macro-F1: those are listed as not compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from app.answering.evaluation.results import Result
from app.errors import BadRequest
from retrieval.metrics import interval, mean

__all__ = ["compared", "in_words"]

_PLACES: Final = 4
_NAMED: Final = 3
"""Ids that a refusal names."""


def compared(before: Result, after: Result, *, seed: int = 0) -> dict[str, Any]:
    """Compare two results.

    Returns:
        ``suite``, ``n``, and for each metric of the items ``before``, ``after``, ``difference``, ``interval``, ``n``
        and ``significant``; ``not_compared`` names the other metrics.

    Raises:
        BadRequest: they are of different suites or items, or keep no figures an item.
    """
    _must_match(before, after)
    names = dict.fromkeys(name for item in before.items.values() for name in item.figures)
    found: dict[str, Any] = {}
    for name in names:
        pairs = [
            (one.figures[name], other.figures[name], one.group)
            for id_, one in before.items.items()
            if name in one.figures and name in (other := after.items[id_]).figures
        ]
        if not pairs:
            continue
        differences = [second - first for first, second, _ in pairs]
        low, high = interval(differences, seed=seed, groups=[group for *_, group in pairs])
        found[name] = {
            "before": round(mean([first for first, *_ in pairs]), _PLACES),
            "after": round(mean([second for _, second, _ in pairs]), _PLACES),
            "difference": round(mean(differences), _PLACES),
            "interval": [round(low, _PLACES), round(high, _PLACES)],
            "n": len(pairs),
            "significant": low > 0 or high < 0,
        }
    others = sorted((before.metrics.keys() & after.metrics.keys()) - found.keys())
    return {"suite": before.suite, "n": len(before.items), "metrics": found, "not_compared": others}


def in_words(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a person reads of a comparison, line by line."""
    yield f"{found['suite']}, {found['n']} items, B against A; 95 % paired bootstrap"
    for name, one in found["metrics"].items():
        low, high = one["interval"]
        said = "significant" if one["significant"] else "not significant"
        yield (
            f"  {name}: {one['before']:.4f} -> {one['after']:.4f}, difference {one['difference']:+.4f}"
            f" [{low:+.4f}, {high:+.4f}], n {one['n']}: {said}"
        )
    if found["not_compared"]:
        yield f"  not compared, since they are no means of items: {', '.join(found['not_compared'])}"


def _must_match(before: Result, after: Result) -> None:
    if before.suite != after.suite:
        raise BadRequest(
            f"{before.name} is of the suite {before.suite!r}, {after.name} of {after.suite!r}.",
            remedy="Compare two results of one suite.",
        )
    for one in (before, after):
        if not one.items:
            raise BadRequest(
                f"{one.name} keeps no figures an item, so there are no pairs.",
                remedy="Use a file that `--json` wrote, of a suite whose items have figures.",
            )
    if odd := sorted(before.items.keys() ^ after.items.keys()):
        raise BadRequest(
            f"{len(odd)} items are in one result only, such as {', '.join(odd[:_NAMED])}.",
            remedy="Run both with the same --data, --limit and --seed.",
        )
    for id_, item in before.items.items():
        if item.group != after.items[id_].group:
            raise BadRequest(
                f"The item {id_} is in another group in each result.", remedy="Run both on the same version of the set."
            )
