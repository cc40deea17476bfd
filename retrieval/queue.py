"""The queue of the ingestion: which documents wait, who holds which, and how each of them ends.

A document's row is its own entry in the queue, so nothing can be in one and not in the other. A worker claims a row,
and what it writes afterwards is written only while its claim holds. The first statement of every writing transaction is
a write, so that SQLite takes its write lock at once and waits for it, instead of failing half-way.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Engine, and_, func, insert, select, update
from sqlalchemy.orm import Session

from retrieval.errors import RetrievalError
from retrieval.rows import PageText, PassageDraft, document_of, page_values, passage_values
from retrieval.statements import advance, matched, portions, remove
from retrieval.tables import DocumentRow, PageRow, PassageRow, VectorRow, now
from retrieval.types import Document, DocumentFacts, DocumentState, Remark

__all__ = ["Claim", "Outcome", "Queue", "waiting_again"]

_BUSY: Final = (DocumentState.PARSING.value, DocumentState.INDEXING.value)


@dataclass(frozen=True, slots=True)
class Claim:
    """A document that one worker holds; `token` proves it, until someone else takes the document over."""

    document: Document
    token: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that a document became: what `finish` stores."""

    media_type: str
    pages: Sequence[PageText]
    passages: Sequence[PassageDraft]
    facts: DocumentFacts = field(default_factory=DocumentFacts)
    remarks: Sequence[Remark] = ()


