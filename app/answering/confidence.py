"""How sure one can be that a checked draft answers its question: one number from its signals.

A logistic regression over `signals`, fitted on questions with passages that answer them and with passages that do not
(`calibration`). Its coefficients are in ``confidence.json`` beside this file, with the sets, the date and what
cross-validation said of it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from app.answering.signals import NAMES, Signals

__all__ = ["Confidence"]

_SHIPPED: Final = Path(__file__).with_name("confidence.json")


@dataclass(frozen=True, slots=True)
class Confidence:
    """The fitted weights.

    Attributes:
        version: Recorded with each answer.
        weights: By name of the signal, on the signal as it comes.
        means: What a signal counts as that could not be read: its mean over the fitted drafts.
        bias: What is added.
    """

    version: str
    weights: Mapping[str, float]
    means: Mapping[str, float]
    bias: float

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Confidence:
        """Read the content of a file.

        Raises:
            ValueError: it weighs other signals than there are.
        """
        for part in ("weights", "means"):
            if set(body[part]) != set(NAMES):
                raise ValueError(f"its {part} are of {sorted(body[part])}; these signals are read: {sorted(NAMES)}")
        return cls(
            str(body["version"]),
            {name: float(body["weights"][name]) for name in NAMES},
            {name: float(body["means"][name]) for name in NAMES},
            float(body["bias"]),
        )

    @classmethod
    def shipped(cls) -> Confidence:
        """Return the weights that come with Vouch."""
        return _shipped()

    def __call__(self, signals: Signals) -> float:
        """Return the probability, 0 to 1, that the shown claims answer the question."""
        read = {name: value for name, value in zip(NAMES, signals.values(), strict=True) if value is not None}
        odds = self.bias + sum(weight * read.get(name, self.means[name]) for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, odds))))


@cache
def _shipped() -> Confidence:
    return Confidence.of(json.loads(_SHIPPED.read_text("utf-8")))
