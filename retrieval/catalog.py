"""The catalog: what documents there are, who may see them, how far each is, and the passages that they became.

Every read on behalf of a caller takes a `Scope`, and the scope is part of the SQL: what it does not allow is not
found, and the two are not told apart. The first statement of every writing transaction is a write, so that SQLite takes
its write lock at once and waits for it, instead of failing half-way.
"""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Engine, and_, delete, func, insert, null, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from retrieval.errors import DocumentNotFound, RetrievalError
from retrieval.rows import (
    NAME_LENGTH,
    PageText,
    PassageDraft,
    document_of,
    page_values,
    passage_of,
    passage_values,
    storable,
)
from retrieval.tables import Base, DocumentRow, GenerationRow, PageRow, PassageRow, metadata, now
from retrieval.types import EVERYTHING, Document, DocumentState, Passage, Scope

__all__ = ["Base", "Catalog", "Claim", "IndexEntry", "PageText", "PassageDraft", "Searchable", "metadata"]

_IDS_A_STATEMENT: Final = 500  # SQLite's oldest limit on bound values is 999
_ROWS_A_FETCH: Final = 1000
_BUSY: Final = (DocumentState.PARSING.value, DocumentState.INDEXING.value)

_Id = TypeVar("_Id", int, str)


@dataclass(frozen=True, slots=True)
class Claim:
    """A document that one worker holds; `token` proves it, until someone else takes the document over."""

    document: Document
    token: str


