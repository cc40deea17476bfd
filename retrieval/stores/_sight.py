"""What a scope sees of one segment, remembered and brought up to date run by run.

Working it out for ten million rows costs tens of milliseconds, which no query should pay. What was worked out stays as
long as the runs of `Visibility` and of living rows that it came from are the same objects: a change replaces the runs
that it touches, so the comparison is a few hundred identities and the work that follows is that of the change. A
revocation replaces runs as well, and so holds from the next call on.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import faiss
import numpy as np

from retrieval.stores._clusters import Numbers
from retrieval.stores._codes import Counts
from retrieval.stores._rows import Where
from retrieval.types import Scope
from retrieval.visibility import RUN, Flags, Ids, Run, Visibility, stretches

__all__ = ["Alive", "Sight", "Sights", "bitmap", "everything_alive"]

_faiss: Any = faiss
_KEPT_BYTES: Final = 256 << 20  # a segment: 16 scopes of ten million rows
_KEPT_AT_MOST: Final = 256

Alive = tuple[Flags, ...]
"""One array a stretch of ids (see `stretches`): false where a row was removed. Replaced, never changed."""


@dataclass(frozen=True)
class Sight:
    """The rows of a segment that a scope may see."""

    flags: Flags  # (n,)
    count: int
    in_cells: Counts | None  # (C,): how many of each cell; None for a segment without cells

    @cached_property
    def rows(self) -> Where:
        """The numbers of the rows, ascending."""
        return np.flatnonzero(self.flags)

    @cached_property
    def selector(self) -> Any:
        """FAISS's bitmap of the rows; None where all may be seen."""
        return None if self.count == len(self.flags) else bitmap(self.flags)


class Sights:
    """The sights of the scopes that used a segment lately. Safe to share between threads."""

    def __init__(self, ids: Ids, cells: Numbers | None, sizes: Counts | None) -> None:
        """Remember nothing yet.

        Args:
            ids: of the segment's rows, ascending.
            cells: the cell of each row.
            sizes: rows in each cell.
        """
        self._ids, self._cells, self._sizes = ids, cells, sizes
        self._stretches = tuple(stretches(ids))
        self._lock = threading.Lock()
        self._kept: OrderedDict[object, _Kept] = OrderedDict()
        self._most = max(2, min(_KEPT_AT_MOST, _KEPT_BYTES // max(1, len(ids))))

    def of(self, visibility: Visibility, scope: Scope, alive: Alive) -> Sight:
        """Return what the scope sees of these living rows."""
        key = (scope.labels, scope.collections)
        with self._lock:
            kept = self._kept.get(key)
        if kept is None or kept.visibility is not visibility or kept.alive is not alive:
            kept = self._renewed(kept, visibility, scope, alive)
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return kept.sight

    def _renewed(self, kept: _Kept | None, visibility: Visibility, scope: Scope, alive: Alive) -> _Kept:
        runs = tuple(visibility.run(at) for at, _, _ in self._stretches)
        old = kept.sight if kept else self._blind()
        granted = visibility.granted(scope)
        changes: list[tuple[int, int, Flags]] = []
        for number, (at, start, stop) in enumerate(self._stretches):
            run = runs[number]
            if kept and kept.runs[number] is run and kept.alive[number] is alive[number]:
                continue
            if run is None:
                seen = np.zeros(stop - start, dtype=np.bool_)
            else:
                seen = granted[run[self._ids[start:stop] - at * RUN]] & alive[number]
            if not np.array_equal(seen, old.flags[start:stop]):
                changes.append((start, stop, seen))
        return _Kept(visibility, runs, alive, self._changed(old, changes) if changes else old)

    def _changed(self, old: Sight, changes: list[tuple[int, int, Flags]]) -> Sight:
        flags, count = old.flags.copy(), old.count
        in_cells = None if old.in_cells is None else old.in_cells.copy()
        for start, stop, seen in changes:
            before = flags[start:stop]
            count += int(seen.sum()) - int(before.sum())
            if in_cells is not None and self._cells is not None:
                cells = self._cells[start:stop]
                in_cells += np.bincount(cells[seen], minlength=len(in_cells))
                in_cells -= np.bincount(cells[before], minlength=len(in_cells))
            flags[start:stop] = seen
        return Sight(flags, count, in_cells)

    def _blind(self) -> Sight:
        nothing = None if self._sizes is None else np.zeros_like(self._sizes)
        return Sight(np.zeros(len(self._ids), dtype=np.bool_), 0, nothing)


@dataclass(frozen=True, slots=True)
class _Kept:
    visibility: Visibility
    runs: tuple[Run | None, ...]
    alive: Alive
    sight: Sight


def bitmap(flags: Flags) -> Any:
    """Return FAISS's selector of the rows that are flagged; it reads one bit a row."""
    return _faiss.IDSelectorBitmap(np.packbits(flags, bitorder="little"))


def everything_alive(ids: Ids) -> Alive:
    """Return flags that say of all rows with these ascending ids that they are there."""
    return tuple(np.ones(stop - start, dtype=np.bool_) for _, start, stop in stretches(ids))
