"""The vector store that outgrows a machine: Milvus behind the same contract, as a cluster or a server of its own.

The permission is evaluated inside Milvus's search (see `_milvus_scope`): each row carries the digests of its label and
its collection, and this store brings them up to date when it is told who may see what now. A row that was added but is
not yet anybody's is kept back until it is, so that it is written once.

What the contract calls a snapshot is on disk elsewhere already: Milvus is durable by itself. So `snapshot` writes a
manifest row that vouches for the rows as they stand (generation of the catalog, model, dimension, count); the first
change after it opens the manifest, which then says no more than whose rows these are. `restore` adopts the rows that a
closed manifest vouches for; `resume` adopts them with an open one too, for whoever compares their ids with the catalog.
Rows are not adopted by themselves: a store is empty until then, and the first change without either begins with none.

Not covered: two processes that write the same collection. The service is the one writer; commands only read.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Sequence
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from retrieval.embedding import TextEmbedder, Vectors
from retrieval.errors import IndexDamaged, StoreUnavailable
from retrieval.stores._milvus_rows import MOST_HITS, MilvusRows
from retrieval.stores._milvus_scope import NOBODY, Place, among, expression, place_of
from retrieval.stores.contract import PassageReader, VectorStore
from retrieval.types import Scope
from retrieval.visibility import RUN, Ids, Run, Visibility, stretches

__all__ = ["MilvusStore"]

_FORMAT: Final = 1
_MOST_WAITING: Final = 50_000
"""Rows that are kept back until somebody may see them: 75 MB at 384 dimensions. More are written as nobody's."""

_NONE: Final = -1  # generation of an open manifest
_NO_ROW: Final = -1
_NO_GROUP: Final = 0


