"""Repeated stratified cross-validation: every loan judged, again and again, by models that never saw it.

The folds are made so that each has its share of bad loans, and so that loans with the same fields lie in one fold: a
repeated application would otherwise be judged by a model that was fitted on its copy. Each contender is fitted anew in
each fold on the other folds alone (`contenders`).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domains.finance.credit.applications import Applications
from domains.finance.credit.contenders import AVERAGED, CONTENDERS, Contender
from domains.finance.credit.errors import ApplicationsRefused

__all__ = ["FOLDS", "folds", "out_of_fold"]

FOLDS: Final = 10

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def folds(data: Applications, *, seed: int, count: int = FOLDS) -> IntArray:
    """Return each row's fold: (n,), 0 to count - 1.

    Raises:
        ApplicationsRefused: a class has fewer different applications than there are folds.
    """
    groups: dict[bytes, list[int]] = defaultdict(list)
    for row, key in enumerate(_keys(data)):
        groups[key].append(row)
    members = list(groups.values())
    label = np.array([round(float(data.bad[rows].mean())) for rows in members])
    least = int(min((label == 0).sum(), (label == 1).sum())) if members else 0
    if least < count:
        raise ApplicationsRefused(
            f"There are {int((label == 1).sum())} bad and {int((label == 0).sum())} good different applications.",
            remedy=f"Give at least {count} of each, so that every fold can have both; or use a larger --limit.",
        )
    random = np.random.default_rng(seed)
    place = np.empty(len(data), dtype=np.int64)
    for kind in (1, 0):
        order = random.permutation(np.flatnonzero(label == kind))
        for turn, group in enumerate(order):
            place[members[group]] = turn % count if kind else count - 1 - turn % count
    return place


def out_of_fold(
    data: Applications,
    *,
    repeats: int,
    seed: int,
    contenders: Mapping[str, Contender] = CONTENDERS,
    report: Callable[[str], object] = lambda _: None,
) -> dict[str, FloatArray]:
    """Return the log odds of a bad loan by contender: (repeats, n) each, every value from a model without that row.

    The average is added when its parts were asked for.
    """
    found = {name: np.empty((repeats, len(data)), dtype=np.float64) for name in contenders}
    for turn in range(repeats):
        place = folds(data, seed=seed * 1000 + turn)
        for fold in range(FOLDS):
            judged = np.flatnonzero(place == fold)
            fit, judge = data.take(np.flatnonzero(place != fold)), data.take(judged)
            for name, contender in contenders.items():
                found[name][turn, judged] = contender(fit, judge, turn * FOLDS + fold)
        report(f"  repeat {turn + 1} of {repeats}")
    if set(AVERAGED) <= set(found):
        found["average"] = np.mean([found[name] for name in AVERAGED], axis=0, dtype=np.float64)
    return found


def _keys(data: Applications) -> list[bytes]:
    columns = [*data.numbers.values(), *data.texts.values()]
    return [
        hashlib.sha256(repr(row).encode()).digest()
        for row in zip(*(column.tolist() for column in columns), strict=True)
    ]
