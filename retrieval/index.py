"""What is searched: the lexical index, the vector store and who may see what, kept in step with the catalog.

There is one way in which the index changes: `refresh` compares it with the catalog and takes over the difference.
Adding, deleting, starting and recovering from a crash all go that way, so that none of them can leave the index in a
state of its own. The catalog's generation makes the comparison cheap: nothing is read when nothing changed.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import structlog

from retrieval.catalog import Catalog, IndexEntry, Searchable
from retrieval.context import in_context
from retrieval.embedding import TextEmbedder, Vectors
from retrieval.errors import IndexDamaged
from retrieval.lexical import LexicalIndex
from retrieval.stores.contract import VectorStore
from retrieval.stores.faiss_store import FaissStore
from retrieval.types import Scope
from retrieval.visibility import Group, Ids, Visibility

__all__ = ["PassageIndex", "pack", "unpack"]

_STORED: Final = np.dtype("<f2")
"""Embeddings are kept as float16: half the room, and cosines that differ by less than 0.001."""

_ENTRIES_A_STEP: Final = 4096  # bounds the memory of a rebuild

_log = structlog.get_logger()


def pack(vector: Vectors) -> bytes:
    """Return a vector as the catalog keeps it: float16, little-endian."""
    return vector.astype(_STORED).tobytes()


def unpack(rows: Iterable[bytes], *, dimension: int) -> Vectors:
    """Return stored vectors as unit rows, (n, dimension)."""
    flat = np.frombuffer(b"".join(rows), dtype=_STORED).astype(np.float32)
    vectors = flat.reshape(-1, dimension)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit


class PassageIndex:
    """All searchable passages. Safe to share between threads; several processes may have one each on one database."""

    def __init__(
        self, catalog: Catalog, embedder: TextEmbedder, *, folder: Path, store: VectorStore | None = None
    ) -> None:
        """Build an empty index; `load` or the first search fills it.

        Args:
            catalog: the truth.
            embedder: whose vectors are searched; those of another model are left out.
            folder: where snapshots are kept.
            store: another store than FAISS in that folder.
        """
        self._catalog = catalog
        self._store = store or FaissStore(folder, embedder=embedder, passages=catalog)
        self._embedder = embedder
        self._changing = threading.Lock()
        self._lexical = LexicalIndex()  # replaced by a changed copy, never changed: searches need no lock
        self._documents: dict[str, Searchable] = {}
        self._passages: dict[str, Ids] = {}
        self._generation: int | None = None
        self._saved: int | None = None

    @property
    def size(self) -> int:
        """Searchable passages."""
        return len(self._lexical)

    def load(self) -> None:
        """Bring the index up: vectors from the snapshot when it is whole and current, else all from the catalog."""
        self.refresh()

    def refresh(self) -> None:
        """Take over what changed in the catalog. Costs one small query when nothing did."""
        if self._generation == self._catalog.generation():
            return
        with self._changing:
            if self._generation is None:
                self._start()
            elif self._generation != self._catalog.generation():
                self._follow(*self._catalog.searchable(), vectors=True)

    def save(self) -> None:
        """Write the snapshot of the vectors, unless the last one is as new.

        Raises:
            StorageFull: there is no space; an older snapshot stays, and the next start rebuilds from the catalog.
        """
        with self._changing:
            if self._generation is not None and self._generation != self._saved:
                self._store.snapshot(self._generation)
                self._saved = self._generation

    def by_words(self, query: str, k: int, scope: Scope) -> list[tuple[int, float]]:
        """Return up to `k` (passage id, BM25 score) pairs that the scope may see, best first."""
        lexical = self._lexical
        return lexical.search(query, k, self._store.visibility.flags(lexical.ids, scope))

    def by_vector(self, vector: Vectors, k: int, scope: Scope) -> list[tuple[int, float]]:
        """Return up to `k` (passage id, cosine) pairs that the scope may see, best first."""
        return self._store.nearest(vector, k, scope)

    def _start(self) -> None:
        started = time.monotonic()
        generation, documents = self._catalog.searchable()
        restored = bool(documents) and self._restore(generation)
        self._follow(generation, documents, vectors=not restored)
        seconds = round(time.monotonic() - started, 3)
        _log.info("index.ready", passages=len(self._lexical), from_snapshot=restored, seconds=seconds)

    def _restore(self, generation: int) -> bool:
        try:
            self._store.restore(generation)
            if len(self._store.ids()) != self._catalog.embedded(self._embedder.identity):
                raise IndexDamaged("The snapshot lacks passages.", remedy="Nothing to do: it is rebuilt.")
        except IndexDamaged as damage:
            self._store.clear()
            _log.warning("index.rebuilding", reason=damage.message)
            return False
        self._saved = generation
        return True

    def _follow(self, generation: int, documents: list[Searchable], *, vectors: bool) -> None:
        wanted = {document.id: document for document in documents}
        gone = np.concatenate(
            [np.empty(0, dtype=np.int64), *(self._passages[i] for i in self._documents if i not in wanted)]
        )
        passages = {i: ids for i, ids in self._passages.items() if i in wanted}
        lexical = self._lexical.copy()
        lexical.remove(gone.tolist())
        new = [i for i in wanted if i not in passages]
        for step in _steps(self._catalog.contents(new, vectors=vectors)):
            lexical.add([entry.id for entry in step], [_words(entry) for entry in step])
            self._add_vectors(step, wanted)
            for document_id, ids in _by_document(step).items():
                passages[document_id] = np.append(passages.get(document_id, np.empty(0, dtype=np.int64)), ids)
        for document_id in new:
            passages.setdefault(document_id, np.empty(0, dtype=np.int64))
        groups = [Group(label=d.label, collection=d.collection, ids=passages[d.id]) for d in documents]
        visibility = Visibility.of(groups)
        lexical.ready()
        self._store.remove(gone)
        self._lexical, self._store.visibility = lexical, visibility  # new passages can be found from here on
        self._documents, self._passages, self._generation = wanted, passages, generation

    def _add_vectors(self, entries: list[IndexEntry], documents: dict[str, Searchable]) -> None:
        mine = self._embedder.identity
        kept = [(e.id, e.embedding) for e in entries if e.embedding and documents[e.document_id].embedder == mine]
        if kept:
            rows = unpack((row for _, row in kept), dimension=self._embedder.dimension)
            self._store.add([i for i, _ in kept], rows)


def _words(entry: IndexEntry) -> str:
    return in_context(entry.text, document=entry.document, headings=entry.headings)


def _steps(entries: Iterator[IndexEntry]) -> Iterator[list[IndexEntry]]:
    while step := list(itertools.islice(entries, _ENTRIES_A_STEP)):
        yield step


def _by_document(entries: list[IndexEntry]) -> dict[str, list[int]]:
    ids: dict[str, list[int]] = {}
    for entry in entries:
        ids.setdefault(entry.document_id, []).append(entry.id)
    return ids