class _Manifest(BaseModel):
    """What is said of the rows beside them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    embedder: str
    dimension: int
    count: int
    generation: int
    owner: str = ""
    open: bool = False


class MilvusStore(VectorStore):
    """Vectors in a collection of Milvus. Safe to share between threads.

    Searches run beside changes. A search during a change of who sees what may give fewer than `k`, never one that is
    hidden: what Milvus found by the older rows is held against the newer permissions once more.

    Args:
        uri: Milvus's address (``http://milvus:19530``), or a file that ends in ``.db`` for Milvus Lite (tests).
        token: ``user:password`` or an API key; empty where Milvus asks for none.
        name: Collection; letters, digits and underscores.
        embedder: Whose vectors these are.
        passages: Where texts are found; the catalog.
        owner: Whose rows these are, if several installations share a Milvus: rows of another owner are never dropped.
        index: ``HNSW``, or ``FLAT`` for exact search in collections that are small.
        timeout_s: Longest wait for one call, in seconds.
    """

    def __init__(
        self,
        uri: str,
        *,
        token: str = "",
        name: str,
        embedder: TextEmbedder,
        passages: PassageReader,
        owner: str = "",
        index: str = "HNSW",
        timeout_s: float = 30.0,
    ) -> None:
        self._rows = MilvusRows(uri, token, name=name, index=index, timeout_s=timeout_s)
        self._owner = owner
        self._changing = threading.RLock()
        self._adopted = False  # whether the collection's rows are this store's
        self._vouched = False  # whether the manifest is closed
        self._placed: dict[int, Run] = {}  # by id // RUN: number of the place that each row carries, or _NO_ROW
        self._places: dict[Place, int] = {NOBODY: _NO_GROUP}
        self._followed: dict[int, Run | None] = {}  # runs of the visibility that `_placed` says already
        self._waiting: dict[int, Vectors] = {}  # rows that are nobody's yet
        self._visibility = Visibility.of(())
        super().__init__(embedder=embedder, passages=passages)

    # who may see what

    @property
    def visibility(self) -> Visibility:  # an attribute to callers; here, setting it writes
        """Who may see what; setting it brings Milvus's rows up to date.

        Raises:
            StoreUnavailable: Milvus could not be told. What it no longer allows is hidden all the same, and setting it
                again goes on where this ended.
        """
        return self._visibility

    @visibility.setter
    def visibility(self, new: Visibility) -> None:
        with self._changing:
            old, self._visibility = self._visibility, new  # first: from here on nothing hidden gets out
            if new.groups[: len(old.groups)] != old.groups:
                self._followed.clear()
            numbers = self._numbers_of(new)
            for at, placed in self._placed.items():
                run = new.run(at)
                if at in self._followed and self._followed[at] is run:
                    continue
                wanted = np.zeros(RUN, dtype=np.int32) if run is None else numbers[run]
                self._move(at, np.flatnonzero((placed != _NO_ROW) & (placed != wanted)), wanted)
                self._followed[at] = run

    def _move(self, at: int, where: Ids, wanted: Run) -> None:
        """Make rows of a run carry what they should. `where`: their places in the run."""
        names = {number: place for place, number in self._places.items()}
        for number in np.unique(wanted[where]).tolist():
            some = where[wanted[where] == number]
            ids = some + at * RUN
            waiting = np.isin(ids, list(self._waiting))
            self._open()
            self._put(ids[waiting].tolist(), names[number])
            self._rows.place(ids[~waiting], names[number])
            self._placed[at][some] = number

    def _put(self, ids: list[int], place: Place) -> None:
        if ids:
            self._rows.put(ids, np.stack([self._waiting[i] for i in ids]), [place] * len(ids))
            for i in ids:
                del self._waiting[i]

    def _numbers_of(self, visibility: Visibility) -> Run:
        """Return our number of a place by the visibility's number of a group."""
        places = [place_of(label, collection) for label, collection in visibility.groups]
        known = [self._places.setdefault(place, len(self._places)) for place in places]
        return np.array([_NO_GROUP, *known], dtype=np.int32)

    # the contract

    def ids(self) -> Ids:
        """Return the ids of all vectors, in no order."""
        with self._changing:
            found = [np.flatnonzero(placed != _NO_ROW) + at * RUN for at, placed in self._placed.items()]
        return np.concatenate([np.empty(0, dtype=np.int64), *found])

    def add(self, ids: Sequence[int] | Ids, vectors: Vectors) -> None:
        """Add unit vectors, (n, dimension), under passage ids; an id that is there already gets the new vector."""
        numbers = np.asarray(ids, dtype=np.int64)
        if vectors.shape != (len(numbers), self._embedder.dimension):
            raise ValueError(f"{len(numbers)} ids need vectors of shape {(len(numbers), self._embedder.dimension)}")
        if not len(numbers):
            return
        _, last = np.unique(numbers[::-1], return_index=True)  # of an id that is given twice the later vector counts
        order = len(numbers) - 1 - last  # ascending ids
        with self._changing:
            self._own()
            self._open()
            table = self._numbers_of(self._visibility)
            names = {number: place for place, number in self._places.items()}
            for at, start, stop in stretches(numbers[order]):
                some = order[start:stop]
                inside = numbers[some] - at * RUN
                run = self._visibility.run(at)
                belongs = np.zeros(len(some), dtype=np.int32) if run is None else table[run[inside]]
                seen = belongs != _NO_GROUP
                if seen.any():
                    self._rows.put(numbers[some[seen]].tolist(), vectors[some[seen]], [names[n] for n in belongs[seen]])
                for i in some[~seen]:
                    self._waiting[int(numbers[i])] = np.array(vectors[i], dtype=np.float32)
                self._run(at)[inside] = belongs
            if len(self._waiting) > _MOST_WAITING:
                self._put(list(self._waiting), NOBODY)

    def remove(self, ids: Sequence[int] | Ids) -> None:
        """Remove vectors; unknown ids are ignored."""
        gone = np.intersect1d(np.asarray(ids, dtype=np.int64), self.ids())
        if not len(gone):
            return
        with self._changing:
            self._open()
            self._rows.remove(gone)
            for at, start, stop in stretches(gone):
                self._placed[at][gone[start:stop] - at * RUN] = _NO_ROW
            for i in gone.tolist():
                self._waiting.pop(i, None)

    def nearest(self, vector: Vectors, k: int, scope: Scope, *, within: Ids | None = None) -> list[tuple[int, float]]:
        """Return up to `k` (passage id, cosine) pairs that the scope may see, best first; at most 16,384."""
        allowed = expression(scope)
        if k <= 0 or allowed is None or not self._placed:
            return []
        query = np.ascontiguousarray(vector, dtype=np.float32)
        if within is None:
            return self._search(query, k, scope, allowed)
        portions = [within[at : at + MOST_HITS] for at in range(0, len(within), MOST_HITS)]
        found = [self._search(query, k, scope, f"{allowed} and {among(some)}") for some in portions]
        return list(heapq.merge(*found, key=lambda hit: -hit[1]))[:k]

    def _search(self, query: Vectors, k: int, scope: Scope, allowed: str) -> list[tuple[int, float]]:
        wanted = min(k, MOST_HITS)
        while True:
            found = self._rows.search(query, wanted, allowed)
            seen = self._visibility.flags(np.array([i for i, _ in found], dtype=np.int64), scope)
            kept = [hit for hit, shown in zip(found, seen, strict=True) if shown]
            if len(kept) >= k or len(found) < wanted or wanted == MOST_HITS:
                return kept[:k]
            wanted = min(4 * wanted, MOST_HITS)  # a change is under way: hidden rows took places

    def clear(self) -> None:
        """Forget all vectors. There is no snapshot apart from them: the next start fills the store from the catalog."""
        with self._changing:
            self._check_owner()
            self._rows.make(self._embedder.dimension)
            self._placed, self._followed, self._waiting = {}, {}, {}
            self._adopted, self._vouched = True, False
            self._write(generation=_NONE, opened=True)

    def snapshot(self, generation: int) -> None:
        """Vouch for the rows as they stand. They are durable already, so nothing is copied."""
        with self._changing:
            self._own()
            self._put(list(self._waiting), NOBODY)
            self._write(generation=generation, opened=False)
            self._vouched = True

    def verify(self) -> int:
        """Hold Milvus's number of rows against the manifest, and return the generation that it was written at."""
        return self._proven().generation

    def restore(self, generation: int) -> None:
        """Adopt the rows that the manifest vouches for, and read what each of them carries."""
        manifest = self._proven()
        if manifest.generation != generation:
            raise _damaged("are of an older or newer catalog")
        with self._changing:
            self._adopt()
            if len(self.ids()) != manifest.count:
                self._placed, self._adopted = {}, False
                raise _damaged("are not as many as their manifest says")
            self._vouched = True

    def resume(self) -> None:
        """Adopt the rows as they are, when they are this model's, whoever ended in the middle of what."""
        manifest = self._stated()
        with self._changing:
            self._adopt()
            self._vouched = not manifest.open

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        self._rows.close()

    # parts

    def _run(self, at: int) -> Run:
        self._followed.pop(at, None)
        if at not in self._placed:
            self._placed[at] = np.full(RUN, _NO_ROW, dtype=np.int32)
        return self._placed[at]

    def _own(self) -> None:
        """Begin with no rows, unless they were adopted."""
        if not self._adopted:
            self.clear()

    def _check_owner(self) -> None:
        """Refuse to drop what is another installation's: two that were given one name would empty each other."""
        text = self._rows.manifest() if self._rows.exists() else None
        try:
            owner = self._owner if text is None else _Manifest.model_validate_json(text).owner
        except ValidationError:  # of no installation that could be told
            return
        if owner != self._owner:
            raise StoreUnavailable(
                "The collection in the vector store is another installation's.",
                remedy="Give this installation a VOUCH_MILVUS_COLLECTION of its own.",
            )

    def _adopt(self) -> None:
        """Take the rows for this store's, and read what each of them carries."""
        self._placed, self._followed, self._waiting = {}, {}, {}
        for i, place in self._rows.read():
            self._run(i // RUN)[i % RUN] = self._places.setdefault(place, len(self._places))
        self._adopted = True

    def _open(self) -> None:
        """Open the manifest before anything changes: a crash in between must not leave one that is wrong."""
        if self._vouched:
            self._write(generation=_NONE, opened=True)
            self._vouched = False

    def _write(self, *, generation: int, opened: bool) -> None:
        manifest = _Manifest(
            format=_FORMAT,
            embedder=self._embedder.identity,
            dimension=self._embedder.dimension,
            count=len(self.ids()),
            generation=generation,
            owner=self._owner,
            open=opened,
        )
        self._rows.vouch(manifest.model_dump_json())

    def _proven(self) -> _Manifest:
        manifest = self._stated()
        if manifest.open:
            raise _damaged("were changed since their manifest was written")
        if self._rows.count() != manifest.count:
            raise _damaged("are not as many as their manifest says")
        return manifest

    def _stated(self) -> _Manifest:
        """Return the manifest, open or not, when it is of rows of this model."""
        text = self._rows.manifest() if self._rows.exists() else None
        if text is None:
            raise _damaged("have no manifest")
        try:
            manifest = _Manifest.model_validate_json(text)
        except ValidationError:
            raise _damaged("have a manifest that cannot be read") from None
        if manifest.format != _FORMAT:
            raise _damaged("were written by another version")
        if manifest.owner != self._owner:
            raise _damaged("are another installation's")
        if (manifest.embedder, manifest.dimension) != (self._embedder.identity, self._embedder.dimension):
            raise _damaged("are of another embedding model")
        return manifest


def _damaged(what: str) -> IndexDamaged:
    return IndexDamaged(
        f"The rows of the vector store {what}.", remedy="Nothing to do: the store is filled anew from the catalog."
    )
