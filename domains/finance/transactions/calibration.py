"""From raw scores to probabilities that mean what they say, and two figures that tell how well they do.

Isotonic regression (Zadrozny and Elkan 2002, KDD): the non-decreasing step function that fits the labels of the
calibration month best in squares; kept as its corner points and read by linear interpolation between them. Fitted
with scikit-learn, used with nothing but these points, which are stored as JSON.

    brier  mean (p - y)²                         Brier 1950, Monthly Weather Review 78(1)
    ece    Σ_bins n_b/n · |mean p - mean y|      over `BINS` bins of equal numbers of transactions, Naeini et al.
    2015, AAAI

Shapes: n transactions, K corners. Raw scores are log-odds.

Not covered: a probability is floored at `FLOOR` and capped at 1 - `FLOOR`: no number of legitimate transactions
proves that fraud is impossible.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from domains.finance.transactions.errors import RiskModelUnusable
from domains.finance.transactions.windows import Floats

__all__ = ["BINS", "FLOOR", "Calibration", "brier", "ece"]

BINS: Final = 10
FLOOR: Final = 1e-5


@dataclass(frozen=True, slots=True)
class Calibration:
    """A non-decreasing map from raw scores to probabilities: its corners, (K,) each."""

    raw: tuple[float, ...]
    probability: tuple[float, ...]

    @classmethod
    def fit(cls, raw: Floats, labels: NDArray[np.int64], *, weights: Floats | None = None) -> Self:
        """Fit to the raw scores (n,) and labels (n,) of one month.

        Raises:
            RiskModelUnusable: there are no transactions of one of the two kinds.
        """
        from sklearn.isotonic import IsotonicRegression  # heavy, and needed where models are fitted alone

        if len(raw) == 0 or labels.min() == labels.max():
            raise RiskModelUnusable(
                "The calibration month has no fraud, or nothing but fraud.", remedy="Give a month that has both."
            )
        fitted = IsotonicRegression(y_min=FLOOR, y_max=1 - FLOOR).fit(raw, labels, sample_weight=weights)
        return cls(tuple(map(float, fitted.X_thresholds_)), tuple(map(float, fitted.y_thresholds_)))

    @classmethod
    def of(cls, data: object) -> Self:
        """Read from what `as_json` gave.

        Raises:
            RiskModelUnusable: it is not a non-decreasing map.
        """
        try:
            raw = tuple(float(x) for x in data["raw"])  # type: ignore[index]
            probability = tuple(float(x) for x in data["probability"])  # type: ignore[index]
        except (TypeError, KeyError, ValueError):
            raw, probability = (), ()
        rising = all(a <= b for corners in (raw, probability) for a, b in pairwise(corners))
        if not raw or len(raw) != len(probability) or not rising or not 0 <= probability[0] <= probability[-1] <= 1:
            raise RiskModelUnusable(
                "The calibration cannot be read.", remedy="Restore the model's folder or fit it anew."
            )
        return cls(raw, probability)

    def as_json(self) -> dict[str, list[float]]:
        """Return what `of` reads."""
        return {"raw": list(self.raw), "probability": list(self.probability)}

    def __call__(self, raw: Floats) -> Floats:
        """Return the probability of each raw score, (n,)."""
        return np.interp(raw, self.raw, self.probability)


def brier(probability: Floats, labels: NDArray[np.int64]) -> float:
    """Return the mean squared difference of probabilities and labels."""
    return float(np.mean((probability - labels) ** 2))


def ece(probability: Floats, labels: NDArray[np.int64]) -> float:
    """Return the expected calibration error over bins of equal numbers, ties in the order given."""
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    return float(sum(len(part) * abs(probability[part].mean() - labels[part].mean()) for part in parts) / len(order))
