"""The catalog: what documents there are, who may see them, how far each is, and the passages that they became.

Every read on behalf of a caller takes a `Scope`, and the scope is part of the SQL: what it does not allow is not
found, and the two are not told apart. The first statement of every writing transaction is a write, so that SQLite takes
its write lock at once and waits for it, instead of failing half-way.
"""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Engine, Select, and_, func, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from retrieval.errors import DocumentNotFound
from retrieval.queue import waiting_again
from retrieval.rows import NAME_LENGTH, PageText, PassageDraft, document_of, passage_of, storable
from retrieval.statements import advance, matched, portions, remove
from retrieval.tables import Base, DocumentRow, GenerationRow, PageRow, PassageRow, VectorRow, metadata, now
from retrieval.types import EVERYTHING, Document, DocumentFacts, DocumentState, Passage, Scope

__all__ = ["Base", "Catalog", "IndexEntry", "PageText", "PassageDraft", "Searchable", "metadata"]

_ROWS_A_FETCH: Final = 1000


@dataclass(frozen=True, slots=True)
class Searchable:
    """A READY document as the index sees it."""

    id: str
    label: str
    collection: str
    name: str
    facts: DocumentFacts


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A passage as the index sees it; `vectors` by the identity of the embedding model, of those asked for."""

    id: int
    document_id: str
    document: str
    headings: Sequence[str]
    text: str
    vectors: Mapping[str, bytes]


class Catalog:
    """Documents, pages and passages in SQL. Safe to share between threads; several processes may use one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # documents

    def add(
        self,
        *,
        name: str,
        media_type: str,
        size: int,
        sha256: str,
        collection: str,
        label: str,
        source: str | None = None,
        bulk: bool = False,
    ) -> Document:
        """Queue a document and return it; with `bulk`, those that come alone go first.

        A document with the same bytes, collection and label is returned instead; one that failed is queued again, and
        its source is from now on the one given here. Other bytes from a `source` that is known in this collection under
        this label take the place of what came from there before, as soon as they are READY.
        """
        moment = now()
        row = DocumentRow(
            id=uuid.uuid4().hex,
            name=storable(name)[:NAME_LENGTH],
            media_type=media_type,
            size=size,
            sha256=sha256,
            collection=collection,
            label=label,
            state=DocumentState.QUEUED.value,
            source=None if source is None else storable(source)[:NAME_LENGTH],
            bulk=bulk,
            created_at=moment,
            updated_at=moment,
        )
        same = and_(DocumentRow.sha256 == sha256, DocumentRow.collection == collection, DocumentRow.label == label)
        try:
            with Session(self._engine) as session, session.begin():
                session.add(row)
                session.flush()
                row.replaces = _earlier(session, row)
                session.flush()
                return document_of(row)
        except IntegrityError:
            with Session(self._engine) as session, session.begin():
                again = and_(same, DocumentRow.state == DocumentState.FAILED.value)
                session.execute(update(DocumentRow).where(again).values(**waiting_again()))
                found = session.scalars(select(DocumentRow).where(same)).one()
                if row.source is not None:
                    _come_from(session, found, row.source, moment)
                return document_of(found)

    def get(self, document_id: str, scope: Scope) -> Document:
        """Return one document.

        Raises:
            DocumentNotFound: there is none, or none that the scope may see.
        """
        with Session(self._engine) as session:
            row = session.scalars(select(DocumentRow).where(DocumentRow.id == document_id, _visible(scope))).first()
            if row is None:
                raise _not_found()
            return document_of(row)

    def find(
        self, scope: Scope, *, ids: Sequence[str] = (), sha256: Sequence[str] = (), collection: str, label: str
    ) -> builtins.list[Document]:
        """Return the documents with these ids, and those with these bytes in one collection under one label.

        What the scope does not see is left out; the order is none.
        """
        there = and_(DocumentRow.collection == collection, DocumentRow.label == label)
        wanted: builtins.list[ColumnElement[bool]] = [DocumentRow.id.in_(some) for some in portions(ids)]
        wanted += [and_(DocumentRow.sha256.in_(some), there) for some in portions(sha256)]
        found: dict[str, Document] = {}
        with Session(self._engine) as session:
            for some in wanted:
                rows = session.scalars(select(DocumentRow).where(some, _visible(scope)))
                found.update((row.id, document_of(row)) for row in rows)
        return [*found.values()]

    def list(self, scope: Scope, *, collection: str | None = None, limit: int = 100, offset: int = 0) -> list[Document]:
        """Return the documents that the scope may see, newest first."""
        wanted = select(DocumentRow).where(_visible(scope), _in(collection))
        wanted = wanted.order_by(DocumentRow.created_at.desc(), DocumentRow.id).limit(limit).offset(offset)
        with Session(self._engine) as session:
            return [document_of(row) for row in session.scalars(wanted)]

    def count(self, scope: Scope, *, collection: str | None = None) -> int:
        """Return how many documents the scope may see."""
        with Session(self._engine) as session:
            wanted = select(func.count()).select_from(DocumentRow).where(_visible(scope), _in(collection))
            return session.scalars(wanted).one()

    def counts(self, scope: Scope) -> dict[DocumentState, int]:
        """Return how many documents the scope may see, by state; states without documents are left out."""
        wanted = select(DocumentRow.state, func.count()).where(_visible(scope)).group_by(DocumentRow.state)
        with Session(self._engine) as session:
            return {DocumentState(state): number for state, number in session.execute(wanted)}

    def delete(self, document_id: str, scope: Scope) -> Document:
        """Remove a document with its pages and passages; a worker that holds it loses it.

        Raises:
            DocumentNotFound: there is none, or none that the scope may see.
        """
        with Session(self._engine) as session, session.begin():
            mine = and_(DocumentRow.id == document_id, _visible(scope))
            if matched(session, update(DocumentRow).where(mine).values(updated_at=now())) == 0:
                raise _not_found()
            gone = document_of(session.get_one(DocumentRow, document_id))
            remove(session, document_id)
            advance(session)
            return gone

    def holds(self, sha256: str) -> bool:
        """Say whether any document still has these bytes; used to decide whether their file may go."""
        with Session(self._engine) as session:
            return session.scalars(select(DocumentRow.id).where(DocumentRow.sha256 == sha256)).first() is not None

    # passages and pages

    def passages(self, ids: Sequence[int], scope: Scope) -> builtins.list[Passage]:
        """Return the passages with these ids, in their order.

        What is gone, hidden from the scope or withheld by the screen is left out.
        """
        found: dict[int, Passage] = {}
        with Session(self._engine) as session:
            for some in portions(ids):
                wanted = (
                    select(PassageRow, DocumentRow.name)
                    .join(DocumentRow, DocumentRow.id == PassageRow.document_id)
                    .where(PassageRow.id.in_(some), PassageRow.withheld.is_(None), _visible(scope))
                )
                found.update((row.id, passage_of(row, name)) for row, name in session.execute(wanted))
        return [found[i] for i in ids if i in found]

    def passage(self, passage_id: int, scope: Scope) -> Passage:
        """Return one passage.

        Raises:
            DocumentNotFound: there is none, or none that the scope may see.
        """
        found = self.passages([passage_id], scope)
        if not found:
            raise _not_found()
        return found[0]

    def page_text(self, document_id: str, page: int, scope: Scope) -> PageText:
        """Return one page.

        Raises:
            DocumentNotFound: there is no such page, or none that the scope may see.
        """
        wanted = (
            select(PageRow)
            .join(DocumentRow, DocumentRow.id == PageRow.document_id)
            .where(PageRow.document_id == document_id, PageRow.number == page, _visible(scope))
        )
        with Session(self._engine) as session:
            row = session.scalars(wanted).first()
            if row is None:
                raise _not_found()
            return PageText(number=row.number, text=row.text, width=row.width, height=row.height)

    def generation(self) -> int:
        """Return the number of changes to the set of passages so far."""
        with Session(self._engine) as session:
            return session.scalars(select(GenerationRow.value)).first() or 0

    # what the index is built from; never shown to a caller

    def searchable(self) -> tuple[int, builtins.list[Searchable]]:
        """Return all READY documents and the generation that they are of, read in one statement."""
        before = self.generation()
        generation = select(GenerationRow.value).scalar_subquery()
        columns = (DocumentRow.id, DocumentRow.label, DocumentRow.collection, DocumentRow.name, DocumentRow.facts)
        ready = select(*columns, generation).where(DocumentRow.state == DocumentState.READY.value)
        with Session(self._engine) as session:
            rows = session.execute(ready).all()
        found = [
            Searchable(id_, label, collection, name, DocumentFacts.model_validate(facts or {}))
            for id_, label, collection, name, facts, _ in rows
        ]
        return (rows[0][-1] or 0) if rows else before, found

    def contents(self, document_ids: Sequence[str], *, embedders: Sequence[str]) -> Iterator[IndexEntry]:
        """Give the passages of these documents that may be found, with their vectors of these embedding models."""
        models = [aliased(VectorRow) for _ in embedders]
        owner = (PassageRow.document_id, DocumentRow.name)
        columns = (PassageRow.id, *owner, PassageRow.headings, PassageRow.text)
        wanted: Select[*tuple[Any, ...]] = select(*columns, *(model.vector for model in models))
        wanted = wanted.join(DocumentRow, DocumentRow.id == PassageRow.document_id)
        for model, embedder in zip(models, embedders, strict=True):
            wanted = wanted.outerjoin(model, and_(model.passage_id == PassageRow.id, model.embedder == embedder))
        wanted = wanted.where(PassageRow.withheld.is_(None)).order_by(PassageRow.id)
        with Session(self._engine) as session:
            for some in portions(document_ids):
                these = wanted.where(PassageRow.document_id.in_(some))
                for row in session.execute(these.execution_options(yield_per=_ROWS_A_FETCH)):
                    passage_id, document_id, document, headings, text, *vectors = row
                    made = {name: vector for name, vector in zip(embedders, vectors, strict=True) if vector}
                    yield IndexEntry(passage_id, document_id, document, headings, text, made)

    def embedded(self, embedder: str) -> int:
        """Return how many passages that may be found have a vector of this embedding model."""
        with Session(self._engine) as session:
            wanted = select(func.count()).select_from(VectorRow).join(PassageRow, PassageRow.id == VectorRow.passage_id)
            wanted = wanted.where(VectorRow.embedder == embedder, PassageRow.withheld.is_(None))
            return session.scalars(wanted).one()


