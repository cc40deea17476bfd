"""The embedded vector store: exact while it is small, product-quantized cells with exact ranking when it is large.

    vectors          kept as                                                searched
    below 50,000     float32 in memory                                      all of them: exact
    from 50,000      FAISS IVF-PQ codes in memory (104 bytes a vector);     cells near the query by codes, the best of
                     float16 rows in memory while the budget lasts,         them by whole vectors; exact when the scope
                     then in a file of which the rows wanted are read       sees few

Vectors lie in segments that are never changed, and a small tail that is appended to (as in a log-structured merge
tree). A search takes the segments and the tail of one moment and asks no lock, so no writer can hold it up. A change
touches the tail and marks rows as dead; a snapshot writes what is new and a manifest; segments are made into larger
ones, of the next kind, by a thread of its own, while those before them answer.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path
from typing import Final

import numpy as np
import structlog

from retrieval.embedding import TextEmbedder, Vectors
from retrieval.files import storage_full, write_whole
from retrieval.stores._codes import FEWEST
from retrieval.stores._files import load, part_of, with_dead, write
from retrieval.stores._manifest import FORMAT, MANIFEST, Manifest, damaged, opened, proven, signed
from retrieval.stores._merge import merged, to_merge
from retrieval.stores._migration import Migration
from retrieval.stores._rows import MemoryRows
from retrieval.stores._segment import NOTHING, Segment, best
from retrieval.stores._tail import Tail
from retrieval.stores._workshop import Workshop, new_name
from retrieval.stores.contract import PassageReader, VectorStore
from retrieval.types import Scope
from retrieval.visibility import Ids

__all__ = ["FaissStore"]

_FLAT_BELOW: Final = 50_000  # an exact search of so many takes some milliseconds, and misses nothing
_TAIL_ROWS: Final = 8192  # 12 MB of 384 dimensions
_TAIL_AT_MOST: Final = 131_072  # while a large import comes in faster than it is merged
_TAIL_SHARE: Final = 8
_MEMORY: Final = 2 << 30
_HASHERS: Final = 2  # digests are worked out side by side
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_log = structlog.get_logger()


@dataclass(frozen=True)
class _View:
    """All vectors of one moment. An id is alive in one place at most."""

    tail: Tail
    segments: tuple[Segment, ...]

    def ids(self) -> Ids:
        return np.concatenate([self.tail.ids, *(s.living_ids() for s in self.segments)])

    def without(self, ids: Ids) -> _View:
        return _View(self.tail.without(ids), tuple(s.without(ids) for s in self.segments))


class FaissStore(VectorStore):
    """Vectors in segments, with a snapshot in a folder. Safe to share between threads.

    Not covered: see `_manifest` for what its authentication does not tell. A removed vector can no longer be found, but
    its bytes stay in its segment's file until that is merged, at the latest when a quarter of it is dead.
    """

    def __init__(
        self,
        folder: Path,
        *,
        embedder: TextEmbedder,
        passages: PassageReader,
        secret: bytes = b"",
        flat_below: int = _FLAT_BELOW,
        memory_bytes: int = _MEMORY,
        tail_rows: int = _TAIL_ROWS,
    ) -> None:
        """Build an empty store; nothing is read or written yet, and the model need not be there.

        Args:
            folder: of this store alone.
            embedder: whose vectors these are.
            passages: where LangChain's methods find texts.
            secret: the installation's, under which manifests are signed; empty: they tell damage, not forgery.
            flat_below: vectors below which every one is compared, at least `FEWEST`.
            memory_bytes: most bytes of whole vectors held in memory; beyond it they are read from their file.
            tail_rows: newest vectors that are kept apart before they are sealed into a segment.
        """
        super().__init__(embedder=embedder, passages=passages)
        self._secret, self._flat_below = secret, max(flat_below, FEWEST)
        self._memory_bytes, self._tail_rows = memory_bytes, tail_rows
        self._workshop = Workshop(folder)
        self._writing = threading.RLock()
        self._view: _View | None = None  # at the first use, since the model's folder may still be on its way
        self._busy: frozenset[str] = frozenset()  # names of the segments that are being merged
        self._in_bulk = False
        self._migration = Migration(self._migrate)

    # reading: takes the view of the moment, and no lock

    def ids(self) -> Ids:
        """Return the ids of all vectors, in no order."""
        view = self._view
        return NOTHING[0] if view is None else view.ids()

    def nearest(self, vector: Vectors, k: int, scope: Scope, *, within: Ids | None = None) -> list[tuple[int, float]]:
        """Return up to `k` (passage id, cosine) pairs that the scope may see, best first."""
        view, visibility = self._view, self.visibility
        if k <= 0 or view is None:
            return []
        query = np.ascontiguousarray(vector, dtype=np.float32)
        parts = [s.search(query, k, visibility, scope, within) for s in view.segments]
        parts.append(view.tail.search(query, k, visibility, scope, within))
        ids, cosines = best(np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]), k)
        return list(zip(ids.tolist(), cosines.tolist(), strict=True))

    @property
    def kinds(self) -> dict[str, int]:
        """How many vectors are in the tail, in segments that are compared row by row, and in those with codes."""
        view = self._view
        if view is None:
            return {"tail": 0, "flat": 0, "coded": 0}
        coded = sum(segment.living for segment in view.segments if segment.codes)
        return {
            "tail": len(view.tail.ids),
            "flat": sum(segment.living for segment in view.segments) - coded,
            "coded": coded,
        }

    # changing

    def add(self, ids: Sequence[int] | Ids, vectors: Vectors) -> None:
        """Add unit vectors, (n, dimension), under passage ids; an id that is there already gets the new vector."""
        numbers = np.asarray(ids, dtype=np.int64)
        dimension = self._embedder.dimension
        if vectors.shape != (len(numbers), dimension):
            raise ValueError(f"{len(numbers)} ids need vectors of shape {(len(numbers), dimension)}")
        _, last = np.unique(numbers[::-1], return_index=True)  # of an id that is given twice the later vector counts
        kept = np.sort(len(numbers) - 1 - last)
        with self._writing:
            for at in range(0, len(kept), _TAIL_AT_MOST):
                some = kept[at : at + _TAIL_AT_MOST]
                view = self._present().without(numbers[some])
                tail = view.tail.added(numbers[some], np.asarray(vectors[some], dtype=np.float32))
                self._view = replace(view, tail=tail)
                if tail.count >= self._room():
                    self._seal()
                    self._tidy()

    def remove(self, ids: Sequence[int] | Ids) -> None:
        """Remove vectors; unknown ids are ignored."""
        if len(ids):
            with self._writing:
                self._view = self._present().without(np.asarray(ids, dtype=np.int64))

    def clear(self) -> None:
        """Forget all vectors; the snapshot stays."""
        with self._writing:
            self._view = None

    @contextmanager
    def bulk(self) -> Iterator[None]:
        """Merge nothing while much comes in, and all of it once at the end, in the thread that brought it in."""
        self._in_bulk = True
        try:
            yield
        finally:
            self._in_bulk = False
        self.settle()

    def settle(self) -> None:
        """Bring everything into the kind that suits its size, in this thread: somebody waits for it.

        Raises:
            StorageFull: there is no space; what was not merged still answers.
        """
        with self._writing:
            self._seal()
        self._migration.wait()
        try:
            while self._migrate(lambda: None):
                pass
        except OSError as error:
            raise _told(error) from error

    def close(self) -> None:
        """Stop what runs in the background and remove what it left half-made. The store still answers."""
        self._migration.stop()
        self._workshop.close()

    # snapshots

    def snapshot(self, generation: int) -> None:
        """Write what no file holds yet, then the manifest, and remove what it does not list.

        A crash before the manifest is replaced leaves the older snapshot; a crash after it, the newer one.
        """
        with self._writing:
            self._seal()
            self._tidy()
            view = self._present()
            try:
                with self._workshop.alone():
                    segments = tuple(self._published(segment) for segment in view.segments)
                    self._view = replace(view, segments=segments)
                    self._workshop.flush()
                    manifest = Manifest(
                        format=FORMAT,
                        embedder=self._embedder.identity,
                        dimension=self._embedder.dimension,
                        count=sum(segment.living for segment in segments),
                        generation=generation,
                        parts=tuple(part_of(segment) for segment in segments),
                    )
                    data = signed(manifest, self._secret)
                    write_whole(self._workshop.folder / MANIFEST, lambda file: _ignore(file.write(data)))
                    self._workshop.sweep({MANIFEST} | {p.name for s in segments for p in s.files.values()})
            except OSError as error:
                raise _told(error) from error

    def verify(self) -> int:
        """Hold the snapshot's bytes against its manifest and return its generation; FAISS reads nothing."""
        with ExitStack() as stack:
            return self._proven(stack)[0].generation

    def restore(self, generation: int) -> None:
        """Replace the content by the snapshot, once its digests were found right."""
        self._take_over(generation)

    def resume(self) -> None:
        """Replace the content by the snapshot, of whatever generation it is."""
        self._take_over(None)

    def _take_over(self, generation: int | None) -> None:
        with ExitStack() as stack:
            manifest, files = self._proven(stack)
            if generation is not None and manifest.generation != generation:
                raise damaged("was taken of an older or newer catalog")
            budget = _Budget(self._memory_bytes)
            segments = tuple(
                load(part, opened, dimension=manifest.dimension, flat_below=self._flat_below, in_memory=budget.takes)
                for part, opened in zip(manifest.parts, files, strict=True)
            )
        if sum(segment.living for segment in segments) != manifest.count:
            raise damaged("holds something else than its manifest says")
        with self._writing:
            self._view = _View(Tail.empty(manifest.dimension), segments)
            self._tidy()

    def _proven(self, stack: ExitStack) -> tuple[Manifest, list[dict[str, BufferedReader]]]:
        """Return the manifest and, of each part, its files, opened and found right."""
        folder = self._workshop.folder
        manifest = opened(folder, self._secret)
        if manifest.format != FORMAT:
            raise damaged("is of another format")
        if (manifest.embedder, manifest.dimension) != (self._embedder.identity, self._embedder.dimension):
            raise damaged("was made with another embedding model")
        with ThreadPoolExecutor(_HASHERS) as pool:
            parts = [{k: pool.submit(proven, folder, p) for k, p in part.files.items()} for part in manifest.parts]
        done = [future for part in parts for future in part.values()]
        for future in done:
            if future.exception() is None:
                stack.enter_context(future.result())
        return manifest, [{kind: future.result() for kind, future in part.items()} for part in parts]

    def _published(self, segment: Segment) -> Segment:
        """Return a segment whose files all have their lasting names."""
        if not segment.files:
            segment = write(segment, self._workshop.place, dtype=segment.rows.dtype)
        segment = with_dead(segment, self._workshop.place)
        if all([self._workshop.publish(proof.name) for proof in segment.files.values()]):
            return segment
        self._workshop.discard(segment.name)  # another process swept them away: it took a snapshot of its own
        segment = with_dead(write(segment, self._workshop.place, dtype=segment.rows.dtype), self._workshop.place)
        for proof in segment.files.values():
            self._workshop.publish(proof.name)
        return segment

    # growing: all under `_writing`, but for the long part of a migration

    def _present(self) -> _View:
        if self._view is None:
            self._view = _View(Tail.empty(self._embedder.dimension), ())
        return self._view

    def _room(self) -> int:
        return min(_TAIL_AT_MOST, max(self._tail_rows, self._flat() // _TAIL_SHARE))

    def _flat(self) -> int:
        return sum(segment.living for segment in self._present().segments if segment.codes is None)

    def _budget(self) -> _Budget:
        held = (s.rows.array.nbytes for s in self._present().segments if isinstance(s.rows, MemoryRows))
        return _Budget(self._memory_bytes - sum(held))

    def _seal(self) -> None:
        """Make a segment of the tail: in memory while there is room, else in a file, in half the size.

        What comes in in bulk, and will have codes, goes to files at once: memory is wanted for the merge.
        """
        view = self._present()
        segment = view.tail.sealed(new_name())
        large = self._in_bulk and self._flat() + segment.living >= self._flat_below
        if large or not self._budget().takes(segment.rows.count * self._embedder.dimension * 4):
            try:
                segment = write(segment, self._workshop.place, dtype="f2")
            except OSError as error:  # the next snapshot says so to somebody who can do something about it
                self._workshop.discard(segment.name)
                _log.warning("index.not_spilled", reason=type(error).__name__)
        sealed = (segment,) if segment.living else ()
        self._view = _View(Tail.empty(self._embedder.dimension), (*view.segments, *sealed))

    def _due(self) -> list[Segment]:
        """Return the segments to merge next, of those that are not being merged."""
        free = [s for s in self._present().segments if s.name not in self._busy]
        return to_merge(free, flat_below=self._flat_below)

    def _tidy(self) -> None:
        """Merge small segments at once, and have large ones merged in the background."""
        while not self._in_bulk and (due := self._due()):
            if sum(segment.living for segment in due) >= self._flat_below:
                self._migration.start()
                return
            self._exchange(due, self._merged(new_name(), due, pause=lambda: None))

    def _migrate(self, pause: Callable[[], None]) -> bool:
        with self._writing:
            due = self._due()
            self._busy = frozenset(segment.name for segment in due)
        name = new_name()
        try:
            if not due:
                return False
            started = time.monotonic()
            made = self._merged(name, due, pause=pause)
            with self._writing:
                kept = self._exchange(due, made)
            if kept:
                seconds = round(time.monotonic() - started, 3)
                _log.info("index.migrated", segments=len(due), passages=made.living, seconds=seconds)
                return True
        finally:
            with self._writing:
                self._busy = frozenset()
        self._workshop.discard(name)
        return True

    def _merged(self, name: str, due: Sequence[Segment], *, pause: Callable[[], None]) -> Segment:
        try:
            return merged(
                name,
                due,
                folder=self._workshop.place,
                flat_below=self._flat_below,
                in_memory=self._budget().takes,
                pause=pause,
            )
        except BaseException:
            self._workshop.discard(name)
            raise

    def _exchange(self, sources: Sequence[Segment], made: Segment) -> bool:
        """Put a merged segment in the place of its sources, without what was removed from them meanwhile."""
        view = self._present()
        now = {segment.name: segment for segment in view.segments}
        if not all(source.name in now for source in sources):
            return False  # the store was cleared or restored
        gone = [np.setdiff1d(s.living_ids(), now[s.name].living_ids(), assume_unique=True) for s in sources]
        made = made.without(np.concatenate(gone))
        replaced = {source.name for source in sources}
        others = tuple(segment for segment in view.segments if segment.name not in replaced)
        self._view = replace(view, segments=(*others, made) if made.living else others)
        for source in replaced:  # what no snapshot has; searches under way hold the files open
            self._workshop.discard(source)
        return True


class _Budget:
    """Bytes that may still be held in memory."""

    def __init__(self, left: int) -> None:
        self._left = left

    def takes(self, size: int) -> bool:
        """Say whether so many bytes fit, and count them if they do."""
        if size > self._left:
            return False
        self._left -= size
        return True


def _told(error: OSError) -> Exception:
    return storage_full() if error.errno in _FULL else error


def _ignore(_written: int) -> None:
    """Drop the count that `write` returns."""
