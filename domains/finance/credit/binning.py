r"""Weight of evidence: how much each bin of a characteristic speaks for a good loan, and how much the whole tells.

With g_i, b_i the good and bad loans in bin i, G, B those of the table, and m pseudo-applicants at the table's own odds
(n = G + B):

    g'_i  = g_i + m G / n                b'_i = b_i + m B / n
    WOE_i = ln( (g'_i / b'_i) / (G / B) )
    IV    = sum_i (g_i / G - b_i / B) WOE_i

m = 0 is the classical form (N. Siddiqi, Credit Risk Scorecards, 2006, ch. 6); m > 0 shrinks a bin of few loans towards
"tells nothing" (0) and keeps every weight finite. A category that was not seen, and a missing figure when none was
missing in the table, weigh 0: neutral.

Numeric fields are cut at quantiles, then neighbouring bins are joined until each holds a least share of the loans and,
where a trend is declared, the bad rate never runs against it (pool adjacent violators).
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domains.finance.credit.applications import Applications
from domains.finance.credit.characteristics import CHARACTERISTICS, MISSING, Characteristic, Trend

__all__ = ["Bin", "Bins", "cut", "fit_bins", "woe_matrix"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin: its label, how many good and bad loans it held, and its weight of evidence."""

    label: str
    good: int
    bad: int
    woe: float


@dataclass(frozen=True, slots=True)
class Bins:
    """The bins of one characteristic.

    `edges` cut a numeric field: bin i holds ``edges[i-1] <= x < edges[i]``, and a bin of missing figures may follow.
    It is empty for a field of categories, whose bins are found by label.
    """

    name: str
    numeric: bool
    edges: tuple[float, ...]
    bins: tuple[Bin, ...]
    iv: float

    def find(self, value: float | str) -> int | None:
        """Return the bin of a value, or None where it has none: not seen, or missing where none was missing."""
        if self.numeric and isinstance(value, float) and not math.isnan(value):
            return bisect.bisect_right(self.edges, value)
        label = MISSING if isinstance(value, float) else value
        return next((place for place, item in enumerate(self.bins) if item.label == label), None)

    def woe(self, value: float | str) -> float:
        """Return the weight of a value; 0 where it has no bin."""
        place = self.find(value)
        return 0.0 if place is None else self.bins[place].woe

    def plain(self) -> dict[str, Any]:
        """Return the bins as JSON takes them; `from_plain` reads it."""
        rows = [{"label": item.label, "good": item.good, "bad": item.bad, "woe": item.woe} for item in self.bins]
        return {"name": self.name, "numeric": self.numeric, "edges": list(self.edges), "bins": rows, "iv": self.iv}

    @classmethod
    def from_plain(cls, said: dict[str, Any]) -> Bins:
        """Return the bins that `plain` gave."""
        bins = tuple(
            Bin(str(row["label"]), int(row["good"]), int(row["bad"]), float(row["woe"])) for row in said["bins"]
        )
        edges = tuple(float(edge) for edge in said["edges"])
        return cls(str(said["name"]), bool(said["numeric"]), edges, bins, float(said["iv"]))


def fit_bins(data: Applications, *, pseudo: float, quantiles: int = 5, least: float = 0.05) -> dict[str, Bins]:
    """Bin every characteristic of a table that has good and bad loans.

    Args:
        data: The loans to fit on.
        pseudo: m of the module's docstring.
        quantiles: Bins of a numeric field before joining.
        least: Share of the loans that a numeric bin must hold.
    """
    return {item.name: _fit(item, data, pseudo=pseudo, quantiles=quantiles, least=least) for item in CHARACTERISTICS}


def woe_matrix(bins: Mapping[str, Bins], data: Applications) -> FloatArray:
    """Return a table's weights of evidence: (n, J), the characteristics with bins in the order of `CHARACTERISTICS`."""
    columns = [_weights(bins[item.name], item, data) for item in CHARACTERISTICS if item.name in bins]
    return np.stack(columns, axis=1)  # (n, J)