class Queue:
    """The documents that are not done. Safe to share between threads; several processes may work on one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def next_queued(self, *, strict: bool = True, single: bool = False, most_pages: int | None = None) -> Claim | None:
        """Take a queued document, or return None. Two workers never take the same one.

        Args:
            strict: the oldest; else the oldest that came alone goes before those that came with many others.
            single: only one that came alone.
            most_pages: none that is known to have more, which `defer` has told.
        """
        bulk = () if strict else (DocumentRow.bulk,)
        wanted = DocumentRow.state == DocumentState.QUEUED.value
        if single:
            wanted = and_(wanted, DocumentRow.bulk.is_(False))
        if most_pages is not None:
            wanted = and_(wanted, DocumentRow.pages <= most_pages)
        turn = select(DocumentRow.id).where(wanted).order_by(*bulk, DocumentRow.created_at, DocumentRow.id).limit(1)
        while True:
            with Session(self._engine) as session:
                document_id = session.scalars(turn).first()
            if document_id is None:
                return None
            token = uuid.uuid4().hex
            free = and_(DocumentRow.id == document_id, DocumentRow.state == DocumentState.QUEUED.value)
            taken = update(DocumentRow).where(free)
            taken = taken.values(state=DocumentState.PARSING.value, claim=token, updated_at=now())
            with Session(self._engine) as session, session.begin():
                if matched(session, taken):
                    return Claim(document=document_of(session.get_one(DocumentRow, document_id)), token=token)

    def defer(self, claim: Claim, *, pages: int) -> bool:
        """Queue a held document again that turned out to be long. False when the claim was lost."""
        values = {**waiting_again(), "pages": pages}
        with Session(self._engine) as session, session.begin():
            return matched(session, update(DocumentRow).where(_held(claim)).values(**values)) == 1

    def keep(self, claims: Sequence[Claim]) -> list[Claim]:
        """Give a sign of life of many documents; return those that were lost."""
        kept: set[str | None] = set()
        for some in portions([claim.token for claim in claims]):
            mine = DocumentRow.claim.in_(some)
            with Session(self._engine) as session, session.begin():
                matched(session, update(DocumentRow).where(mine).values(updated_at=now()))
                kept.update(session.scalars(select(DocumentRow.claim).where(mine)))
        return [claim for claim in claims if claim.token not in kept]

    def progress(self, claim: Claim, *, pages_done: int, pages: int, state: DocumentState) -> bool:
        """Record how far a document is. False when the claim was lost: the worker must drop the document."""
        values: dict[str, Any] = {"pages_done": pages_done, "pages": pages, "state": state.value, "updated_at": now()}
        with Session(self._engine) as session, session.begin():
            return matched(session, update(DocumentRow).where(_held(claim)).values(values)) == 1

    def fail(self, claim: Claim, error: RetrievalError) -> bool:
        """Record why a document could not become passages. False when the claim was lost.

        What it should have replaced stays as it is.
        """
        values: dict[str, Any] = {
            "state": DocumentState.FAILED.value,
            "claim": None,
            "updated_at": now(),
            "error_code": error.code,
        }
        values |= {"error": error.message, "remedy": error.remedy}
        with Session(self._engine) as session, session.begin():
            return matched(session, update(DocumentRow).where(_held(claim)).values(values)) == 1

    def versions(self, claim: Claim) -> list[str]:
        """Return the SHA-256 of all that came from a document's source, its own last; nothing when it alone did.

        Some of them go when it is finished; whoever keeps their files looks then which.
        """
        with Session(self._engine) as session:
            row = session.get(DocumentRow, claim.document.id)
            if row is None or row.source is None:
                return []
            others = session.scalars(select(DocumentRow.sha256).where(_from_there(row))).all()
            return [*others, row.sha256] if others else []

    def retire(self, document: Document) -> list[str]:
        """Remove the versions before a READY document that was found to come from there; return their SHA-256."""
        with Session(self._engine) as session, session.begin():
            ready = and_(DocumentRow.id == document.id, DocumentRow.state == DocumentState.READY.value)
            if matched(session, update(DocumentRow).where(ready).values(updated_at=now())) == 0:
                return []
            earlier = _earlier(session, session.get_one(DocumentRow, document.id))
            gone = [row.sha256 for row in earlier]
            for document_id in [row.id for row in earlier]:
                remove(session, document_id)
            if gone:
                advance(session)
            return gone

    def finish(self, claim: Claim, outcome: Outcome) -> bool:
        """Store what a document became and make it READY, in one transaction: all of it can be found, or nothing.

        Every version that came from its source before goes in the same transaction, so that there are never two and
        never none. When a later version is READY already, this one goes instead.

        Returns:
            False when the claim was lost or the document went; then nothing of it is there.
        """
        document_id = claim.document.id
        with Session(self._engine) as session, session.begin():
            if matched(session, update(DocumentRow).where(_held(claim)).values(_ready(outcome))) == 0:
                return False
            row = session.get_one(DocumentRow, document_id)
            if _is_outdated(session, row):
                remove(session, document_id)
                return False
            if outcome.pages:
                session.execute(insert(PageRow), [page_values(document_id, page) for page in outcome.pages])
            if outcome.passages:
                drafts = [passage_values(document_id, place, draft) for place, draft in enumerate(outcome.passages)]
                session.execute(insert(PassageRow), drafts)
                _add_vectors(session, document_id, outcome.passages)
            for earlier in [version.id for version in _earlier(session, row)]:
                remove(session, earlier)
            advance(session)
            return True

    def release(self, claim: Claim) -> bool:
        """Queue a held document again, untouched. False when the claim was lost."""
        with Session(self._engine) as session, session.begin():
            return matched(session, update(DocumentRow).where(_held(claim)).values(**waiting_again())) == 1

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
                for some in portions(document_ids)
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
            return matched(session, update(DocumentRow).where(left).values(**waiting_again()))


def waiting_again() -> Mapping[str, Any]:
    """Return the values of a row that waits in the queue, whatever it was before."""
    errors = dict.fromkeys(("claim", "error_code", "error", "remedy"))
    return errors | {"state": DocumentState.QUEUED.value, "pages_done": 0, "pages": 0, "updated_at": now()}


def _held(claim: Claim) -> ColumnElement[bool]:
    return and_(DocumentRow.id == claim.document.id, DocumentRow.claim == claim.token)


def _from_there(row: DocumentRow) -> ColumnElement[bool]:
    """Return the condition of the other versions of a document that has a source."""
    same = and_(
        DocumentRow.source == row.source, DocumentRow.collection == row.collection, DocumentRow.label == row.label
    )
    return and_(same, DocumentRow.id != row.id)


def _earlier(session: Session, row: DocumentRow) -> Sequence[DocumentRow]:
    """Return the versions that were submitted before this one, however far they came."""
    if row.source is None:
        return ()
    return session.scalars(
        select(DocumentRow).where(_from_there(row), DocumentRow.created_at <= row.created_at).order_by(DocumentRow.id)
    ).all()


def _is_outdated(session: Session, row: DocumentRow) -> bool:
    if row.source is None:
        return False
    later = and_(DocumentRow.created_at > row.created_at, DocumentRow.state == DocumentState.READY.value)
    return session.scalars(select(DocumentRow.id).where(_from_there(row), later)).first() is not None


def _ready(outcome: Outcome) -> dict[str, Any]:
    pages = len(outcome.pages)
    return {
        "state": DocumentState.READY.value,
        "claim": None,
        "media_type": outcome.media_type,
        "pages": pages,
        "pages_done": pages,
        "passages": len(outcome.passages),
        "withheld": sum(draft.withheld is not None for draft in outcome.passages),
        "facts": outcome.facts.model_dump(mode="json", exclude_none=True),
        "remarks": [remark.model_dump(mode="json", exclude_defaults=True) for remark in outcome.remarks],
        "updated_at": now(),
    }


def _add_vectors(session: Session, document_id: str, passages: Sequence[PassageDraft]) -> None:
    if not any(draft.vectors for draft in passages):
        return
    places = select(PassageRow.ordinal, PassageRow.id).where(PassageRow.document_id == document_id)
    ids = {place: passage_id for place, passage_id in session.execute(places)}
    rows = [
        {"passage_id": ids[place], "embedder": embedder, "vector": vector}
        for place, draft in enumerate(passages)
        for embedder, vector in draft.vectors.items()
    ]
    session.execute(insert(VectorRow), rows)
