"""The transactions scored last, as the drift report needs them: a ring in memory.

Not covered: it is empty after a restart and fills again; the report says how many transactions it rests on.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from domains.finance.transactions.drift import ENOUGH, Baseline, reading
from domains.finance.transactions.features import FEATURES, NAMES
from domains.finance.transactions.windows import Floats

__all__ = ["KEPT", "Comparison", "Recent"]

KEPT: Final = 4_096
"""Transactions: 17 MB, and a sampling error of the index of about 10/4096 = 0.002."""

_SHOWN: Final = 20


class Comparison:
    """What champion and challenger said of the same transactions."""

    __slots__ = ("both", "challenger_only", "champion_only", "correlation", "neither")

    def __init__(self, champion: Floats, challenger: Floats, *, review_from: float) -> None:
        ours, theirs = champion >= review_from, challenger >= review_from
        self.both = int(np.sum(ours & theirs))
        self.champion_only = int(np.sum(ours & ~theirs))
        self.challenger_only = int(np.sum(~ours & theirs))
        self.neither = int(np.sum(~ours & ~theirs))
        vary = len(champion) > 1 and champion.std() > 0 and challenger.std() > 0
        self.correlation = float(np.corrcoef(champion, challenger)[0, 1]) if vary else None


class Recent:
    """A ring of the last `KEPT` scored transactions."""

    def __init__(self) -> None:
        self._values = np.zeros((KEPT, len(FEATURES) + 1), dtype=np.float32)
        self._probabilities = np.zeros((KEPT, 2))
        self.count = 0
        """How many were added since the start."""

    def add(self, features: Floats, raw: Floats, probability: Floats, challenger: Floats) -> None:
        """Add scored transactions, (n, F) and (n,)."""
        features, raw = features[-KEPT:], raw[-KEPT:]
        places = (self.count + np.arange(len(raw))) % KEPT
        self._values[places, :-1] = features
        self._values[places, -1] = raw
        self._probabilities[places, 0] = probability[-KEPT:]
        self._probabilities[places, 1] = challenger[-KEPT:]
        self.count += len(raw)

    def __len__(self) -> int:
        return min(self.count, KEPT)

    def drift(self, baseline: Baseline) -> tuple[float, str, list[tuple[str, float, str]]]:
        """Return the index of the score, its reading, and the features that moved most, each with its reading."""
        index = baseline.compare(self._values[: len(self)].astype(np.float64))
        enough = len(self) >= ENOUGH
        order = np.argsort(-index[:-1], kind="stable")[:_SHOWN]
        said = [(NAMES[place], float(index[place]), reading(index[place]) if enough else "too few") for place in order]
        return float(index[-1]), reading(index[-1]) if enough else "too few", said

    def compare(self, *, review_from: float) -> Comparison:
        """Compare champion and challenger."""
        kept = self._probabilities[: len(self)]
        return Comparison(kept[:, 0], kept[:, 1], review_from=review_from)
