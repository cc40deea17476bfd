"""How often what is shown is wrong, when only the surest share of it is shown: the risk-coverage curve.

Items are sorted by the confidence that they were given. At each place the *coverage* is the share of all items that is
answered down to that place, and the *risk* the share of wrong ones among these. The area under the curve (AURC) is the
mean risk over the coverages: a perfect confidence puts all wrong answers last, one that knows nothing gives the risk of
all of them everywhere. Source: Geifman and El-Yaniv, "Selective classification for deep neural networks" (NeurIPS
2017), and for the area "Bias-reduced uncertainty estimation for deep neural classifiers" (ICLR 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

__all__ = ["Point", "area", "curve", "risk_coverage"]

_PLACES: Final = 4
_MOST_POINTS: Final = 200
"""Points that a result keeps of a curve."""


@dataclass(frozen=True, slots=True)
class Point:
    """One item.

    Attributes:
        confidence: The higher, the surer; only the order counts.
        wrong: Whether the answer is wrong. What no answer is right for is wrong whenever it is shown.
        shown: Whether it was shown in fact. One that was not has no answer that could be right or wrong.
    """

    confidence: float
    wrong: bool
    shown: bool = True


def curve(points: Sequence[Point]) -> list[tuple[float, float]]:
    """Return (coverage, risk) for each confidence that a shown item has, the surest first.

    Items of one confidence cannot be told apart and come together. Coverage is the share of all points.
    """
    shown = sorted((point for point in points if point.shown), key=lambda point: -point.confidence)
    found: list[tuple[float, float]] = []
    covered = wrong = 0
    for _, alike in groupby(shown, key=lambda point: point.confidence):
        together = list(alike)
        covered += len(together)
        wrong += sum(point.wrong for point in together)
        found.append((covered / len(points), wrong / covered))
    return found


def area(steps: Sequence[tuple[float, float]]) -> float:
    """Return the mean risk over the coverages that were reached; 0 of no steps."""
    total = before = 0.0
    for covered, risk in steps:
        total += (covered - before) * risk
        before = covered
    return total / before if before else 0.0


def risk_coverage(points: Sequence[Point]) -> dict[str, Any]:
    """Return what a suite's result says of its curve.

    Returns:
        ``n``; ``coverage`` and ``risk`` of all that was shown; ``aurc`` over the coverages that were reached;
        ``points`` as [coverage, risk], thinned out to at most 200.
    """
    steps = curve(points)
    every = max(1, -(-len(steps) // _MOST_POINTS))
    kept = steps[::every]
    if steps and kept[-1] != steps[-1]:
        kept.append(steps[-1])
    covered, risk = steps[-1] if steps else (0.0, 0.0)
    return {
        "n": len(points),
        "coverage": round(covered, _PLACES),
        "risk": round(risk, _PLACES),
        "aurc": round(area(steps), _PLACES),
        "points": [[round(a, _PLACES), round(b, _PLACES)] for a, b in kept],
    }
