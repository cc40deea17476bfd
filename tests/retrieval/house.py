"""A whole retrieval on a folder: catalog, index, search and ingestion, wired as the service wires them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, create_engine, event

from retrieval.catalog import Catalog, PageText, PassageDraft
from retrieval.context import in_context
from retrieval.embedding import TextEmbedder
from retrieval.index import PassageIndex
from retrieval.ingest import Ingestor
from retrieval.packing import pack
from retrieval.parsing.types import Limits
from retrieval.queue import Outcome, Queue
from retrieval.search import HybridSearch
from retrieval.types import EVERYTHING, Document, Evidence, Scope
from tests.retrieval.word_embedder import WordEmbedder

ALL = Scope(subject="all", labels=frozenset({EVERYTHING}), collections=frozenset({EVERYTHING}))
LIMITS = Limits(max_bytes=1 << 20, max_pages=50, timeout_s=60, memory_mb=1024)


def sqlite(path: Path) -> Engine:
    """Open a database as the service does: WAL, and writers that wait for each other."""
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def prepare(connection, _record):
        for pragma in ("busy_timeout=20000", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    return engine


def seeing(*labels: str, collections: tuple[str, ...] = (EVERYTHING,)) -> Scope:
    """Build a scope of these labels."""
    return Scope(subject="someone", labels=frozenset(labels), collections=frozenset(collections))


@dataclass
class House:
    """The parts, and two short ways to fill them."""

    folder: Path
    catalog: Catalog
    queue: Queue
    embedder: TextEmbedder
    index: PassageIndex
    search: HybridSearch
    ingestor: Ingestor

    @classmethod
    def at(cls, folder: Path, engine: Engine, embedder: TextEmbedder | None = None) -> House:
        """Wire the parts on an engine whose tables exist."""
        embedder = embedder or WordEmbedder()
        catalog, queue = Catalog(engine), Queue(engine)
        index = PassageIndex(catalog, [embedder], folder=folder / "index")
        return cls(
            folder=folder,
            catalog=catalog,
            queue=queue,
            embedder=embedder,
            index=index,
            search=HybridSearch(catalog, index),
            ingestor=Ingestor(catalog, queue, files_dir=folder / "files", index=index, limits=LIMITS),
        )

    def put(
        self, *texts: str, name: str = "note.txt", label: str = "internal", collection: str = "default", language="en"
    ) -> Document:
        """Store a document of one page with these passages, without parsing."""
        return store(
            self.catalog,
            self.queue,
            self.embedder,
            *texts,
            name=name,
            label=label,
            collection=collection,
            language=language,
        )

    def submit(self, text: str, name: str = "note.txt", *, label: str = "internal", collection: str = "default"):
        """Queue a text file."""
        return self.ingestor.submit(io.BytesIO(text.encode()), name=name, collection=collection, label=label)

    def find(self, query: str, scope: Scope = ALL, *, k: int = 5) -> list[Evidence]:
        """Search for one query."""
        return self.search.search([query], scope, k=k)


def store(
    catalog: Catalog,
    queue: Queue,
    embedder: TextEmbedder,
    *texts: str,
    name: str,
    label: str,
    collection: str,
    language: str = "en",
) -> Document:
    """Add, claim and finish a document whose passages are the paragraphs of one page."""
    page = "\n".join(texts)
    document = catalog.add(
        name=name,
        media_type="text/plain",
        size=len(page),
        sha256=f"{abs(hash((page, name))):064x}"[:64],
        collection=collection,
        label=label,
    )
    claim = queue.next_queued()
    assert claim is not None
    assert claim.document.id == document.id
    drafts, start = [], 0
    for text in texts:
        words = in_context(text, document=name, headings=())
        vectors = {embedder.identity: pack(embedder.embed([words])[0])} if language in embedder.languages else {}
        drafts.append(
            PassageDraft(text=text, page=1, start=start, end=start + len(text), language=language, vectors=vectors)
        )
        start += len(text) + 1
    pages = [PageText(number=1, text=page)]
    assert queue.finish(claim, Outcome(media_type="text/plain", pages=pages, passages=drafts))
    return catalog.get(document.id, ALL)
