"""A threshold whose risk is bounded: of what is shown above it, at most so many are wrong, at a stated confidence.

Given calibration points (a confidence each, and whether the answer was wrong), `chosen` tests thresholds from the
strictest to the laxest. At each, the wrong ones among those shown are binomial given how many are shown, so the
Clopper-Pearson limit bounds their rate. It stops at the first threshold whose limit is above the target: testing in a
fixed order and stopping at the first failure keeps the probability of any false promise at 1 - confidence, without a
correction for how many thresholds were tested.

Sources: Angelopoulos, Bates, Candès, Jordan and Lei, "Learn then test: calibrating predictive algorithms to achieve
risk control" (2021), fixed-sequence testing; Bates et al., "Distribution-free, risk-controlling prediction sets"
(2021), the upper confidence bound; Angelopoulos et al., "Conformal risk control" (2022), whose bound holds for the
mean over calibration sets and not for the one at hand; Clopper and Pearson (1934).

What it promises holds for data like the calibration set and for nothing else. The order of thresholds must not come
from the calibration points; `grid` is fixed, and where the test starts comes from other data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["GRID", "Bound", "at", "chosen", "upper_bound"]

GRID: Final = tuple(round(0.95 - 0.05 * step, 2) for step in range(19))
"""Thresholds that are tested, the strictest first: 0.95 down to 0.05."""

_STEPS: Final = 60


@dataclass(frozen=True, slots=True)
class Bound:
    """What is known of a threshold.

    Attributes:
        threshold: Least confidence of what is shown.
        n: Calibration points in all.
        shown: Those at or above the threshold.
        wrong: Those of them that are wrong.
        bound: Upper confidence limit of the rate of wrong ones among those shown; 1 when nothing is shown.
    """

    threshold: float
    n: int
    shown: int
    wrong: int
    bound: float


def upper_bound(wrong: int, shown: int, *, confidence: float) -> float:
    """Return the one-sided Clopper-Pearson upper limit of a rate.

    The largest rate under which so few wrong ones, or fewer, come with a probability of at least 1 - confidence.

    Raises:
        ValueError: more are wrong than shown, or the confidence is not between 0 and 1.
    """
    if not 0 <= wrong <= shown or not 0 < confidence < 1:
        raise ValueError("give 0 <= wrong <= shown and 0 < confidence < 1")
    if shown == wrong:
        return 1.0
    low, high = wrong / shown, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _at_most(wrong, shown, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def at(points: Sequence[tuple[float, bool]], threshold: float, *, confidence: float) -> Bound:
    """Return what calibration points (confidence, wrong) say of one threshold that was fixed before."""
    shown = [wrong for sure, wrong in points if sure >= threshold]
    return Bound(
        threshold, len(points), len(shown), sum(shown), upper_bound(sum(shown), len(shown), confidence=confidence)
    )


def chosen(
    points: Sequence[tuple[float, bool]],
    *,
    target: float,
    confidence: float,
    start: float,
    grid: Sequence[float] = GRID,
) -> Bound | None:
    """Return the laxest threshold whose risk is bounded by the target, or None when there is none.

    Args:
        points: Confidence and whether wrong, of each calibration item.
        target: Highest rate of wrong ones among those shown.
        confidence: That the bound holds, over draws of the calibration set.
        start: Strictest threshold that is tested. At stricter ones too few are shown to prove anything, and the test
            would stop there. Must come from other data.
        grid: Thresholds, the strictest first.
    """
    found: Bound | None = None
    for threshold in grid:
        if threshold > start:
            continue
        tested = at(points, threshold, confidence=confidence)
        if tested.bound > target:
            break
        found = tested
    return found


def _at_most(wrong: int, shown: int, rate: float) -> float:
    """Return the probability of at most so many wrong ones among those shown (binomial)."""
    if rate <= 0:
        return 1.0
    if rate >= 1:
        return 0.0
    log, log_not = math.log(rate), math.log1p(-rate)
    return math.fsum(
        math.exp(_log_choose(shown, count) + count * log + (shown - count) * log_not) for count in range(wrong + 1)
    )


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
