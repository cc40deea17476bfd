"""How well log odds rank, separate, decide and fit; with intervals from resampled rows.

With s the log odds of a bad loan, p = 1 / (1 + exp(-s)), and R repeats of cross-validation, each giving each row one s:

    AUC       P(s_bad > s_good) + P(s_bad = s_good) / 2, over pairs of a bad and a good row; mean over repeats
    KS        largest distance between the two distributions of s
    Brier     mean (p - bad)^2
    accuracy  share with (p >= 1/2) = bad
    cost      (5 bad taken for good + 1 good taken for bad) / n, at p >= 1/6: the UCI cost matrix, whose least expected
              cost is at 1 / (1 + 5) if p is right

An interval is the 2.5 and 97.5 % points over bootstrap draws of the rows (n drawn with return, the same draws for all
models, so that a difference is paired). It says what other applicants from the same source would do to the figure;
fitted models stay as they are, so it leaves out what another training set would do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "COST_BAD",
    "CUT_OFF",
    "accuracy",
    "auc",
    "brier",
    "cost",
    "draws",
    "interval",
    "ks",
    "pairs",
    "weighted_auc",
]

COST_BAD: Final = 5.0
CUT_OFF: Final = 1 / (1 + COST_BAD)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def pairs(scores: FloatArray, bad: IntArray) -> FloatArray:
    """Return, for each bad and each good row, the share of repeats that rank them rightly: (bad, good).

    `scores` is (R, n). The mean of the result is the mean AUC.
    """
    rows = [_ranked_rightly(row, bad) for row in np.atleast_2d(scores)]
    return np.asarray(np.mean(rows, axis=0), dtype=np.float64)


def auc(scores: FloatArray, bad: IntArray) -> float:
    """Return the area under the ROC curve, mean over the repeats of `scores` (R, n); NaN when a class is empty."""
    if bad.min(initial=1) == 1 or bad.max(initial=0) == 0:
        return float("nan")
    return float(pairs(scores, bad).mean())


def weighted_auc(found: FloatArray, bad: IntArray, counts: IntArray) -> FloatArray:
    """Return the AUC of each bootstrap draw: (draws,). `found` is from `pairs`, `counts` (draws, n) from `draws`."""
    weights = counts.astype(np.float64)
    w_bad, w_good = weights[:, bad == 1], weights[:, bad == 0]
    with np.errstate(invalid="ignore"):  # a draw without one class has no AUC: NaN, left out by `interval`
        return np.asarray(
            np.einsum("db,bg,dg->d", w_bad, found, w_good, optimize=True) / (w_bad.sum(axis=1) * w_good.sum(axis=1)),
            dtype=np.float64,
        )


def draws(n: int, *, seed: int, count: int = 2000) -> IntArray:
    """Return how often each row stands in each bootstrap draw: (draws, n)."""
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=count)


def interval(values: FloatArray) -> tuple[float, float] | None:
    """Return the 95 % interval of bootstrap values, without draws that have none; None when hardly any has."""
    known = values[np.isfinite(values)]
    if known.size < max(values.size // 2, 2):
        return None
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def brier(bad: IntArray) -> Callable[[FloatArray], FloatArray]:
    """Return the loss of each row as a function of p."""
    return lambda p: np.square(p - bad)


def accuracy(bad: IntArray) -> Callable[[FloatArray], FloatArray]:
    """Return whether each row is decided rightly at p = 1/2, as a function of p."""
    return lambda p: ((p >= 0.5) == bad).astype(np.float64)


def cost(bad: IntArray) -> Callable[[FloatArray], FloatArray]:
    """Return the cost of each row at `CUT_OFF`, as a function of p."""
    return lambda p: np.where(p >= CUT_OFF, 1.0 - bad, COST_BAD * bad)


def ks(scores: FloatArray, bad: IntArray) -> float:
    """Return the Kolmogorov-Smirnov distance between bad and good scores of one repeat (n,)."""
    cuts = np.unique(scores)
    below_bad = np.searchsorted(np.sort(scores[bad == 1]), cuts, side="right") / max(int(bad.sum()), 1)
    below_good = np.searchsorted(np.sort(scores[bad == 0]), cuts, side="right") / max(int((1 - bad).sum()), 1)
    return float(np.abs(below_bad - below_good).max())


def _ranked_rightly(scores: FloatArray, bad: IntArray) -> FloatArray:
    ahead = scores[bad == 1][:, None] - scores[bad == 0][None, :]  # (bad, good)
    return np.where(ahead > 0, 1.0, np.where(ahead == 0, 0.5, 0.0))
