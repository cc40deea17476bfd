"""How likely it is that a text follows from its passage, by how it is put together: logistic regression on `signals`.

Fitted on sentences of summaries that people read against their passages (`python -m app.answering.checking.fit`); what
was fitted, on what and when, and what cross-validation says of it stands in ``entailment.json``. It tells a stitched or
embroidered sentence from a plain one a little better than chance allows, and does not tell a true one from a false one:
figures, negations and what the passage is about are looked at before (`values`, `opposites`, `support`).

Not covered: Chinese, for which there are no read sentences; its claims are not held to `floor`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, Self

from app.answering.checking.signals import SIGNALS, Source, signals
from app.answering.checking.support import sentences

__all__ = ["Entailment", "fitted", "probability"]

_FILE: Final = "entailment.json"


@dataclass(frozen=True, slots=True)
class Entailment:
    """Coefficients for some of the signals.

    Attributes:
        features: Names of the signals.
        centre: What is taken off each.
        spread: What each is divided by after that; above 0.
        weights: What each then counts for, in nats.
        bias: What is added.
        faithful_from: Log-odds from which a text of several sentences counts as following from its source.
        floor: Log-odds below which a claim is struck out; None: none is.
    """

    features: tuple[str, ...]
    centre: tuple[float, ...]
    spread: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    faithful_from: float
    floor: float | None = None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """Read what `fit` wrote.

        Raises:
            ValueError: it is of signals that this version does not compute, or its rows differ in length.
        """
        names = tuple(body["features"])
        centre, spread, weights = (
            tuple(float(value) for value in body[key]) for key in ("centre", "spread", "weights")
        )
        if not set(names) <= set(SIGNALS) or any(len(row) != len(names) for row in (centre, spread, weights)):
            raise ValueError(f"{_FILE} was fitted on other signals: run app/answering/checking/fit.py again")
        floor = body.get("floor")
        return cls(
            names,
            centre,
            spread,
            weights,
            bias=float(body["bias"]),
            faithful_from=float(body["faithful_from"]),
            floor=None if floor is None else float(floor),
        )

    def log_odds(self, text: str, source: Source) -> float:
        """Return the log-odds, in nats, that one claim follows from its source."""
        return self.weighed(signals(text, source))

    def of_all(self, text: str, source: Source) -> float:
        """Return the mean log-odds of a text's sentences; 0 of a text that has none."""
        parts = sentences(text)
        return sum(self.log_odds(part, source) for part in parts) / len(parts) if parts else 0.0

    def weighed(self, values: Sequence[float]) -> float:
        """Return the log-odds of signals in the order of `SIGNALS`."""
        known = dict(zip(SIGNALS, values, strict=True))
        rows = zip(self.features, self.centre, self.spread, self.weights, strict=True)
        return self.bias + sum(weight * (known[name] - centre) / spread for name, centre, spread, weight in rows)

    def falls_short(self, odds: float) -> bool:
        """Say whether a claim with these log-odds is struck out."""
        return self.floor is not None and odds < self.floor


def probability(odds: float) -> float:
    """Return the probability that log-odds stand for."""
    return 1.0 / (1.0 + math.exp(-odds)) if odds >= 0 else math.exp(odds) / (1.0 + math.exp(odds))


@cache
def fitted() -> Entailment:
    """Return the coefficients that are shipped."""
    return Entailment.of(json.loads(files(__package__).joinpath(_FILE).read_text(encoding="utf-8")))
