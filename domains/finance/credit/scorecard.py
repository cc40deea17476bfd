r"""The scorecard: a logistic regression on weights of evidence, written as points that anybody can add up.

    ln(good : bad) = a + sum_j c_j WOE_j(x)                          maximum likelihood with an L2 penalty on c
    factor = PDO / ln 2        offset = S0 - factor ln O0
    points of bin i of characteristic j = round( factor (c_j WOE_ij + a / J) + offset / J )
    score  = sum_j points

At S0 points the odds are O0 : 1, and they double every PDO points (N. Siddiqi, Credit Risk Scorecards, 2006, ch. 6).
The decision uses the score as shown: the probability that is given is that of the points after rounding, so that
whoever adds up the points by hand gets what the machine used.

A characteristic whose coefficient comes out negative would take points from the better bin; it is left out and the rest
fitted anew, as is the custom. The bins' weights and the coefficients are fitted on the same loans; cross-validation
(`evaluate`) does both anew inside every fold.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domains.finance.credit.applications import Applications
from domains.finance.credit.binning import Bins, fit_bins, woe_matrix
from domains.finance.credit.characteristics import CHARACTERISTICS
from domains.finance.models import ModelAltered

__all__ = ["PENALTY", "PSEUDO", "Scale", "Scorecard", "Scored", "fit_scorecard"]

PSEUDO: Final = 15.0  # pseudo-applicants a bin; chosen with PENALTY, see docs/log.md
PENALTY: Final = 0.3  # C of scikit-learn: the inverse weight of the L2 term

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scale:
    """How odds become points: at `points` they are `odds` : 1 for good, and they double every `double` points."""

    points: float = 600.0
    odds: float = 20.0
    double: float = 40.0

    @property
    def factor(self) -> float:
        """Points a unit of log odds."""
        return self.double / math.log(2)

    @property
    def offset(self) -> float:
        """Points at even odds."""
        return self.points - self.factor * math.log(self.odds)

    def probability_bad(self, points: float) -> float:
        """Return the probability that a loan with this score goes bad."""
        return 1.0 / (1.0 + math.exp((points - self.offset) / self.factor))


@dataclass(frozen=True, slots=True)
class Scored:
    """One applicant's score: points by characteristic, their sum, the probability of a bad loan, what was not seen."""

    points: Mapping[str, int]
    score: int
    probability_bad: float
    unseen: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scorecard:
    """A fitted scorecard. `coefficients` holds those characteristics that stayed in; `means` their mean points."""

    intercept: float
    coefficients: Mapping[str, float]
    bins: Mapping[str, Bins]
    scale: Scale
    means: Mapping[str, float]

    def points(self, name: str, woe: float) -> int:
        """Return the points of one weight of evidence of one characteristic."""
        count = len(self.coefficients)
        part = self.coefficients[name] * woe + self.intercept / count
        return round(self.scale.factor * part + self.scale.offset / count)

    def score(self, applicant: Mapping[str, float | str]) -> Scored:
        """Score one applicant, whose fields `applications.read_field` has read."""
        points, unseen = {}, []
        for name in self.coefficients:
            place = self.bins[name].find(applicant[name])
            points[name] = self.points(name, 0.0 if place is None else self.bins[name].bins[place].woe)
            if place is None:
                unseen.append(name)
        total = sum(points.values())
        return Scored(points, total, self.scale.probability_bad(total), tuple(unseen))

    def log_odds_bad(self, data: Applications) -> FloatArray:
        """Return the log odds of a bad loan of a table, before rounding: (n,)."""
        weights = woe_matrix(self.bins, data)  # (n, J)
        coefficients = np.array(
            [self.coefficients[item.name] for item in CHARACTERISTICS if item.name in self.bins]
        )  # (J,)
        return np.asarray(-(self.intercept + weights @ coefficients), dtype=np.float64)

    def encoded(self) -> bytes:
        """Return the scorecard as JSON; the same scorecard gives the same bytes."""
        said = {
            "intercept": self.intercept,
            "coefficients": dict(self.coefficients),
            "bins": [self.bins[name].plain() for name in self.coefficients],
            "scale": {"points": self.scale.points, "odds": self.scale.odds, "double": self.scale.double},
            "means": dict(self.means),
            "table": self.table(),
        }
        return json.dumps(said, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False).encode() + b"\n"

    def table(self) -> dict[str, dict[str, int]]:
        """Return the card as it is printed: points by characteristic and bin."""
        return {
            name: {item.label: self.points(name, item.woe) for item in self.bins[name].bins}
            for name in self.coefficients
        }

    @classmethod
    def decoded(cls, data: bytes) -> Scorecard:
        """Return the scorecard that `encoded` wrote.

        Raises:
            ModelAltered: it is none.
        """
        try:
            said: dict[str, Any] = json.loads(data)
            bins = {item["name"]: Bins.from_plain(item) for item in said["bins"]}
            coefficients = {name: float(said["coefficients"][name]) for name in bins}  # in the order of the bins
            scale = Scale(**{key: float(value) for key, value in said["scale"].items()})
            means = {name: float(said["means"][name]) for name in coefficients}
            card = cls(
                float(said["intercept"]), coefficients, {name: bins[name] for name in coefficients}, scale, means
            )
            card.table()
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            OverflowError,
            ZeroDivisionError,
            RecursionError,
        ) as error:
            raise ModelAltered("The scorecard cannot be read.", remedy="Fit the scorecard again.") from error
        return card


def fit_scorecard(data: Applications, *, scale: Scale | None = None) -> Scorecard:
    """Fit a scorecard on a table that has good and bad loans; the same table gives the same scorecard."""
    from sklearn.linear_model import LogisticRegression  # heavy, and needed where a scorecard is fitted alone

    bins = fit_bins(data, pseudo=PSEUDO)
    weights = woe_matrix(bins, data)  # (n, J)
    kept = list(range(len(CHARACTERISTICS)))
    while True:
        model = LogisticRegression(C=PENALTY, max_iter=1000).fit(weights[:, kept], 1 - data.bad)
        worst = int(model.coef_[0].argmin())
        if model.coef_[0][worst] >= 0 or len(kept) == 1:
            break
        kept.pop(worst)
    names = [CHARACTERISTICS[place].name for place in kept]
    coefficients = {name: float(value) for name, value in zip(names, model.coef_[0], strict=True)}
    plain = Scorecard(
        float(model.intercept_[0]), coefficients, {name: bins[name] for name in names}, scale or Scale(), {}
    )
    means = {
        name: float(np.mean([plain.points(name, woe) for woe in weights[:, place]]))
        for name, place in zip(names, kept, strict=True)
    }
    return Scorecard(plain.intercept, plain.coefficients, plain.bins, plain.scale, means)
