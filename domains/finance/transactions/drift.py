"""Whether today's transactions still look like those that the model was fitted on: the population stability index.

    PSI = Σ_b (a_b - e_b) · ln(a_b / e_b)

over bins b, with e the share of the training transactions in the bin and a the share of the recent ones; shares below
`LEAST` are read as `LEAST`, so that an empty bin counts much and not infinitely. The bins are the deciles of
training, and one for "does not apply". Usual reading (Siddiqi 2006, Credit Risk Scorecards, p. 136): below 0.1 no
change to speak of, up to 0.25 some, above it a shift to look into.

Shapes: n transactions, F features and the score behind them, D = 9 inner edges, so D + 2 = 11 bins.

Not covered: PSI grows with noise when n is small, about (bins - 1)/n for the same population (Yurdakul 2018): below
`ENOUGH` transactions no reading is given. It says that something moved, not why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from domains.finance.transactions.errors import RiskModelUnusable
from domains.finance.transactions.windows import Floats

__all__ = ["ENOUGH", "LEAST", "MODERATE", "STRONG", "Baseline", "psi", "reading"]

MODERATE: Final = 0.1
STRONG: Final = 0.25
ENOUGH: Final = 500
LEAST: Final = 1e-4


def psi(expected: Floats, actual: Floats) -> Floats:
    """Return the index of each row, from shares (..., bins) that add up to 1."""
    e, a = np.maximum(expected, LEAST), np.maximum(actual, LEAST)
    result: Floats = ((a - e) * np.log(a / e)).sum(axis=-1)
    return result


def reading(index: float) -> str:
    """Return how an index is usually read: "stable", "moderate" or "shifted"."""
    return "stable" if index < MODERATE else "moderate" if index < STRONG else "shifted"


@dataclass(frozen=True, slots=True)
class Baseline:
    """How features and score were distributed in training.

    `edges` is (F + 1, D), rising in each row; a value belongs to the first bin whose edge is not below it. `shares` is
    (F + 1, D + 2), the last bin for "does not apply". The last row is of the score.
    """

    edges: Floats
    shares: Floats

    @classmethod
    def fit(cls, values: Floats) -> Self:
        """Take the deciles of training values, (n, F + 1)."""
        probabilities = np.arange(1, 10) / 10
        edges = np.zeros((values.shape[1], 9))
        for column in range(values.shape[1]):
            known = values[:, column][~np.isnan(values[:, column])]
            if len(known):
                edges[column] = np.quantile(known, probabilities, method="higher")
        edges = _rounded(edges)
        return cls(edges, _rounded(_shares(edges, values)))

    @classmethod
    def of(cls, data: Any) -> Self:
        """Read from what `as_json` gave.

        Raises:
            RiskModelUnusable: it is not that.
        """
        try:
            edges, shares = np.array(data["edges"], dtype=np.float64), np.array(data["shares"], dtype=np.float64)
        except (TypeError, KeyError, ValueError):
            edges = shares = np.zeros(0)
        if edges.ndim != 2 or shares.shape != (edges.shape[0], edges.shape[1] + 2):
            raise RiskModelUnusable("drift.json cannot be read.", remedy="Restore the model's folder or fit it anew.")
        return cls(edges, shares)

    def as_json(self) -> dict[str, Any]:
        """Return what `of` reads."""
        return {"edges": self.edges.tolist(), "shares": self.shares.tolist()}

    def compare(self, values: Floats) -> Floats:
        """Return the index of each feature and of the score, (F + 1,), for recent values (n, F + 1)."""
        return psi(self.shares, _shares(self.edges, values))


def _shares(edges: Floats, values: Floats) -> Floats:
    columns, inner = edges.shape
    shares = np.zeros((columns, inner + 2))
    for column in range(columns):
        known = values[:, column][~np.isnan(values[:, column])]
        places = np.searchsorted(edges[column], known, side="left")
        shares[column, : inner + 1] = np.bincount(places, minlength=inner + 1)
        shares[column, inner + 1] = len(values) - len(known)
    return shares / max(len(values), 1)


def _rounded(values: Floats) -> Floats:
    return np.array([float(f"{value:.6g}") for value in values.ravel()]).reshape(values.shape)
