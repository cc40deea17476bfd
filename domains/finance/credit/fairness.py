"""How a cut-off treats groups that the score does not know: approvals, errors, ranking and fit, side by side.

For the rows of a group, with p the probability of a bad loan and "approved" p < cut-off (`measures.CUT_OFF`):

    selection_rate   share approved
    tpr              share approved of the loans that were good
    fpr              share approved of the loans that went bad
    auc              ranking within the group
    bad_rate         share that went bad
    calibration      mean p - bad_rate: above 0 the group is thought riskier than it was
    impact_ratio     selection_rate / the highest selection_rate among the attribute's groups of 30 rows and more

An impact ratio under 0.8 is what the four-fifths rule of US employment law (29 CFR 1607.4(D)) takes for evidence of
adverse impact; lenders borrow it as a sign to look, not as a verdict. Equal rates of approval, of error and of fit
cannot all hold where bad rates differ (Chouldechova 2017; Kleinberg et al. 2016), so that all of them are shown.

Intervals are bootstrap intervals over rows (`measures`), the reference group drawn along. A figure whose rows are
missing (a group without a bad loan) says so.

An attribute whose values lie in blocks along the table (`in_blocks`) either was what the table was sorted by, or does
not belong to its rows: a column that was sorted by itself still has the right counts, and says nothing about anybody.
For R runs of equal values among n rows with n_i of value i (Barton and David 1957):

    E R = (n (n + 1) - S2) / n          Var R = (S2 (S2 + n (n + 1)) - 2 n S3 - n^3) / (n^2 (n - 1))
    S2 = sum n_i^2, S3 = sum n_i^3      in blocks: (R - E R) / sqrt(Var R) < -6

Not covered: groups crossed with one another, and attributes that the table does not hold.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from domains.finance.credit import measures
from domains.finance.modelcard import FairnessRow, Metric

__all__ = ["fairness", "in_blocks", "worst_ratio"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
_HOW = "bootstrap of rows"
_LEAST = 30  # rows of a group before its rate can be the measure of others, or its ratio a finding
_FAR = -6.0  # standard deviations: by chance once in a billion tables


def fairness(
    attribute: str,
    groups: NDArray[np.str_],
    *,
    bad: IntArray,
    probability: FloatArray,
    counts: IntArray,
    order: Sequence[str],
    cut_off: float = measures.CUT_OFF,
) -> tuple[FairnessRow, ...]:
    """Return the figures of each group that has rows, in the order given.

    Args:
        attribute: Its name, such as "age".
        groups: Each row's group: (n,).
        bad: 1 where the loan went bad: (n,).
        probability: Of a bad loan, from a model that did not see the row: (n,).
        counts: Bootstrap draws: (draws, n).
        order: Names of the groups.
        cut_off: Approved below it.
    """
    present = [name for name in order if (groups == name).any()]
    approved = (probability < cut_off).astype(np.float64)
    masks = {name: (groups == name).astype(np.float64) for name in present}
    rates = {name: _rate(approved, mask, counts) for name, mask in masks.items()}
    large = [name for name in present if masks[name].sum() >= _LEAST] or present
    best = max(large, key=lambda name: (rates[name][0], -order.index(name)), default=None)
    rows = []
    for name in present:
        mask = masks[name]
        metrics = [
            _metric("selection_rate", *rates[name], why="no rows"),
            _metric("tpr", *_rate(approved, mask * (1 - bad), counts), why="no good loan"),
            _metric("fpr", *_rate(approved, mask * bad, counts), why="no bad loan"),
            _auc(bad, probability, groups == name, counts),
            _metric("bad_rate", *_rate(bad.astype(np.float64), mask, counts), why="no rows"),
            _metric("calibration", *_rate(probability - bad, mask, counts), why="no rows"),
        ]
        if best is not None:
            metrics.append(_ratio(rates[name], rates[best]))
        rows.append(FairnessRow(attribute=attribute, group=name, n=int(mask.sum()), metrics=tuple(metrics)))
    return tuple(rows)


def in_blocks(groups: NDArray[np.str_]) -> bool:
    """Say whether equal values lie together far more than by chance; see the module's docstring."""
    n = groups.size
    _, count = np.unique(groups, return_counts=True)
    if count.size < 2:
        return False
    runs = 1 + int((groups[1:] != groups[:-1]).sum())
    sizes = [int(value) for value in count]  # Python's integers, which do not overflow
    second, third = sum(value**2 for value in sizes), sum(value**3 for value in sizes)
    expected = (n * (n + 1) - second) / n
    variance = (second * (second + n * (n + 1)) - 2 * n * third - n**3) / (n**2 * (n - 1))
    return variance > 0 and bool((runs - expected) / variance**0.5 < _FAR)


def worst_ratio(rows: Sequence[FairnessRow], *, least: int = _LEAST) -> float | None:
    """Return the lowest impact ratio among groups of at least `least` rows, or None without any."""
    found = [
        metric.value
        for row in rows
        for metric in row.metrics
        if metric.name == "impact_ratio" and metric.value is not None and row.n >= least
    ]
    return min(found, default=None)


def _rate(values: FloatArray, mask: FloatArray, counts: IntArray) -> tuple[float, FloatArray]:
    """Return the mean of values over the rows of a mask, and the same in each draw; NaN without rows."""
    with np.errstate(invalid="ignore", divide="ignore"):
        whole = float(np.float64((values * mask).sum()) / np.float64(mask.sum()))
        drawn = (counts @ (values * mask)) / (counts @ mask)
    return whole, drawn


def _metric(name: str, value: float, drawn: FloatArray, *, why: str) -> Metric:
    if not np.isfinite(value):
        return Metric(name=name, value=None, why=why)
    found = measures.interval(drawn)
    if found is None:
        return Metric(name=name, value=value, how="too few rows for an interval")
    return Metric(name=name, value=value, low=found[0], high=found[1], how=_HOW)


def _auc(bad: IntArray, probability: FloatArray, inside: NDArray[np.bool_], counts: IntArray) -> Metric:
    value = measures.auc(probability[inside], bad[inside])
    if not np.isfinite(value):
        return Metric(name="auc", value=None, why="one class only")
    found = measures.pairs(probability[inside], bad[inside])
    return _metric("auc", value, measures.weighted_auc(found, bad[inside], counts[:, inside]), why="one class only")


def _ratio(mine: tuple[float, FloatArray], best: tuple[float, FloatArray]) -> Metric:
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(np.float64(mine[0]) / np.float64(best[0]))
        return _metric("impact_ratio", value, mine[1] / best[1], why="nobody was approved")
