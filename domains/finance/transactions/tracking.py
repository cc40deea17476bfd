"""Events go by one after the other; each gets its features from the state before it, then changes the state.

Events that name no entity in common do not see each other, so a run of such events (a wave) is computed at once with
numpy: the features and the state are the same as one by one (a test holds them against each other), at a third of the
time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from domains.finance.transactions.contributions import columns, measures, novelty
from domains.finance.transactions.event import ROLES, Parsed
from domains.finance.transactions.features import FEATURES, compute
from domains.finance.transactions.residents import LAG, Residents
from domains.finance.transactions.state import State
from domains.finance.transactions.stored import Stored
from domains.finance.transactions.windows import Floats, Ints

__all__ = ["CHUNK", "Observed", "Tracker"]

CHUNK: Final = 256
"""Events looked up together: at most 1,792 rows, which must be in memory at once."""

_LEAST_ROWS: Final = 2 * CHUNK * len(ROLES)


@dataclass(frozen=True, slots=True)
class Observed:
    """Features (n, F) of n events, and their novelty as one bit a role."""

    features: Floats
    novel: list[int]


class Tracker:
    """The state that events go by.

    Args:
        store: Where rows come from.
        rows: How many are in memory; at least 3,584.
        lag: Events after which a changed row is written, see `residents.LAG`.
    """

    def __init__(self, store: Stored, *, rows: int, lag: int = LAG) -> None:
        self.state = State(max(rows, _LEAST_ROWS))
        self.residents = Residents(self.state, store, lag=lag)

    def observe(self, events: Sequence[Parsed], *, first: int) -> Observed:
        """Let events go by.

        Args:
            events: In the order of acceptance.
            first: The number of the first; the others follow.
        """
        features = np.empty((len(events), len(FEATURES)))
        novel = np.empty((len(events), len(ROLES)))
        for start in range(0, len(events), CHUNK):
            self._observe(events[start : start + CHUNK], first + start, features[start:], novel[start:])
        return Observed(features, [int(bits) for bits in novel @ (1 << np.arange(len(ROLES)))])

    def _observe(self, events: Sequence[Parsed], first: int, features: Floats, novel: Floats) -> None:
        listed = self.residents.rows_of([event.keys for event in events])
        rows = np.array(listed, dtype=np.int64)
        whole = columns(events)
        for wave in _waves(listed):
            part, here = whole.at(wave), rows[wave]
            life = self.state.life[here]
            features[wave] = compute(part, self.state.windows(here, part.seconds), life)
            novel[wave] = novelty(life[:, :, 2], part.named)
            seq = np.arange(first + wave.start, first + wave.stop)
            self.state.fold(here, part.seconds, measures(part, novel[wave]), part.amount, part.bits, seq)
        for place, row in enumerate(listed):
            self.residents.touched(row, first + place)

    def replay(self, events: Sequence[Parsed], seqs: Sequence[int], novel: Sequence[int]) -> None:
        """Add accepted events to those rows that lack them; no features are computed."""
        for start in range(0, len(events), CHUNK):
            part = slice(start, start + CHUNK)
            self._replay(events[part], seqs[part], novel[part])

    def _replay(self, events: Sequence[Parsed], seqs: Sequence[int], novel: Sequence[int]) -> None:
        listed = self.residents.rows_of([event.keys for event in events])
        rows, numbers = np.array(listed, dtype=np.int64), np.array(seqs, dtype=np.int64)
        whole = columns(events)
        was = ((np.array(novel, dtype=np.int64)[:, None] >> np.arange(len(ROLES))) & 1).astype(np.float64)  # (n, E)
        added = measures(whole, was)
        for wave in _waves(listed):
            part: Ints = rows[wave]
            self.state.fold(part, whole.seconds[wave], added[wave], whole.amount[wave], whole.bits[wave], numbers[wave])
        for row, seq in zip(listed, seqs, strict=True):
            self.residents.touched(row, seq)


def _waves(rows: Sequence[Sequence[int]]) -> Iterator[slice]:
    """Cut events into runs in which no row but 0 occurs twice."""
    start = 0
    taken: set[int] = set()
    for place, row in enumerate(rows):
        if not taken.isdisjoint(row):
            yield slice(start, place)
            start, taken = place, set()
        taken.update(row)
        taken.discard(0)
    if start < len(rows):
        yield slice(start, len(rows))
