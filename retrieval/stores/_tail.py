"""The newest vectors, in memory: where a change goes, without touching what is already sealed into segments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from retrieval.embedding import Vectors
from retrieval.stores._rows import DTYPES, MemoryRows, products
from retrieval.stores._segment import NOTHING, Hits, Segment, best
from retrieval.types import Scope
from retrieval.visibility import Flags, Ids, Visibility

__all__ = ["Tail"]

_ROOM: Final = 64


@dataclass(frozen=True)
class Tail:
    """Rows in the order in which they came. What readers hold is never changed: writers append behind its end.

    Two tails may share their arrays; only the newest may be appended to.
    """

    _ids: Ids  # (room,)
    _vectors: Vectors  # (room, D)
    alive: Flags  # (count,)

    @classmethod
    def empty(cls, dimension: int) -> Tail:
        """Build a tail without rows."""
        room = np.empty((_ROOM, dimension), dtype=DTYPES["f4"])
        return cls(np.empty(_ROOM, dtype=np.int64), room, np.empty(0, dtype=np.bool_))

    @property
    def count(self) -> int:
        """Rows, removed ones included."""
        return len(self.alive)

    @property
    def ids(self) -> Ids:
        """The ids that were not removed."""
        return self._ids[: self.count][self.alive]

    def added(self, ids: Ids, vectors: Vectors) -> Tail:
        """Return the tail with more rows; none of the ids may be alive in it."""
        start, stop = self.count, self.count + len(ids)
        room, rows = self._ids, self._vectors
        if stop > len(room):
            room = np.empty(2 * stop, dtype=room.dtype)
            rows = np.empty((2 * stop, rows.shape[1]), dtype=rows.dtype)
            room[:start], rows[:start] = self._ids[:start], self._vectors[:start]
        room[start:stop], rows[start:stop] = ids, vectors
        return Tail(room, rows, np.r_[self.alive, np.ones(len(ids), dtype=np.bool_)])

    def without(self, ids: Ids) -> Tail:
        """Return the tail after these ids were removed; itself when it has none of them."""
        gone = np.isin(self._ids[: self.count], ids) & self.alive
        return Tail(self._ids, self._vectors, self.alive & ~gone) if gone.any() else self

    def search(self, query: Vectors, k: int, visibility: Visibility, scope: Scope, within: Ids | None) -> Hits:
        """Return up to `k` of the nearest rows that the scope may see, exactly."""
        if not self.count:
            return NOTHING
        ids = self._ids[: self.count]
        seen = visibility.flags(ids, scope) & self.alive
        if within is not None:
            seen &= np.isin(ids, within)
        return best(ids[seen], products(self._vectors[: self.count], query)[seen], k)

    def sealed(self, name: str) -> Segment:
        """Return the living rows as a segment in memory."""
        ids = self.ids
        order = np.argsort(ids)
        rows = np.ascontiguousarray(self._vectors[: self.count][self.alive][order])
        return Segment.fresh(name, ids[order], MemoryRows(rows))
