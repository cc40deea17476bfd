"""`./vouch eval credit --data DIR`: the contenders on a folder of past applications, in the same folds.

DIR holds ``rows.jsonl`` in the form of `applications`. Every figure comes from out-of-fold log odds (`crossvalidate`):
binning, weights, codes and models are fitted anew inside each fold. ``auc`` is that of the average of scorecard,
boosted trees and forest; ``auc_NAME`` are its rivals in the same folds, ``gain_over_NAME`` its paired difference.

The result carries, beside the form that all suites share, ``fairness``: the served scorecard's and the average's
figures by sex and age group, which no contender saw.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domains.finance.credit import measures
from domains.finance.credit.applications import AGES, FILE, SEXES, Applications, read_applications
from domains.finance.credit.contenders import CONTENDERS, Contender, describe
from domains.finance.credit.crossvalidate import FOLDS, out_of_fold
from domains.finance.credit.fairness import fairness, in_blocks, worst_ratio
from domains.finance.modelcard import FairnessRow

__all__ = ["REPEATS", "by_group", "evaluate", "figures", "warnings"]

REPEATS: Final = 8  # one repeat differs from the next by 0.005 of AUC, which is as much as most models differ
_BEST: Final = "average"

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Pair = tuple[float, float]


def evaluate(
    data: Path,
    *,
    limit: int | None = None,
    seed: int = 0,
    report: Callable[[str], object] = lambda _: None,
    repeats: int = REPEATS,
    contenders: Mapping[str, Contender] = CONTENDERS,
) -> dict[str, Any]:
    """Run the suite.

    Raises:
        ApplicationsRefused: the folder has no such table, a line breaks the form, or there are too few applications.
    """
    start = time.monotonic()
    rows = read_applications(data / FILE)
    if limit is not None and limit < len(rows):
        rows = rows.take(np.sort(np.random.default_rng(seed).choice(len(rows), size=limit, replace=False)))
    report(f"  {len(rows)} applications, {int(rows.bad.sum())} bad")
    scores = out_of_fold(rows, repeats=repeats, seed=seed, contenders=contenders, report=report)
    counts = measures.draws(len(rows), seed=seed)
    metrics, intervals = _compared(scores, rows.bad, counts)
    groups = {name: by_group(rows, scores[name], counts) for name in ("scorecard", _BEST)}
    for name, found in groups.items():
        for attribute in ("sex", "age"):
            ratio = worst_ratio([row for row in found if row.attribute == attribute])
            if ratio is not None:
                metrics[f"impact_ratio_{attribute}_{name}"] = round(ratio, 4)
    return {
        "suite": "credit",
        "data": str(data),
        "n": len(rows),
        "metrics": metrics,
        "intervals": intervals,
        "settings": {
            "seed": seed,
            "limit": limit,
            "repeats": repeats,
            "folds": FOLDS,
            "digest": rows.digest,
            "cut_off": round(measures.CUT_OFF, 4),
            "intervals": f"95 %, {len(counts)} bootstrap draws of rows of the out-of-fold scores, paired over models",
            "contenders": describe(),
        },
        "warnings": warnings(rows),
        "fairness": {name: [row.model_dump(mode="json") for row in found] for name, found in groups.items()},
        "seconds": round(time.monotonic() - start, 1),
    }


def figures(scores: FloatArray, bad: IntArray, counts: IntArray) -> dict[str, tuple[float, Pair | None]]:
    """Return AUC, KS, Brier score, accuracy and cost of one contender with intervals; `scores` is (R, n)."""
    found = measures.pairs(scores, bad)
    result = {"auc": (float(found.mean()), measures.interval(measures.weighted_auc(found, bad, counts)))}
    result["ks"] = (float(np.mean([measures.ks(row, bad) for row in scores])), None)
    probability = 1 / (1 + np.exp(-scores))
    for name, loss in (("brier", measures.brier), ("accuracy", measures.accuracy), ("cost", measures.cost)):
        each = np.mean([loss(bad)(row) for row in probability], axis=0)  # (n,)
        result[name] = (float(each.mean()), measures.interval(counts @ each / len(bad)))
    return result


def by_group(rows: Applications, scores: FloatArray, counts: IntArray) -> tuple[FairnessRow, ...]:
    """Return the figures by sex and by age group; the probability is the mean over the repeats of `scores` (R, n)."""
    probability = np.mean(1 / (1 + np.exp(-scores)), axis=0)
    shared = {"bad": rows.bad, "probability": probability, "counts": counts}
    return (
        *fairness("sex", rows.protected["sex"], order=SEXES, **shared),
        *fairness("age", rows.protected["age"], order=AGES, **shared),
    )


def warnings(rows: Applications) -> list[str]:
    """Return what makes a figure of this table doubtful."""
    return [
        f"The values of {name} lie in blocks along the table: either it was sorted by them, or they do not belong to "
        f"its rows. Figures by {name} mean nothing in the second case."
        for name, column in sorted(rows.protected.items())
        if in_blocks(column)
    ]


def _compared(
    scores: Mapping[str, FloatArray], bad: IntArray, counts: IntArray
) -> tuple[dict[str, float], dict[str, list[float]]]:
    metrics: dict[str, float] = {}
    intervals: dict[str, list[float]] = {}

    def keep(name: str, value: float, found: Pair | None) -> None:
        metrics[name] = round(value, 4)
        if found is not None:
            intervals[name] = [round(end, 4) for end in found]

    for name in (_BEST, *(key for key in scores if key != _BEST)):
        for figure, (value, found) in figures(scores[name], bad, counts).items():
            keep(figure if name == _BEST else f"{figure}_{name}", value, found)
    best = measures.pairs(scores[_BEST], bad)
    for name in scores:
        if name != _BEST:
            gain = best - measures.pairs(scores[name], bad)
            keep(f"gain_over_{name}", float(gain.mean()), measures.interval(measures.weighted_auc(gain, bad, counts)))
    return metrics, intervals
