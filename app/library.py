"""The documents as the service holds them: what is searched, what is taken in, and how far both are.

Everything here comes up in the background. Until the embedding models and the index are ready, a search says how far
they are, and documents wait in their queue.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

import structlog
from sqlalchemy import Engine

from app.embedders import bring, embedders_for, reranker_for
from app.errors import SettingsError
from app.settings import Settings
from app.vector_stores import INDEX_FOLDER, builder
from model.errors import ModelError, ModelNotReady
from model.progress import Progress
from retrieval.catalog import Catalog
from retrieval.embedding import TextEmbedder
from retrieval.errors import RetrievalError, StoreUnavailable
from retrieval.index import PassageIndex
from retrieval.ingest import Ingestor
from retrieval.neighbours import Neighbours
from retrieval.parsing.render import render_page
from retrieval.parsing.types import Limits
from retrieval.queue import Queue
from retrieval.search import HybridSearch
from retrieval.types import Box, Evidence, Scope

__all__ = ["Library"]

_log = structlog.get_logger()

_STORE_PAUSE_S: Final = 2.0  # before a vector store that is away is tried again


class Library:
    """Documents in, passages out. Safe to share between threads."""

    def __init__(
        self, settings: Settings, database: Engine, *, secret: bytes, embedders: Sequence[TextEmbedder] | None = None
    ) -> None:
        """Wire the parts; nothing is read yet.

        Args:
            settings: what the service was told.
            database: where the catalog is.
            secret: the installation's, under which snapshots are signed.
            embedders: models that are there already; by default those that the settings name.
        """
        self._settings = settings
        self._fetched = embedders is None
        self.limits = Limits(
            max_bytes=settings.max_file_mb << 20,
            max_pages=settings.max_pages,
            timeout_s=settings.parse_timeout_s,
            memory_mb=settings.parse_memory_mb,
        )
        self.catalog = Catalog(database)
        self.index = PassageIndex(
            self.catalog,
            embedders_for(settings) if embedders is None else embedders,
            folder=settings.data_dir / INDEX_FOLDER,
            store_for=builder(settings, self.catalog, secret),
        )
        self.ingestor = Ingestor(
            self.catalog,
            Queue(database),
            files_dir=settings.data_dir / "files",
            index=self.index,
            limits=self.limits,
        )
        self._search = HybridSearch(self.catalog, self.index, reranker=reranker_for(settings))
        self._neighbours = Neighbours(self.catalog, self.index)
        self._searchable = threading.Event()
        self._state = "waiting"

    @property
    def state(self) -> str:
        """Say "ready", or how far the search is, or why it will not be ready."""
        return self._state

    @property
    def embedder(self) -> str:
        """Names and digests of the embedding models, once they are there."""
        if not self._searchable.is_set():
            return ""
        return " ".join(embedder.identity for embedder in self.index.embedders)

    def run(self, stop: threading.Event) -> None:
        """Bring up models and index, then work through the queue until `stop` is set."""
        try:
            if self._fetched:
                bring(self._settings, self._report)
            self._state = "loading"
            self.ingestor.recover()
            if not self._load(stop):
                return
            for embedder in self.index.embedders:
                embedder.embed(["ready"])  # loads the model now, not in somebody's first question
        except (RetrievalError, ModelError, SettingsError) as error:
            self._state = error.message
            _log.error("search.failed", code=error.code)
            return
        self._state = "ready"
        self._searchable.set()
        self.ingestor.run(stop)

    def search(self, queries: Sequence[str], scope: Scope, *, k: int) -> list[Evidence]:
        """Search the passages that a scope may see.

        Raises:
            ModelNotReady: the embedding weights or the index are still being brought up.
        """
        if not self._searchable.is_set():
            raise ModelNotReady(f"The search is not ready: {self._state}.", remedy="Try again in a moment.")
        return self._search.search(queries, scope, k=k)

    def expand(self, found: Sequence[Evidence], scope: Scope) -> list[Evidence]:
        """Add what stands around what was found, as far as `neighbour_tokens` allows."""
        return self._neighbours.expand(found, scope, budget=self._settings.neighbour_tokens)

    def whole(self, document_id: str, scope: Scope) -> list[Evidence]:
        """Return all passages of a document that may be searched and that the scope may see, in its order."""
        passages = self.catalog.passages(self.index.passages_of([document_id]).tolist(), scope)
        ordered = sorted(passages, key=lambda passage: passage.ordinal)
        return [
            Evidence.of(str(number), passage.text, passage.locator, passage_id=passage.id)
            for number, passage in enumerate(ordered, 1)
        ]

    def embedded(self, text: str) -> Sequence[float]:
        """Return the embedding of a question, of length 1; of no length where no model is for its language."""
        embedder = self.index.embedder_for(text)
        return () if embedder is None else embedder.embed([text])[0].tolist()

    def page_image(self, document_id: str, page: int, scope: Scope, passage_id: int | None) -> bytes:
        """Render a page of a PDF as PNG, a passage highlighted.

        Raises:
            DocumentNotFound: no such page, or none that the scope may see.
        """
        document = self.catalog.get(document_id, scope)
        boxes: tuple[Box, ...] = ()
        if passage_id is not None:
            where = self.catalog.passage(passage_id, scope).locator
            boxes = where.boxes if (where.document_id, where.page) == (document_id, page) else ()
        path, sandbox = self.ingestor.path_of(document), self.ingestor.sandbox
        return render_page(path, page, boxes=boxes, limits=self.limits, sandbox=sandbox)

    def _report(self, progress: Progress) -> None:
        self._state = f"{progress.step} ({progress.done} of {progress.total} {progress.unit})"

    def _load(self, stop: threading.Event) -> bool:
        """Bring the index up; wait where its vectors are on a server that is not there yet. False: the service ends."""
        while not stop.is_set():
            try:
                self.index.load()
            except StoreUnavailable as error:
                self._state = error.message
                _log.warning("search.waiting", code=error.code)
                stop.wait(_STORE_PAUSE_S)
            else:
                return True
        return False
