"""A segment: rows that were once written together, and how they are searched. Never changed, only replaced.

Small segments are compared with every row, which is exact. Large ones have `Codes`, which name candidates that are
then ranked by their whole vectors, so that the cosines are exact too and only a neighbour may be missed. A scope that
sees few rows of a large segment is served exactly as well: its rows are read and compared.

A search returns k rows whenever the scope sees k: when the codes bring fewer, more cells are looked into, and in the
end every visible row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from retrieval.embedding import Vectors
from retrieval.stores._codes import Codes
from retrieval.stores._manifest import FileProof
from retrieval.stores._rows import MemoryRows, Rows, Where, products
from retrieval.stores._sight import Alive, Sight, Sights, everything_alive
from retrieval.types import Scope
from retrieval.visibility import Ids, Visibility, stretches

__all__ = ["NOTHING", "Hits", "Segment", "best"]

Hits = tuple[Ids, Vectors]
"""Ids and cosines, best first."""

NOTHING: Final[Hits] = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))

_FEW_IN_MEMORY: Final = (
    6  # the part of `flat_below` up to which visible rows of a coded segment are compared one by one
)
_FEW_IN_FILE: Final = 48  # a thousand scattered rows are a thousand reads
_FEW_OF_FLAT: Final = 8  # the part of its rows up to which those of a segment without codes are picked out
_CANDIDATES: Final = 256  # ranked by whole vectors: product-quantized order is good enough for the best ten among these
_CANDIDATES_A_HIT: Final = 3
_WIDER: Final = (1.0, 8.0, 64.0)


@dataclass(frozen=True)
class Segment:
    """Rows in the order of their ids."""

    name: str
    ids: Ids  # (n,), ascending
    rows: Rows
    codes: Codes | None
    alive: Alive
    flat_below: int = 0  # rows up to which a segment would have no codes
    dead: int = 0
    files: Mapping[str, FileProof] = field(default_factory=dict)  # by ending; empty while it is in memory alone
    sights: Sights = field(init=False, repr=False)
    _sights: Sights | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Begin to remember sights, or go on where the segment that this one replaces left off."""
        codes = self.codes
        sights = self._sights or Sights(self.ids, codes.cells if codes else None, codes.sizes if codes else None)
        object.__setattr__(self, "sights", sights)

    @classmethod
    def fresh(
        cls,
        name: str,
        ids: Ids,
        rows: Rows,
        codes: Codes | None = None,
        *,
        flat_below: int = 0,
        files: Mapping[str, FileProof] | None = None,
    ) -> Segment:
        """Build a segment of which every row is alive."""
        return cls(name, ids, rows, codes, everything_alive(ids), flat_below, files=files or {})

    @property
    def living(self) -> int:
        """Rows that were not removed."""
        return len(self.ids) - self.dead

    def living_ids(self) -> Ids:
        """Return the ids that were not removed, ascending."""
        return self.ids[np.concatenate(self.alive)] if self.dead else self.ids

    def where(self, ids: Ids) -> Where:
        """Return the rows, living or not, of those ids that are here, ascending."""
        at = np.searchsorted(self.ids, ids)
        at[at == len(self.ids)] = 0
        return np.unique(at[self.ids[at] == ids]) if len(self.ids) else at[:0]

    def without(self, ids: Ids) -> Segment:
        """Return the segment after these ids were removed; itself when it has none of them."""
        gone = self.where(ids)
        alive, dead = list(self.alive), self.dead
        for number, (_, start, stop) in enumerate(stretches(self.ids)):
            first, last = np.searchsorted(gone, [start, stop])
            if first < last:
                kept = alive[number].copy()
                kept[gone[first:last] - start] = False
                dead += int(alive[number].sum()) - int(kept.sum())
                alive[number] = kept
        if dead == self.dead:
            return self
        files = {kind: proof for kind, proof in self.files.items() if kind != "dead"}
        return replace(self, alive=tuple(alive), dead=dead, files=files, _sights=self.sights)

    def search(self, query: Vectors, k: int, visibility: Visibility, scope: Scope, within: Ids | None) -> Hits:
        """Return up to `k` of the nearest rows that the scope may see: `k` when it sees `k`."""
        sight = self.sights.of(visibility, scope, self.alive)
        if within is not None:
            sight = self._narrowed(sight, within)
        if not sight.count:
            return NOTHING
        if sight.count <= self._few():
            return self._ranked(query, sight.rows, k)
        if self.codes is None:
            return self._scanned(query, sight, k)
        wanted = max(_CANDIDATES, _CANDIDATES_A_HIT * k)
        for wider in _WIDER:
            rows = self.codes.candidates(query, min(wanted, sight.count), sight.in_cells, sight.selector, wider=wider)
            if len(rows) >= min(k, sight.count):
                return self._ranked(query, np.sort(rows), k)
        return self._scanned(query, sight, k)

    def _few(self) -> int:
        if self.codes is None:
            return len(self.ids) // _FEW_OF_FLAT
        return self.flat_below // (_FEW_IN_MEMORY if isinstance(self.rows, MemoryRows) else _FEW_IN_FILE)

    def _narrowed(self, sight: Sight, within: Ids) -> Sight:
        rows = self.where(within)
        flags = np.zeros_like(sight.flags)
        flags[rows] = sight.flags[rows]
        rows = rows[flags[rows]]
        cells = None if self.codes is None else np.bincount(self.codes.cells[rows], minlength=len(self.codes.sizes))
        return Sight(flags, len(rows), cells)

    def _ranked(self, query: Vectors, rows: Where, k: int) -> Hits:
        return best(self.ids[rows], products(self.rows.take(rows), query), k)

    def _scanned(self, query: Vectors, sight: Sight, k: int) -> Hits:
        found = NOTHING
        for start, vectors in self.rows.blocks():
            seen = sight.flags[start : start + len(vectors)]
            if seen.any():
                ids, cosines = self.ids[start : start + len(vectors)][seen], products(vectors, query)[seen]
                found = best(np.concatenate([found[0], ids]), np.concatenate([found[1], cosines]), k)
        return found


def best(ids: Ids, cosines: Vectors, k: int) -> Hits:
    """Return the `k` hits with the largest cosines, best first; of equals the one with the smaller id."""
    if k < len(ids):
        least = np.partition(cosines, len(cosines) - k)[len(cosines) - k]
        kept = np.flatnonzero(cosines >= least)
        ids, cosines = ids[kept], cosines[kept]
    order = np.lexsort((ids, -cosines))[:k]
    return ids[order], cosines[order]
