"""Yes, no or maybe: the model's probabilities together with cues of the findings, by a fitted model.

A multinomial logistic regression over two figures of the model (log-odds of yes over no; maybe against the likelier of
the two) and the cues of `cues`. Each figure x enters as (x - centre) / spread; the score of a polarity is its weights
times these, plus its bias, in nats. The coefficients lie in `polarity.json`, with what they were fitted on and what
cross-validation said of them; `fit` makes the file.

No gain over the model alone is shown yet (docs/log.md), and "maybe" stays hard to tell: the model's odds are about the
same for the questions that experts found open as for those that they answered with yes.

Not covered: other languages than English have no cues, so that for them the model's figures and the biases decide.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, Final, Self

from app.answering.choosing.cues import NAMES, cues

__all__ = ["FEATURES", "Coefficients", "Polarity", "features", "polar", "settled"]

_FILE: Final = "polarity.json"
_BOUND: Final = 4.0
"""Log-odds further out than this are cut: they say "sure" and nothing else."""

FEATURES: Final[tuple[str, ...]] = ("yes_over_no", "maybe_over", *NAMES)
"""Names of the figures, in the order of `features`."""


class Polarity(StrEnum):
    """What an answer to a yes-or-no question says."""

    YES = "yes"
    NO = "no"
    MAYBE = "maybe"


_WORDS: Final[Mapping[str, Polarity]] = {
    **dict.fromkeys(("yes", "true", "是", "是的", "对", "正确"), Polarity.YES),
    **dict.fromkeys(("no", "false", "否", "不是", "不对", "错误"), Polarity.NO),
    **dict.fromkeys(("maybe", "uncertain", "unclear", "不确定", "可能"), Polarity.MAYBE),
}


@dataclass(frozen=True, slots=True)
class Coefficients:
    """A fitted model; `weights` has a row a polarity, in the order of `FEATURES`."""

    centre: tuple[float, ...]
    spread: tuple[float, ...]
    weights: Mapping[Polarity, tuple[float, ...]]
    bias: Mapping[Polarity, float]

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """Read what `fit` wrote.

        Raises:
            ValueError: it is of other figures than this version computes.
        """
        if tuple(body["features"]) != FEATURES:
            raise ValueError(f"{_FILE} was fitted on other figures: run app/answering/choosing/fit.py again")
        return cls(
            tuple(body["centre"]),
            tuple(body["spread"]),
            {Polarity(name): tuple(row) for name, row in body["weights"].items()},
            {Polarity(name): float(value) for name, value in body["bias"].items()},
        )

    def score(self, polarity: Polarity, values: Sequence[float]) -> float:
        """Return the score of a polarity, in nats."""
        scaled = (
            (value - centre) / spread for value, centre, spread in zip(values, self.centre, self.spread, strict=True)
        )
        return self.bias[polarity] + sum(
            weight * value for weight, value in zip(self.weights[polarity], scaled, strict=True)
        )


def polar(choices: Sequence[str]) -> dict[str, Polarity]:
    """Return what each choice says, or nothing unless all are yes, no or maybe in other words, each once."""
    found = {choice: _WORDS[word] for choice in choices if (word := choice.strip().casefold()) in _WORDS}
    return found if len(found) == len(choices) == len(set(found.values())) else {}


def settled(fitted: Mapping[str, Polarity], findings: Sequence[str], scores: Mapping[str, float]) -> dict[str, float]:
    """Return the fitted score of each choice; the model's own where yes or no is not among the choices.

    Args:
        fitted: As `polar` gives it.
        findings: The sentences that the model read.
        scores: What the model said, uncalibrated, in nats.
    """
    said = {polarity: scores[choice] for choice, polarity in fitted.items()}
    if Polarity.YES not in said or Polarity.NO not in said:
        return dict(scores)
    values = features(findings, said)
    model = _coefficients()
    return {choice: model.score(polarity, values) for choice, polarity in fitted.items()}


def features(findings: Sequence[str], said: Mapping[Polarity, float]) -> tuple[float, ...]:
    """Return the figures of one question, one for each of `FEATURES`."""
    yes, no = said[Polarity.YES], said[Polarity.NO]
    odds = _cut(yes - no)
    maybe = _cut(said[Polarity.MAYBE] - max(yes, no)) if Polarity.MAYBE in said else 0.0
    return (odds, maybe, *cues(findings))


def _cut(odds: float) -> float:
    return max(-_BOUND, min(_BOUND, odds))


@cache
def _coefficients() -> Coefficients:
    return Coefficients.of(json.loads(files(__package__).joinpath(_FILE).read_text(encoding="utf-8")))