@dataclass(frozen=True, slots=True)
class Searchable:
    """A READY document as the index sees it. `embedder` is the identity of the model that made its vectors."""

    id: str
    label: str
    collection: str
    embedder: str | None


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A passage as the index sees it."""

    id: int
    document_id: str
    document: str
    headings: Sequence[str]
    text: str
    embedding: bytes | None


class Catalog:
    """Documents, pages and passages in SQL. Safe to share between threads; several processes may use one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # documents

    def add(self, *, name: str, media_type: str, size: int, sha256: str, collection: str, label: str) -> Document:
        """Queue a document and return it.

        A document with the same bytes, collection and label is returned instead; one that failed is queued again.
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
            created_at=moment,
            updated_at=moment,
        )
        same = and_(DocumentRow.sha256 == sha256, DocumentRow.collection == collection, DocumentRow.label == label)
        try:
            with Session(self._engine) as session, session.begin():
                session.add(row)
                session.flush()
                return document_of(row)
        except IntegrityError:
            with Session(self._engine) as session, session.begin():
                again = and_(same, DocumentRow.state == DocumentState.FAILED.value)
                session.execute(update(DocumentRow).where(again).values(**_fresh()))
                return document_of(session.scalars(select(DocumentRow).where(same)).one())

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
            if _rows(session, update(DocumentRow).where(mine).values(updated_at=now())) == 0:
                raise _not_found()
            gone = document_of(session.get_one(DocumentRow, document_id))
            session.execute(delete(PassageRow).where(PassageRow.document_id == document_id))
            session.execute(delete(PageRow).where(PageRow.document_id == document_id))
            session.execute(delete(DocumentRow).where(DocumentRow.id == document_id))
            _advance(session)
            return gone

    def holds(self, sha256: str) -> bool:
        """Say whether any document still has these bytes; used to decide whether their file may go."""
        with Session(self._engine) as session:
            return session.scalars(select(DocumentRow.id).where(DocumentRow.sha256 == sha256)).first() is not None

    # the queue

    def next_queued(self) -> Claim | None:
        """Take the oldest queued document, or return None. Two workers never take the same one."""
        oldest = (
            select(DocumentRow.id)
            .where(DocumentRow.state == DocumentState.QUEUED.value)
            .order_by(DocumentRow.created_at, DocumentRow.id)
            .limit(1)
        )
        while True:
            with Session(self._engine) as session:
                document_id = session.scalars(oldest).first()
            if document_id is None:
                return None
            token = uuid.uuid4().hex
            free = and_(DocumentRow.id == document_id, DocumentRow.state == DocumentState.QUEUED.value)
            taken = update(DocumentRow).where(free)
            taken = taken.values(state=DocumentState.PARSING.value, claim=token, updated_at=now())
            with Session(self._engine) as session, session.begin():
                if _rows(session, taken):
                    return Claim(document=document_of(session.get_one(DocumentRow, document_id)), token=token)

    def progress(self, claim: Claim, *, pages_done: int, pages: int, state: DocumentState) -> bool:
        """Record how far a document is. False when the claim was lost: the worker must drop the document."""
        values: dict[str, Any] = {"pages_done": pages_done, "pages": pages, "state": state.value, "updated_at": now()}
        with Session(self._engine) as session, session.begin():
            return _rows(session, update(DocumentRow).where(_held(claim)).values(values)) == 1

    def fail(self, claim: Claim, error: RetrievalError) -> bool:
        """Record why a document could not become passages. False when the claim was lost."""
        values: dict[str, Any] = {
            "state": DocumentState.FAILED.value,
            "claim": None,
            "updated_at": now(),
            "error_code": error.code,
        }
        values |= {"error": error.message, "remedy": error.remedy}
        with Session(self._engine) as session, session.begin():
            return _rows(session, update(DocumentRow).where(_held(claim)).values(values)) == 1

    def finish(
        self,
        claim: Claim,
        *,
        pages: Sequence[PageText],
        passages: Sequence[PassageDraft],
        media_type: str,
        embedder: str | None,
    ) -> bool:
        """Store pages and passages and make the document READY, in one transaction: all of it can be found, or nothing.

        Returns:
            False when the claim was lost; then nothing was written.
        """
        values: dict[str, Any] = {
            "state": DocumentState.READY.value,
            "claim": None,
            "media_type": media_type,
            "embedder": embedder,
        }
        values |= {"pages": len(pages), "pages_done": len(pages), "passages": len(passages), "updated_at": now()}
        document_id = claim.document.id
        with Session(self._engine) as session, session.begin():
            if _rows(session, update(DocumentRow).where(_held(claim)).values(values)) == 0:
                return False
            if pages:
                session.execute(insert(PageRow), [page_values(document_id, page) for page in pages])
            if passages:
                drafts = [passage_values(document_id, place, draft) for place, draft in enumerate(passages)]
                session.execute(insert(PassageRow), drafts)
            _advance(session)
            return True

    def release(self, claim: Claim) -> bool:
        """Queue a held document again, untouched. False when the claim was lost."""
        with Session(self._engine) as session, session.begin():
            return _rows(session, update(DocumentRow).where(_held(claim)).values(**_fresh())) == 1

    def waiting(self, document_ids: Sequence[str]) -> int:
        """Return how many of these documents are neither READY nor FAILED nor gone."""
        open_states = (DocumentState.QUEUED.value, *_BUSY)
        with Session(self._engine) as session:
            return sum(
                session.scalars(
                    select(func.count())
                    .select_from(DocumentRow)
                    .where(DocumentRow.id.in_(some), DocumentRow.state.in_(open_states))
                ).one()
                for some in _portions(document_ids)
            )

    def requeue_interrupted(self, *, silent_for_s: float = 0.0) -> int:
        """Queue again what a worker left half-way; called at start.

        Args:
            silent_for_s: only documents without progress for so long, in seconds, where other workers may be alive.

        Returns:
            How many documents were queued again.
        """
        before = (datetime.now(tz=UTC) - timedelta(seconds=silent_for_s)).isoformat(timespec="microseconds")
        left = and_(DocumentRow.state.in_(_BUSY), DocumentRow.updated_at <= before.replace("+00:00", "Z"))
        with Session(self._engine) as session, session.begin():
            return _rows(session, update(DocumentRow).where(left).values(**_fresh()))

    # passages and pages

    def passages(self, ids: Sequence[int], scope: Scope) -> builtins.list[Passage]:
        """Return the passages with these ids, in their order; what is gone or hidden from the scope is left out."""
        found: dict[int, Passage] = {}
        with Session(self._engine) as session:
            for some in _portions(ids):
                wanted = (
                    select(PassageRow, DocumentRow.name)
                    .join(DocumentRow, DocumentRow.id == PassageRow.document_id)
                    .where(PassageRow.id.in_(some), _visible(scope))
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
        columns = (DocumentRow.id, DocumentRow.label, DocumentRow.collection, DocumentRow.embedder, generation)
        ready = select(*columns).where(DocumentRow.state == DocumentState.READY.value)
        with Session(self._engine) as session:
            rows = session.execute(ready).all()
        return (rows[0][-1] or 0) if rows else before, [Searchable(*row[:-1]) for row in rows]

    def contents(self, document_ids: Sequence[str], *, vectors: bool) -> Iterator[IndexEntry]:
        """Give the passages of these documents; without `vectors` their embeddings are left out."""
        embedding = PassageRow.embedding if vectors else null()
        owner = (PassageRow.document_id, DocumentRow.name)
        columns = (PassageRow.id, *owner, PassageRow.headings, PassageRow.text, embedding)
        with Session(self._engine) as session:
            for some in _portions(document_ids):
                wanted = select(*columns).join(DocumentRow, DocumentRow.id == PassageRow.document_id)
                wanted = wanted.where(PassageRow.document_id.in_(some)).order_by(PassageRow.id)
                for row in session.execute(wanted.execution_options(yield_per=_ROWS_A_FETCH)):
                    yield IndexEntry(*row)

    def embedded(self, embedder: str) -> int:
        """Return how many passages have a vector of this embedding model."""
        with Session(self._engine) as session:
            wanted = select(func.count()).select_from(PassageRow).join(DocumentRow)
            wanted = wanted.where(DocumentRow.embedder == embedder, PassageRow.embedding.is_not(None))
            return session.scalars(wanted).one()


def _portions(ids: Sequence[_Id]) -> Iterator[Sequence[_Id]]:
    for at in range(0, len(ids), _IDS_A_STATEMENT):
        yield ids[at : at + _IDS_A_STATEMENT]


def _visible(scope: Scope) -> ColumnElement[bool]:
    labels = true() if EVERYTHING in scope.labels else DocumentRow.label.in_(sorted(scope.labels))
    if EVERYTHING in scope.collections:
        return and_(true(), labels)
    return and_(labels, DocumentRow.collection.in_(sorted(scope.collections)))


def _in(collection: str | None) -> ColumnElement[bool]:
    return true() if collection is None else DocumentRow.collection == collection


def _held(claim: Claim) -> ColumnElement[bool]:
    return and_(DocumentRow.id == claim.document.id, DocumentRow.claim == claim.token)


def _rows(session: Session, statement: Any) -> int:
    """Execute an UPDATE and return how many rows it matched; SQLAlchemy types the result too widely to ask it."""
    return int(session.execute(statement, execution_options={"synchronize_session": False}).rowcount)  # type: ignore[attr-defined]


def _advance(session: Session) -> None:
    grown = update(GenerationRow).where(GenerationRow.id == 1).values(value=GenerationRow.value + 1)
    if _rows(session, grown):
        return
    try:
        with session.begin_nested():
            session.execute(insert(GenerationRow).values(id=1, value=1))
    except IntegrityError:  # another worker wrote the first row between the two statements
        _rows(session, grown)


def _fresh() -> dict[str, Any]:
    """Values of a row that waits in the queue, whatever it was before."""
    errors = dict.fromkeys(("claim", "error_code", "error", "remedy"))
    return errors | {"state": DocumentState.QUEUED.value, "pages_done": 0, "pages": 0, "updated_at": now()}


def _not_found() -> DocumentNotFound:
    return DocumentNotFound(
        "There is no such document among those that you may see.",
        remedy="Check its id, or ask your administrator for access to its collection.",
    )
