"""Short ways to put documents into a catalog without parsing."""

from __future__ import annotations

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from retrieval.catalog import Catalog, PageText, PassageDraft
from retrieval.queue import Claim, Outcome, Queue
from retrieval.tables import PassageRow
from retrieval.types import Document

DIGEST = "ab" * 32


def add(
    catalog: Catalog,
    *,
    name: str = "a.txt",
    sha256: str = DIGEST,
    collection: str = "c",
    label: str = "l",
    source: str | None = None,
) -> Document:
    return catalog.add(
        name=name, media_type="text/plain", size=3, sha256=sha256, collection=collection, label=label, source=source
    )


def draft(text: str, *, page: int = 1, withheld: str | None = None, **vectors: bytes) -> PassageDraft:
    return PassageDraft(text=text, page=page, start=0, end=len(text), language="en", vectors=vectors, withheld=withheld)


def finish(queue: Queue, *texts: str, pages: int = 1) -> Claim:
    claim = queue.next_queued()
    assert claim is not None
    sheets = [PageText(number=number, text=f"page {number}") for number in range(1, pages + 1)]
    assert queue.finish(claim, Outcome(media_type="text/plain", pages=sheets, passages=[draft(text) for text in texts]))
    return claim


def ready(catalog: Catalog, queue: Queue, *texts: str, **kwargs: str) -> Document:
    document = add(catalog, **kwargs)
    finish(queue, *texts)
    return document


def ids_of(engine: Engine, document: Document) -> list[int]:
    wanted = select(PassageRow.id).where(PassageRow.document_id == document.id).order_by(PassageRow.ordinal)
    with Session(engine) as session:
        return list(session.scalars(wanted))
