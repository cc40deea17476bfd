"""What every vector store must do: LangChain's interface, with the caller's scope inside each search.

A store is a cache of the vectors that the catalog keeps. It is keyed by passage id, knows nothing of texts, and asks a
`Visibility` which ids a scope may see. LangChain's own `search` chooses among LangChain's methods by name; ours is
`nearest`. The contract's tests are in tests/contracts/vector_store.py.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, Protocol

import numpy as np
from langchain_core.documents import Document as LangChainDocument
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore as LangChainVectorStore

from retrieval.embedding import TextEmbedder, Vectors
from retrieval.types import Passage, Scope
from retrieval.visibility import Ids, Visibility

__all__ = ["PassageReader", "VectorStore"]


class PassageReader(Protocol):
    """Where a store finds the text of what it found; the catalog."""

    def passages(self, ids: Sequence[int], scope: Scope) -> list[Passage]:
        """Return the passages that the scope may see, in the order of the ids."""
        ...


class VectorStore(LangChainVectorStore):
    """Vectors by passage id. Safe to share between threads.

    Not covered: LangChain's `from_texts` and `get_by_ids`, which have no place for a permission; they raise.
    """

    visibility: Visibility
    """Who may see what, replaced by the index whenever the catalog changes; at first nobody sees anything."""

    def __init__(self, *, embedder: TextEmbedder, passages: PassageReader) -> None:
        self._embedder = embedder
        self._passages = passages
        self.visibility = Visibility.of(())

    # what a backend writes

    @abstractmethod
    def ids(self) -> Ids:
        """Return the ids of all vectors, in no order."""

    @abstractmethod
    def add(self, ids: Sequence[int] | Ids, vectors: Vectors) -> None:
        """Add unit vectors, (n, dimension), under passage ids; an id that is there already gets the new vector."""

    @abstractmethod
    def remove(self, ids: Sequence[int] | Ids) -> None:
        """Remove vectors; unknown ids are ignored."""

    @abstractmethod
    def nearest(self, vector: Vectors, k: int, scope: Scope, *, within: Ids | None = None) -> list[tuple[int, float]]:
        """Return up to `k` (passage id, cosine) pairs, best first.

        Args:
            vector: one unit vector, (dimension,).
            k: most results.
            scope: what it does not allow takes no place among the `k`: it is left out inside the search.
            within: only these passages, of which the scope still hides what it hides; None: all.
        """

    @abstractmethod
    def clear(self) -> None:
        """Forget all vectors; the snapshot stays."""

    @abstractmethod
    def snapshot(self, generation: int) -> None:
        """Write the vectors to disk, whole or not at all, with a manifest that names the catalog's generation.

        Raises:
            StorageFull: there is no space; an older snapshot stays.
        """

    @abstractmethod
    def verify(self) -> int:
        """Hold the snapshot against its manifest, and return the catalog's generation that it was taken at.

        Raises:
            IndexDamaged: there is none, or its bytes, model or dimension are not those of the manifest.
        """

    @abstractmethod
    def restore(self, generation: int) -> None:
        """Replace the content by the snapshot.

        Raises:
            IndexDamaged: it does not verify, or was taken at another generation.
        """

    def resume(self) -> None:
        """Replace the content by what was left, of whatever generation; who calls brings it up to date by its ids.

        Raises:
            IndexDamaged: nothing that is whole, and of this model, was left.
        """
        self.restore(self.verify())

    def close(self) -> None:
        """Stop what runs in the background and let connections go; called once, when the service ends."""

    # LangChain's interface

    @property
    def embeddings(self) -> Embeddings:
        """The embedding model, as LangChain sees one."""
        return _LangChainEmbeddings(self._embedder)

    def add_texts(
        self, texts: Iterable[str], metadatas: list[dict[Any, Any]] | None = None, *, ids: Any = None, **_kwargs: Any
    ) -> list[str]:
        """Embed texts and add them under the ids of their passages, which must be given."""
        if ids is None:
            raise TypeError("add_texts needs ids: those of the passages that the texts belong to")
        numbers = [int(i) for i in ids]
        self.add(numbers, self._embedder.embed(list(texts)))
        return [str(i) for i in numbers]

    def delete(self, ids: list[str] | None = None, **_kwargs: Any) -> bool:
        """Remove vectors. Nothing is removed when no ids are given."""
        self.remove([int(i) for i in ids or ()])
        return ids is not None

    def similarity_search_with_score(
        self, query: str, k: int = 4, *, scope: Scope, **_kwargs: Any
    ) -> list[tuple[LangChainDocument, float]]:
        """Return the nearest passages that the scope may see with their cosines, best first. The scope is required."""
        hits = self.nearest(self._embedder.embed([query])[0], k, scope)
        scores = dict(hits)
        found = self._passages.passages([i for i, _ in hits], scope)
        return [(_langchain_document(passage), scores[passage.id]) for passage in found]

    def similarity_search(  # type: ignore[override] # narrower on purpose: a search without a scope is an error
        self, query: str, k: int = 4, *, scope: Scope, **kwargs: Any
    ) -> list[LangChainDocument]:
        """Return the nearest passages that the scope may see, best first. The scope is required."""
        return [document for document, _ in self.similarity_search_with_score(query, k, scope=scope, **kwargs)]

    def similarity_search_by_vector(  # type: ignore[override] # likewise
        self, embedding: list[float], k: int = 4, *, scope: Scope, **_kwargs: Any
    ) -> list[LangChainDocument]:
        """Return the passages nearest to a vector that the scope may see, best first. The scope is required."""
        hits = self.nearest(np.asarray(embedding, dtype=np.float32), k, scope)
        return [_langchain_document(p) for p in self._passages.passages([i for i, _ in hits], scope)]

    @classmethod
    def from_texts(cls, texts: list[str], embedding: Embeddings, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse: a loose text has no label, so nobody may see it.

        Raises:
            TypeError: always.
        """
        raise TypeError("passages come in through retrieval.ingest: a loose text has no label, so nobody may see it")


class _LangChainEmbeddings(Embeddings):
    def __init__(self, embedder: TextEmbedder) -> None:
        self._embedder = embedder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self._embedder.embed(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def _langchain_document(passage: Passage) -> LangChainDocument:
    where = passage.locator.model_dump(mode="json")
    return LangChainDocument(id=str(passage.id), page_content=passage.text, metadata=where)
