"""The figures of a suite: means, how sure one can be of them, and by how much Vouch differs from each rival.

A rival answers the same questions, so the difference is taken question by question: its interval is much narrower than
the two intervals beside each other suggest.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from retrieval.metrics import interval, mean

__all__ = ["Answers", "result"]

_MS: Final = 1000.0


@dataclass(slots=True)
class Answers:
    """What one contender reached: one figure a question for each metric, and the seconds that each question took."""

    figures: dict[str, list[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def add(self, figures: Mapping[str, float], *, seconds: float) -> None:
        """Take over the figures of the next question."""
        for name, value in figures.items():
            self.figures.setdefault(name, []).append(value)
        self.seconds.append(seconds)


def result(
    ours: Answers,
    rivals: Mapping[str, Answers],
    *,
    groups: Sequence[Hashable] | None,
    seed: int,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Return metrics, intervals, rivals and settings as `./vouch eval` writes them.

    Args:
        ours: what Vouch reached.
        rivals: the same questions, answered by others.
        groups: what each question shares with others; intervals are then drawn over groups.
        seed: of the draws.
        settings: what else the figures depend on.
    """
    return {
        **_figures(ours, groups=groups, seed=seed),
        "rivals": {name: _beside(ours, rival, groups=groups, seed=seed) for name, rival in rivals.items()},
        "latency_ms": {name: _latency(one.seconds) for name, one in {"vouch": ours, **rivals}.items()},
        "settings": {"seed": seed, **settings},
    }


def _figures(answers: Answers, *, groups: Sequence[Hashable] | None, seed: int) -> dict[str, Any]:
    return {
        "metrics": {name: mean(values) for name, values in answers.figures.items()},
        "intervals": {
            name: list(interval(values, seed=seed, groups=groups)) for name, values in answers.figures.items()
        },
    }


def _beside(ours: Answers, rival: Answers, *, groups: Sequence[Hashable] | None, seed: int) -> dict[str, Any]:
    gains = {
        name: [mine - theirs for mine, theirs in zip(values, rival.figures[name], strict=True)]
        for name, values in ours.figures.items()
    }
    differences = {
        name: {"mean": mean(gain), "interval": list(interval(gain, seed=seed, groups=groups))}
        for name, gain in gains.items()
    }
    return {**_figures(rival, groups=groups, seed=seed), "differences": differences}


def _latency(seconds: Sequence[float]) -> dict[str, float]:
    middle, slow = np.quantile(np.asarray(seconds), [0.5, 0.99])
    return {"p50": round(float(middle) * _MS, 1), "p99": round(float(slow) * _MS, 1)}
