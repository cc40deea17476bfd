"""The models that are compared, each fitted on the loans it is given and on nothing else.

Each contender is a function: loans to fit on, loans to judge, seed -> log odds of a bad loan of the latter, (n,). All
that is learnt (bins, weights, codes of categories, scales) is learnt from the loans to fit on, so that cross-validation
over these functions is nested by construction.

- logistic:  standardised figures and one column a category; L2. The plain rival.
- scorecard: `scorecard`, before rounding. What is served.
- lightgbm:  a bag of small gradient-boosted trees (Ke et al., NeurIPS 2017) on figures, grades and categories.
- forest:    a random forest (Breiman 2001) on the same columns.
- average:   the mean of the log odds of scorecard, lightgbm and forest. Three kinds of error, partly undone.

The settings are fixed numbers, chosen once by cross-validation on the shared half of the German credit set
(docs/log.md): a figure on those same loans is therefore a little too good, one on other loans is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from domains.finance.credit.applications import Applications
from domains.finance.credit.characteristics import CHARACTERISTICS
from domains.finance.credit.scorecard import PENALTY, PSEUDO, fit_scorecard

__all__ = ["AVERAGED", "CONTENDERS", "Contender", "describe"]

FloatArray = NDArray[np.float64]
Contender = Callable[[Applications, Applications, int], FloatArray]

AVERAGED: Final = ("scorecard", "lightgbm", "forest")
_LOGISTIC_PENALTY: Final = 0.03
_BAG: Final = 4
_BOOST: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "objective": "binary",
        "num_leaves": 5,
        "learning_rate": 0.025,
        "feature_fraction": 0.2,
        "bagging_fraction": 0.6,
        "bagging_freq": 1,
        "min_data_in_leaf": 8,
        "lambda_l2": 5.0,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }
)
_ROUNDS: Final = 300
_FOREST: Final[Mapping[str, Any]] = MappingProxyType(
    {"n_estimators": 120, "min_samples_leaf": 2, "max_features": 0.1, "n_jobs": 1}
)


def logistic(fit: Applications, judge: Applications, seed: int) -> FloatArray:
    """Log odds of a plain logistic regression."""
    del seed  # it has one optimum
    columns, others = _columns(fit, judge, logs=True)
    centre, spread = columns.mean(axis=0), columns.std(axis=0)
    spread[spread == 0] = 1
    model = LogisticRegression(C=_LOGISTIC_PENALTY, max_iter=1000).fit((columns - centre) / spread, fit.bad)
    return np.asarray(model.decision_function((others - centre) / spread), dtype=np.float64)


def scorecard(fit: Applications, judge: Applications, seed: int) -> FloatArray:
    """Log odds of the scorecard, before its points are rounded."""
    del seed
    return fit_scorecard(fit).log_odds_bad(judge)


def boosted(fit: Applications, judge: Applications, seed: int) -> FloatArray:
    """Mean log odds of a bag of boosted trees."""
    columns, others = _columns(fit, judge, logs=False)
    found = [
        lightgbm.train(
            {**_BOOST, "seed": seed * _BAG + turn}, lightgbm.Dataset(columns, fit.bad), num_boost_round=_ROUNDS
        ).predict(others, raw_score=True)
        for turn in range(_BAG)
    ]
    return np.asarray(np.mean(found, axis=0), dtype=np.float64)


def forest(fit: Applications, judge: Applications, seed: int) -> FloatArray:
    """Log odds of a random forest's share of trees; shares are kept off 0 and 1, where the odds have no logarithm."""
    columns, others = _columns(fit, judge, logs=False)
    model = RandomForestClassifier(**_FOREST, random_state=seed).fit(columns, fit.bad)
    share = np.clip(model.predict_proba(others)[:, 1], 0.01, 0.99)
    return np.asarray(np.log(share / (1 - share)), dtype=np.float64)


CONTENDERS: Final[Mapping[str, Contender]] = MappingProxyType(
    {"logistic": logistic, "scorecard": scorecard, "lightgbm": boosted, "forest": forest}
)
"""Every contender but the average, which is made of the others' log odds."""


def describe() -> dict[str, Any]:
    """Return the settings of all contenders, for the record of an evaluation."""
    return {
        "logistic": {"C": _LOGISTIC_PENALTY},
        "scorecard": {"C": PENALTY, "pseudo_applicants": PSEUDO},
        "lightgbm": {**_BOOST, "rounds": _ROUNDS, "bag": _BAG},
        "forest": dict(_FOREST),
        "average": list(AVERAGED),
    }


def _figures(data: Applications) -> FloatArray:
    """Return the raw figures and the logarithm of the instalment, amount over term: (n, F). NaN stays NaN."""
    raw = [data.numbers[item.name] for item in CHARACTERISTICS if item.numeric]
    amount, term = data.numbers["credit_amount"], data.numbers["duration_in_month"]
    return np.column_stack([*raw, np.log1p(amount / np.maximum(term, 1))])


def _columns(fit: Applications, judge: Applications, *, logs: bool) -> tuple[FloatArray, FloatArray]:
    """Return figures, grades, and one column a category that the loans to fit on have: (n, D) and (m, D).

    A missing figure takes the median of the loans to fit on; a category that is no grade ("unknown") has grade -1,
    which trees can cut off. A linear model (`logs`) gets no grades, and figures as logarithms.
    """
    figures, others = _figures(fit), _figures(judge)
    if logs:
        figures, others = np.log1p(figures), np.log1p(others)
    known = np.where(np.isnan(figures).all(axis=0), 0.0, figures)  # a column without any figure has no median
    middle = np.nanmedian(known, axis=0)
    parts, other_parts = [np.where(np.isnan(figures), middle, figures)], [np.where(np.isnan(others), middle, others)]
    for item in CHARACTERISTICS:
        if not item.numeric:
            found = np.unique(fit.texts[item.name])
            for data, into in ((fit, parts), (judge, other_parts)):
                column = data.texts[item.name]
                into.append((column[:, None] == found).astype(np.float64))
                if item.grades and not logs:
                    into.append(_grade(column, item.grades)[:, None])
    return np.hstack(parts), np.hstack(other_parts)


def _grade(column: NDArray[np.str_], grades: tuple[str, ...]) -> FloatArray:
    places = {label: place for place, label in enumerate(grades)}
    return np.array([places.get(label, -1) for label in column.tolist()], dtype=np.float64)
