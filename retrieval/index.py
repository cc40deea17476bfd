"""What is searched: the lexical index, the vector stores and who may see what, kept in step with the catalog.

There is one way in which the index changes: `refresh` compares it with the catalog and takes over the difference.
Adding, deleting, starting and recovering from a crash all go that way, so that none of them can leave the index in a
state of its own. The catalog's generation makes the comparison cheap: nothing is read when nothing changed.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
import structlog

from retrieval.catalog import Catalog, IndexEntry, Searchable
from retrieval.context import in_context
from retrieval.embedding import TextEmbedder, Vectors
from retrieval.errors import IndexDamaged
from retrieval.language import language_of
from retrieval.lexical import LexicalIndex
from retrieval.packing import unpack
from retrieval.stores.contract import VectorStore
from retrieval.stores.faiss_store import FaissStore
from retrieval.types import Scope
from retrieval.visibility import Flags, Group, Ids, Visibility

__all__ = ["Held", "PassageIndex"]

_ENTRIES_A_STEP: Final = 4096  # bounds the memory of a rebuild
_NO_IDS: Final[Ids] = np.empty(0, dtype=np.int64)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Held:
    """What an index holds at one moment: `words` and `vectors` (by embedding model) are ids of passages."""

    generation: int | None
    words: Ids
    vectors: Mapping[str, Ids]
    documents: Mapping[str, Searchable]


class PassageIndex:
    """All searchable passages. Safe to share between threads; several processes may have one each on one database."""

    def __init__(
        self,
        catalog: Catalog,
        embedders: Sequence[TextEmbedder],
        *,
        folder: Path,
        store_for: Callable[[TextEmbedder, Path], VectorStore] | None = None,
    ) -> None:
        """Build an empty index; `load` or the first search fills it.

        Args:
            catalog: the truth.
            embedders: whose vectors are searched, each in a store of its own; those of other models are left out.
            folder: where snapshots are kept, one folder a model.
            store_for: builds the store of one model on its folder; FAISS by default.
        """
        self._catalog = catalog
        self.embedders = tuple(embedders)
        build = store_for or (lambda embedder, place: FaissStore(place, embedder=embedder, passages=catalog))
        self._stores = [build(embedder, folder / str(number)) for number, embedder in enumerate(self.embedders)]
        self._changing = threading.Lock()
        self._lexical = LexicalIndex()  # replaced by a changed copy, never changed: searches need no lock
        self._visibility = Visibility.of(())
        self._last_seen: tuple[Visibility, LexicalIndex, object, Flags] | None = None
        self._documents: Mapping[str, Searchable] = MappingProxyType({})
        self._passages: dict[str, Ids] = {}
        self._generation: int | None = None
        self._saved: int | None = None

    @property
    def size(self) -> int:
        """Searchable passages."""
        return len(self._lexical)

    @property
    def documents(self) -> Mapping[str, Searchable]:
        """All searchable documents by id, whoever may see them: choose among those that the scope allows."""
        return self._documents

    def load(self) -> None:
        """Bring the index up: vectors from the snapshots that are whole and current, else from the catalog."""
        self.refresh()

    def refresh(self) -> None:
        """Take over what changed in the catalog. Costs one small query when nothing did."""
        if self._generation == self._catalog.generation():
            return
        with self._changing:
            if self._generation is None:
                self._start()
            elif self._generation != self._catalog.generation():
                self._follow(*self._catalog.searchable(), filling=range(len(self._stores)))

    def save(self) -> None:
        """Write the snapshots of the vectors, unless the last ones are as new.

        Raises:
            StorageFull: there is no space; an older snapshot stays, and the next start rebuilds from the catalog.
        """
        with self._changing:
            if self._generation is not None and self._generation != self._saved:
                for store in self._stores:
                    store.snapshot(self._generation)
                self._saved = self._generation

    # what a reconciliation asks and does

    def held(self) -> Held:
        """Return everything that is searched now, to be held against the catalog."""
        with self._changing:
            vectors = {e.identity: s.ids() for e, s in zip(self.embedders, self._stores, strict=True)}
            return Held(self._generation, self._lexical.ids, vectors, self._documents)

    def snapshots(self) -> Mapping[str, int | None]:
        """Return the catalog's generation that each model's snapshot is of; None for one that does not verify."""
        found: dict[str, int | None] = {}
        with self._changing:
            for embedder, store in zip(self.embedders, self._stores, strict=True):
                try:
                    found[embedder.identity] = store.verify()
                except IndexDamaged:
                    found[embedder.identity] = None
        return found

    def mend(self, documents: Collection[str] = (), extra: Collection[int] = ()) -> None:
        """Take these documents over anew, and drop passages that are in no document; then write the snapshots."""
        with self._changing:
            lexical = self._lexical.copy()
            lexical.remove(list(extra))
            lexical.ready()
            self._lexical = lexical
            for store in self._stores:
                store.remove(list(extra))
            again = set(documents)
            hidden = [np.fromiter(extra, dtype=np.int64), self.passages_of(list(again))]
            self._visibility = self._visibility.changed(gone=np.concatenate(hidden))  # until they are taken over
            self._documents = MappingProxyType({i: d for i, d in self._documents.items() if i not in again})
            self._passages = {i: ids for i, ids in self._passages.items() if i not in again}
            self._follow(*self._catalog.searchable(), filling=range(len(self._stores)))
            self._saved = None
        self.save()

    def close(self) -> None:
        """Stop what the stores do in the background; called once, when the service ends."""
        for store in self._stores:
            store.close()

    def by_words(
        self, query: str, k: int, scope: Scope, *, documents: Sequence[str] | None = None
    ) -> list[tuple[int, float]]:
        """Return up to `k` (passage id, BM25 score) pairs that the scope may see, best first.

        Args:
            query: in either language.
            k: most results.
            scope: what it hides takes no place among the `k`.
            documents: only passages of these, of which the scope still hides what it hides; None: of all.
        """
        lexical = self._lexical
        allowed = counted = self._seen(lexical, scope)
        if documents is not None:
            allowed = counted & np.isin(lexical.ids, self.passages_of(documents), assume_unique=True)
        return lexical.search(query, k, allowed, counted=counted)

    def by_vector(
        self, embedder: TextEmbedder, vector: Vectors, k: int, scope: Scope, *, documents: Sequence[str] | None = None
    ) -> list[tuple[int, float]]:
        """Return up to `k` (passage id, cosine) pairs that the scope may see, best first; see `by_words`.

        Args:
            embedder: one of `embedders`, which made the vector.
            vector: one unit vector, (dimension,).
            k: most results.
            scope: what it hides takes no place among the `k`.
            documents: only passages of these; None: of all.
        """
        store = self._stores[self.embedders.index(embedder)]
        within = None if documents is None else self.passages_of(documents)
        return store.nearest(vector, k, scope, within=within)

    def embedder_for(self, query: str) -> TextEmbedder | None:
        """Return the first model that knows the language of a query."""
        language = language_of(query)
        return next((one for one in self.embedders if language in one.languages), None)

    def rarity(self, terms: Sequence[str], *, scope: Scope) -> list[float]:
        """Return the weight of each term by how few passages in the scope hold it; see `LexicalIndex.rarity`."""
        lexical = self._lexical
        return lexical.rarity(terms, self._seen(lexical, scope))

    def _seen(self, lexical: LexicalIndex, scope: Scope) -> Flags:
        """Return one flag a passage of the lexical index: true where the scope may see it. A query asks three times."""
        visibility, last = self._visibility, self._last_seen
        key = (scope.labels, scope.collections)
        if last is None or last[0] is not visibility or last[1] is not lexical or last[2] != key:
            last = (visibility, lexical, key, visibility.flags(lexical.ids, scope))
            self._last_seen = last
        return last[3]

    def passages_of(self, documents: Sequence[str]) -> Ids:
        """Return the ids of the passages of these documents, each document once; unknown documents have none."""
        return np.concatenate([_NO_IDS, *(self._passages.get(i, _NO_IDS) for i in dict.fromkeys(documents))])

    def _start(self) -> None:
        started = time.monotonic()
        generation, documents = self._catalog.searchable()
        empty = [n for n in range(len(self._stores)) if not (documents and self._restore(n, generation))]
        self._follow(generation, documents, filling=empty, held={n: self._stores[n].ids() for n in empty})
        if not empty:
            self._saved = generation
        seconds = round(time.monotonic() - started, 3)
        _log.info("index.ready", passages=len(self._lexical), from_snapshot=not empty, seconds=seconds)

    def _restore(self, number: int, generation: int) -> bool:
        store, embedder = self._stores[number], self.embedders[number]
        try:
            store.restore(generation)
            if len(store.ids()) != self._catalog.embedded(embedder.identity):
                raise IndexDamaged("The snapshot lacks passages.", remedy="Nothing to do: it is rebuilt.")
        except IndexDamaged as damage:
            _log.warning("index.rebuilding", reason=damage.message)
        else:
            return True
        try:
            store.resume()
        except IndexDamaged:
            store.clear()
        return False

    def _follow(
        self,
        generation: int,
        documents: list[Searchable],
        *,
        filling: Sequence[int],
        held: Mapping[int, Ids] = MappingProxyType({}),
    ) -> None:
        """Take over these documents; the stores of the numbers `filling` lack vectors of those that are new.

        `held` says what such a store has already of all documents; what is no document's is removed.
        """
        wanted = {document.id: document for document in documents}
        gone = np.concatenate([_NO_IDS, *(self._passages[i] for i in self._documents if i not in wanted)])
        passages = {i: ids for i, ids in self._passages.items() if i in wanted}
        lexical = self._lexical.copy()
        lexical.remove(gone.tolist())
        new = [i for i in wanted if i not in passages]
        identities = [self.embedders[number].identity for number in filling]
        proven: dict[int, list[Ids]] = {number: [_NO_IDS] for number in filling}
        for step in _steps(self._catalog.contents(new, embedders=identities)):
            lexical.add([entry.id for entry in step], [_words(entry) for entry in step])
            for number in filling:
                proven[number].append(self._add_vectors(number, step, held.get(number, _NO_IDS)))
            for document_id, ids in _by_document(step).items():
                passages[document_id] = np.append(passages.get(document_id, _NO_IDS), ids)
        for document_id in new:
            passages.setdefault(document_id, _NO_IDS)
        moved = (d for d in documents if not self._seen_as_before(d))
        groups = [Group(label=d.label, collection=d.collection, ids=passages[d.id]) for d in moved]
        visibility = self._visibility.changed(groups, gone)
        lexical.ready()
        for number, there in held.items():
            self._stores[number].remove(np.setdiff1d(there, np.concatenate(proven[number])))
        for store in self._stores:
            store.remove(gone)
        self._lexical, self._visibility = lexical, visibility  # new passages can be found from here on
        for store in self._stores:
            store.visibility = visibility
        self._documents, self._passages, self._generation = MappingProxyType(wanted), passages, generation

    def _seen_as_before(self, document: Searchable) -> bool:
        before = self._documents.get(document.id)
        return before is not None and (before.label, before.collection) == (document.label, document.collection)

    def _add_vectors(self, number: int, entries: list[IndexEntry], held: Ids) -> Ids:
        """Add what the store does not hold; return all that it should."""
        embedder = self.embedders[number]
        kept = {entry.id: entry.vectors[embedder.identity] for entry in entries if embedder.identity in entry.vectors}
        ids = np.array(list(kept), dtype=np.int64)
        if len(missing := ids[np.isin(ids, held, invert=True)].tolist()):
            rows = unpack((kept[i] for i in missing), dimension=embedder.dimension)
            self._stores[number].add(missing, rows)
        return ids


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
