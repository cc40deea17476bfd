"""A catalog, index and search of their own for an evaluation, filled with documents that come as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Self

from sqlalchemy import Engine, create_engine, event

from retrieval.catalog import Catalog, metadata
from retrieval.drafting import Draft, embed
from retrieval.embedding import TextEmbedder
from retrieval.errors import NoText
from retrieval.fusion import reciprocal_rank_fusion
from retrieval.index import PassageIndex
from retrieval.parsing.types import TEXT, ParsedDocument, ParsedPage
from retrieval.queue import Outcome, Queue
from retrieval.search import HybridSearch
from retrieval.types import Locator, Scope, digest_of

__all__ = ["LABEL", "Corpus", "Place", "Report", "Source"]

LABEL: Final = "public"
"""The permission label of all documents."""

_PAGES_A_GROUP: Final = 256  # pages whose passages are embedded together

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Source:
    """One document of a set: its id there, what it is called, its pages, and the collection that it goes into."""

    id: str
    name: str
    pages: Sequence[ParsedPage]
    collection: str = "corpus"

    def parsed(self) -> ParsedDocument:
        """Return it as a parser would."""
        return ParsedDocument(media_type=TEXT, pages=tuple(self.pages))


@dataclass(frozen=True, slots=True)
class Place:
    """What a search found: the id of a document in its set, the page, and the span of characters on that page."""

    document: str
    page: int
    start: int
    end: int


class Corpus:
    """The documents of a set, stored, indexed and searched as uploads are; everything but parsing is the real thing."""

    def __init__(self, engine: Engine, folder: Path, embedders: Sequence[TextEmbedder]) -> None:
        metadata.create_all(engine)
        self._catalog = Catalog(engine)
        self._queue = Queue(engine)
        self._index = PassageIndex(self._catalog, embedders, folder=folder)
        self._search = HybridSearch(self._catalog, self._index)
        self._ids: dict[str, str] = {}

    @classmethod
    @contextmanager
    def open(cls, folder: Path, embedders: Sequence[TextEmbedder]) -> Iterator[Self]:
        """Make an empty corpus in a folder and remove it at the end."""
        with TemporaryDirectory(dir=folder) as place:
            engine = create_engine(f"sqlite:///{place}/catalog.db")
            event.listen(engine, "connect", _without_flushing)
            try:
                yield cls(engine, Path(place), embedders)
            finally:
                engine.dispose()

    def fill(self, sources: Sequence[Source], report: Report) -> None:
        """Store all documents and build the index."""
        group: list[Source] = []
        for at, source in enumerate(sources, start=1):
            group.append(source)
            if at == len(sources) or sum(len(member.pages) for member in group) >= _PAGES_A_GROUP:
                self._take_in(group)
                group = []
                report(f"{at} of {len(sources)} documents are in")
        report("building the index")
        self._index.load()

    def ask(self, query: str, scope: Scope, *, k: int) -> list[Place]:
        """Return the places of the `k` best passages by Vouch's own search, best first."""
        return self._places(item.locator for item in self._search.search([query], scope, k=k))

    def ask_by_words(self, query: str, scope: Scope, *, k: int) -> list[Place]:
        """Return the places of the `k` best passages by BM25 alone."""
        return self._shown(self._index.by_words(query, k, scope), scope)

    def ask_by_vector(self, query: str, scope: Scope, *, k: int) -> list[Place]:
        """Return the places of the `k` nearest passages by the embedding model that knows the query's language."""
        return self._shown(self._by_vector(query, scope, k=k), scope)

    def ask_by_both(self, query: str, scope: Scope, *, k: int) -> list[Place]:
        """Return the places of the `k` best passages by the plain fusion of the two, with equal weights."""
        rankings = (self._index.by_words(query, k, scope), self._by_vector(query, scope, k=k))
        return self._shown(reciprocal_rank_fusion([[i for i, _ in ranking] for ranking in rankings])[:k], scope)

    def describe(self) -> dict[str, str | int]:
        """Return what the results depend on."""
        models = " ".join(embedder.identity for embedder in self._index.embedders)
        return {"embedder": models, "documents": len(self._ids), "passages": self._index.size}

    def _by_vector(self, query: str, scope: Scope, *, k: int) -> list[tuple[int, float]]:
        embedder = self._index.embedder_for(query)
        if embedder is None:
            return []
        return self._index.by_vector(embedder, embedder.embed([query])[0], k, scope)

    def _shown(self, hits: Iterable[tuple[int, float]], scope: Scope) -> list[Place]:
        return self._places(passage.locator for passage in self._catalog.passages([i for i, _ in hits], scope))

    def _places(self, locators: Iterable[Locator]) -> list[Place]:
        return [
            Place(document=self._ids[one.document_id], page=one.page or 0, start=one.start or 0, end=one.end or 0)
            for one in locators
        ]

    def _take_in(self, group: Sequence[Source]) -> None:
        """Cut, embed and store many documents at once; those without text are left out."""
        drafts: list[tuple[Source, Draft]] = []
        for source in group:
            with suppress(NoText):
                drafts.append((source, Draft(source.parsed(), name=source.name)))
        for embedder in self._index.embedders:
            embed([draft for _, draft in drafts], embedder)
        for source, draft in drafts:
            self._store(source, draft.outcome())

    def _store(self, source: Source, outcome: Outcome) -> None:
        document = self._catalog.add(
            name=source.name,
            media_type=TEXT,
            size=sum(len(page.text) for page in source.pages),
            sha256=digest_of(source.id),
            collection=source.collection,
            label=LABEL,
        )
        claim = self._queue.next_queued()
        if claim is None or claim.document.id != document.id:
            raise RuntimeError("someone else works in the evaluation's catalog")
        self._queue.finish(claim, outcome)
        self._ids[document.id] = source.id


def _without_flushing(connection: Any, _record: object) -> None:
    """Let SQLite write without waiting for the disk: what is lost here can be measured again."""
    for pragma in ("synchronous=OFF", "journal_mode=MEMORY"):
        connection.execute(f"PRAGMA {pragma}").close()