def cut(values: FloatArray, bad: IntArray, *, trend: Trend, quantiles: int, least: float) -> tuple[float, ...]:
    """Return the edges of a numeric field; `values` holds no NaN.

    "falling" asks that creditworthiness never rises with the value, so that the bad rate never falls; "rising" the
    reverse; "free" asks nothing.
    """
    if values.size == 0:
        return ()
    shares = np.linspace(0, 1, quantiles + 1)[1:-1]
    edges = [float(edge) for edge in np.unique(np.quantile(values, shares)) if edge > values.min()]
    sign = {"falling": 1, "rising": -1, "free": 0}[trend]
    while edges:
        place = np.searchsorted(np.array(edges), values, side="right")
        count = np.bincount(place, minlength=len(edges) + 1)
        rate = np.bincount(place, weights=bad, minlength=len(edges) + 1) / np.maximum(count, 1)
        small = int(count.argmin())
        if count[small] < max(least * values.size, 1):
            edges.pop(_nearer(rate, small))
            continue
        against = np.flatnonzero(sign * np.diff(rate) < 0)
        if against.size == 0:
            break
        edges.pop(int(against[0]))
    return tuple(edges)


def _weights(bins: Bins, item: Characteristic, data: Applications) -> FloatArray:
    if item.numeric:
        values = data.numbers[item.name]
        weights = np.array([part.woe for part in bins.bins])[
            np.searchsorted(np.array(bins.edges), values, side="right").clip(max=len(bins.bins) - 1)
        ]
        return np.where(np.isnan(values), bins.woe(math.nan), weights)
    found, place = np.unique(data.texts[item.name], return_inverse=True)
    return np.array([bins.woe(str(label)) for label in found], dtype=np.float64)[place]


def _nearer(rate: FloatArray, place: int) -> int:
    """Return the edge to take away so that a bin joins the neighbour whose bad rate is nearer."""
    if place == 0:
        return 0
    if place == len(rate) - 1:
        return place - 1
    return place - 1 if abs(rate[place] - rate[place - 1]) <= abs(rate[place] - rate[place + 1]) else place


def _fit(item: Characteristic, data: Applications, *, pseudo: float, quantiles: int, least: float) -> Bins:
    edges: tuple[float, ...] = ()
    if item.numeric:
        values = data.numbers[item.name]
        known = ~np.isnan(values)
        edges = cut(values[known], data.bad[known], trend=item.trend, quantiles=quantiles, least=least)
        place = np.searchsorted(np.array(edges), values, side="right")
        place[~known] = len(edges) + 1
        labels = [*_spans(edges), *([] if known.all() else [MISSING])]
    else:
        labels, place = _categories(data.texts[item.name])
    bad = np.bincount(place, weights=data.bad, minlength=len(labels)).astype(int)
    good = np.bincount(place, minlength=len(labels)) - bad
    bins, iv = _weigh(labels, good, bad, pseudo=pseudo)
    return Bins(item.name, item.numeric, edges, bins, iv)


def _categories(column: NDArray[np.str_]) -> tuple[list[str], IntArray]:
    found, place = np.unique(column, return_inverse=True)
    return [str(label) for label in found], place


def _weigh(labels: Sequence[str], good: IntArray, bad: IntArray, *, pseudo: float) -> tuple[tuple[Bin, ...], float]:
    goods, bads = int(good.sum()), int(bad.sum())
    total = goods + bads
    rows, iv = [], 0.0
    for label, g, b in zip(labels, good.tolist(), bad.tolist(), strict=True):
        more_good, more_bad = g + pseudo * goods / total, b + pseudo * bads / total
        # without pseudo-applicants an empty half would be infinite; Siddiqi's custom is half a loan
        woe = math.log(max(more_good, 0.5) / max(more_bad, 0.5) * bads / goods) if g + b else 0.0
        rows.append(Bin(label, g, b, woe))
        iv += (g / goods - b / bads) * woe
    return tuple(rows), iv


def _spans(edges: Sequence[float]) -> list[str]:
    if not edges:
        return ["any"]
    shown = [f"{edge:g}" for edge in edges]
    middle = [f"{low} to under {high}" for low, high in itertools.pairwise(shown)]
    return [f"under {shown[0]}", *middle, f"{shown[-1]} and over"]
