"""The stores that are measured, each behind the same few calls: ours, LangChain's FAISS and Chroma.

Rivals are imported only when asked for. They are no dependencies of the project: install them into a folder of their
own and name it, ``pip install --target DIR langchain-community chromadb``. The folder is put at the end of the path,
so that what the project itself uses stays the project's.
"""

from __future__ import annotations

import importlib.metadata
import sys
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.vector_data import DIMENSION, LABELS, Array, label_of
from retrieval.stores.faiss_store import FaissStore
from retrieval.types import EVERYTHING, Scope
from retrieval.visibility import Group, Visibility

__all__ = ["RIVALS", "Chroma", "Contender", "LangChainFaiss", "Ours", "reach"]

_SECRET: Final = b"the benchmark's own secret"
_A_BATCH: Final = 5_000


class _Embedder:
    """Says what the vectors are; nothing is embedded."""

    dimension = DIMENSION
    identity = "benchmark@1"
    languages: frozenset[str] = frozenset()

    def embed(self, texts: Any) -> Array:
        raise NotImplementedError(f"{len(texts)} texts: this benchmark searches vectors")


class Contender(ABC):
    """A store of one size."""

    name: str
    version: str

    @abstractmethod
    def add(self, ids: np.ndarray[Any, Any], rows: Array) -> None:
        """Add rows under ids."""

    def bulk(self) -> AbstractContextManager[None]:
        """Bring in much at once."""
        return nullcontext()

    def ready(self, size: int) -> None:  # noqa: B027 - most have nothing to do
        """Do what has to be done before the first search."""

    @abstractmethod
    def search(self, query: Array, k: int, share: int) -> list[int]:
        """Return ids of the nearest rows whose label is below `share`, best first."""


class Ours(Contender):
    """Vouch's store on a folder."""

    name = "vouch"
    version = f"faiss-cpu {importlib.metadata.version('faiss-cpu')}"

    def __init__(self, folder: Path) -> None:
        self.store = FaissStore(folder, embedder=_Embedder(), passages=_Nothing(), secret=_SECRET)
        self._scopes = {share: _scope(share) for share in range(LABELS + 1)}

    def add(self, ids: np.ndarray[Any, Any], rows: Array) -> None:
        """Add rows under ids."""
        self.store.add(ids, rows)

    def bulk(self) -> AbstractContextManager[None]:
        """Bring in much at once."""
        return self.store.bulk()

    def ready(self, size: int) -> None:
        """Write the snapshot."""
        self.store.snapshot(size)

    def restored(self, size: int) -> None:
        """Read the snapshot, and say who may see what."""
        self.store.restore(size)
        self.see(size)

    def see(self, size: int) -> None:
        """Say who may see what."""
        ids = np.arange(1, size + 1)
        labels = label_of(ids)
        order = np.argsort(labels, kind="stable")
        cuts = np.searchsorted(labels[order], np.arange(LABELS + 1))
        parts = ((n, ids[order[cuts[n] : cuts[n + 1]]]) for n in range(LABELS))
        self.store.visibility = Visibility.of(Group(label=str(n), collection="c", ids=part) for n, part in parts)

    def search(self, query: Array, k: int, share: int) -> list[int]:
        """Return ids of the nearest rows whose label is below `share`, best first."""
        return [i for i, _ in self.store.nearest(query, k, self._scopes[share])]


class _Nothing:
    def passages(self, ids: Any, scope: Any) -> list[Any]:
        del ids, scope
        return []


def _scope(share: int) -> Scope:
    labels = {EVERYTHING} if share >= LABELS else {str(n) for n in range(share)}
    return Scope(subject=f"{share} of {LABELS}", labels=frozenset(labels), collections=frozenset({EVERYTHING}))


class LangChainFaiss(Contender):
    """LangChain's FAISS store as its documentation builds it: a flat index, filtered after the search."""

    name = "langchain_faiss"

    def __init__(self, folder: Path) -> None:
        del folder  # it lives in memory
        import faiss
        from langchain_community.docstore.in_memory import InMemoryDocstore  # noqa: TID251 - the rival
        from langchain_community.vectorstores import FAISS  # noqa: TID251 - the rival
        from langchain_core.embeddings import Embeddings

        class Silent(Embeddings):  # the store asks for one; vectors are given to it, and a call would be a mistake
            def embed_documents(self, texts: list[str]) -> list[list[float]]:
                raise NotImplementedError

            def embed_query(self, text: str) -> list[float]:
                raise NotImplementedError

        self.version = f"langchain-community {importlib.metadata.version('langchain-community')}"
        self._store = FAISS(Silent(), faiss.IndexFlatL2(DIMENSION), InMemoryDocstore(), {})

    def add(self, ids: np.ndarray[Any, Any], rows: Array) -> None:
        """Add rows under ids."""
        pairs = [(f"passage {i}", row) for i, row in zip(ids.tolist(), rows, strict=True)]
        labels = [{"label": label} for label in label_of(ids).tolist()]
        self._store.add_embeddings(pairs, metadatas=labels, ids=[str(i) for i in ids.tolist()])

    def search(self, query: Array, k: int, share: int) -> list[int]:
        """Return ids of the nearest rows whose label is below `share`, best first."""
        wanted: Callable[[dict[str, int]], bool] | None = None if share >= LABELS else lambda m: m["label"] < share
        found = self._store.similarity_search_with_score_by_vector(query, k=k, filter=wanted)
        return [int(document.page_content.split()[1]) for document, _ in found]


class Chroma(Contender):
    """Chroma's embedded client on a folder, with its `where` filter."""

    name = "chroma"

    def __init__(self, folder: Path) -> None:
        import chromadb
        from chromadb.config import Settings

        self.version = f"chromadb {importlib.metadata.version('chromadb')}"
        client = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
        cosine = {"hnsw": {"space": "cosine"}}
        self._store = client.create_collection(uuid.uuid4().hex, embedding_function=None, configuration=cosine)

    def add(self, ids: np.ndarray[Any, Any], rows: Array) -> None:
        """Add rows under ids."""
        for at in _steps(len(ids)):
            some = ids[at : at + _A_BATCH]
            labels = [{"label": label} for label in label_of(some).tolist()]
            self._store.add(ids=[str(i) for i in some.tolist()], embeddings=rows[at : at + _A_BATCH], metadatas=labels)

    def search(self, query: Array, k: int, share: int) -> list[int]:
        """Return ids of the nearest rows whose label is below `share`, best first."""
        where: Any = None if share >= LABELS else {"label": {"$lt": share}}
        found = self._store.query(query_embeddings=[query], n_results=k, where=where, include=[])
        return [int(i) for i in found["ids"][0]]


RIVALS: Final[dict[str, type[Contender]]] = {"langchain_faiss": LangChainFaiss, "chroma": Chroma}


def reach(folder: Path | None) -> None:
    """Make the rivals of a folder importable, behind everything that is installed already."""
    if folder is not None and str(folder) not in sys.path:
        sys.path.append(str(folder))


def _steps(count: int) -> Iterator[int]:
    yield from range(0, count, _A_BATCH)