def _earlier(session: Session, row: DocumentRow) -> str | None:
    """Return the id of the READY document that came from the same source, if there is one."""
    if row.source is None:
        return None
    same = and_(
        DocumentRow.source == row.source, DocumentRow.collection == row.collection, DocumentRow.label == row.label
    )
    ready = and_(same, DocumentRow.id != row.id, DocumentRow.state == DocumentState.READY.value)
    return session.scalars(select(DocumentRow.id).where(ready).order_by(DocumentRow.created_at.desc())).first()


def _come_from(session: Session, found: DocumentRow, source: str, moment: str) -> None:
    """Note where a document was found again; of the versions from there it is the latest."""
    others = and_(
        DocumentRow.source == source, DocumentRow.collection == found.collection, DocumentRow.label == found.label
    )
    found.source = source
    if session.scalars(select(DocumentRow.id).where(others, DocumentRow.id != found.id)).first() is not None:
        found.created_at = moment


def _visible(scope: Scope) -> ColumnElement[bool]:
    labels = true() if EVERYTHING in scope.labels else DocumentRow.label.in_(sorted(scope.labels))
    if EVERYTHING in scope.collections:
        return and_(true(), labels)
    return and_(labels, DocumentRow.collection.in_(sorted(scope.collections)))


def _in(collection: str | None) -> ColumnElement[bool]:
    return true() if collection is None else DocumentRow.collection == collection


def _not_found() -> DocumentNotFound:
    return DocumentNotFound(
        "There is no such document among those that you may see.",
        remedy="Check its id, or ask your administrator for access to its collection.",
    )
