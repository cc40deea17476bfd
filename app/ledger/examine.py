"""Finds entries: by person, time, domain, document, verdict, outcome, action; and tells one answer's whole story.

Searches go through the searchable copy; what is told of an answer is read from the ledger itself. Pages go from the
newest entry to the oldest, and a page is named by the entry that it begins before: new entries do not move it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy import ColumnElement, Engine, func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from app.errors import LedgerUnavailable
from app.storage.tables import audit_documents, audit_events, audit_verdicts

__all__ = ["Found", "Page", "Query", "answer_entries", "find"]

_LONGEST: Final = 256
_IN: Final = 500
"""Values in one IN list, far under what either database takes."""


class Query(BaseModel):
    """What is looked for; all that is given must hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    person: str | None = Field(default=None, max_length=_LONGEST, description="Subject who acted.")
    since: str | None = Field(default=None, max_length=40, description="From this time on: a date, or RFC 3339.")
    until: str | None = Field(default=None, max_length=40, description="Before this time.")
    domain: str | None = Field(default=None, max_length=_LONGEST, description="Domain of the answer.")
    document: str | None = Field(default=None, max_length=_LONGEST, description="Id of a document that was used.")
    digest: str | None = Field(
        default=None,
        max_length=_LONGEST,
        description="SHA-256 of a passage, or of a file: the entries that used this version of the document.",
    )
    verdict: str | None = Field(default=None, max_length=64, description="supported, contradicted or unsupported.")
    outcome: str | None = Field(default=None, max_length=64, description="ok, denied, error, …")
    action: str | None = Field(default=None, max_length=_LONGEST, description="answer.outcome; `answer.` for all such.")
    answer: str | None = Field(default=None, max_length=64, description="Id of an answer.")
    before: int | None = Field(default=None, ge=0, le=2**53, description="Entries before this one: `next` of a page.")
    limit: int = Field(default=100, ge=1, le=10_000, description="Most entries of a page.")

    @field_validator("since", "until")
    @classmethod
    def _time(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            found = datetime.fromisoformat(value)
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValueError("not a date or time; write 2026-01-31 or 2026-01-31T12:00:00Z") from None
        return found.isoformat(timespec="microseconds").replace("+00:00", "Z")

    def asked(self) -> dict[str, Any]:
        """Return what was asked for, for the record of the search."""
        return self.model_dump(exclude_none=True)


class Found(BaseModel):
    """An entry as a search shows it. `verdicts` counts claims, `documents` pieces of evidence."""

    seq: int
    time: str
    actor: str
    method: str
    action: str
    outcome: str
    domain: str | None
    answer_id: str | None
    closes: int | None
    leaf: str
    verdicts: dict[str, int]
    documents: int


class Page(BaseModel):
    """A page of what was found, newest first; `next` is the `before` of the page after it, None on the last."""

    rows: list[Found]
    next: int | None


def find(engine: Engine, query: Query) -> Page:
    """Return a page of entries.

    Raises:
        LedgerUnavailable: the database cannot be read.
    """
    wanted = select(audit_events).where(*_conditions(query)).order_by(audit_events.c.seq.desc()).limit(query.limit + 1)
    try:
        with engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(wanted).mappings()]
            more = len(rows) > query.limit
            rows = rows[: query.limit]
            seqs = [row["seq"] for row in rows]
            verdicts: defaultdict[int, dict[str, int]] = defaultdict(dict)
            documents: dict[int, int] = {}
            for part in (seqs[start : start + _IN] for start in range(0, len(seqs), _IN)):
                for row in connection.execute(select(audit_verdicts).where(audit_verdicts.c.seq.in_(part))):
                    verdicts[row.seq][row.verdict] = row.claims
                counted = select(audit_documents.c.seq, func.count()).where(audit_documents.c.seq.in_(part))
                documents |= {seq: count for seq, count in connection.execute(counted.group_by(audit_documents.c.seq))}
    except SQLAlchemyError:
        raise _unavailable() from None
    found = [Found(**row, verdicts=verdicts[row["seq"]], documents=documents.get(row["seq"], 0)) for row in rows]
    return Page(rows=found, next=seqs[-1] if more else None)


def answer_entries(engine: Engine, answer_id: str) -> Sequence[int]:
    """Return the entries that belong to an answer, oldest first."""
    query = select(audit_events.c.seq).where(audit_events.c.answer_id == answer_id).order_by(audit_events.c.seq)
    try:
        with engine.connect() as connection:
            return connection.scalars(query.limit(100)).all()
    except SQLAlchemyError:
        raise _unavailable() from None


def _conditions(query: Query) -> list[ColumnElement[bool]]:
    events, conditions = audit_events.c, []
    for column, value in (
        (events.actor, query.person),
        (events.domain, query.domain),
        (events.outcome, query.outcome),
        (events.answer_id, query.answer),
    ):
        if value is not None:
            conditions.append(column == value)
    if query.action is not None:
        conditions.append(
            events.action.startswith(query.action, autoescape=True)
            if query.action.endswith(".")
            else events.action == query.action
        )
    if query.since is not None:
        conditions.append(events.time >= query.since)
    if query.until is not None:
        conditions.append(events.time < query.until)
    if query.before is not None:
        conditions.append(events.seq < query.before)
    if query.verdict is not None:
        conditions.append(events.seq.in_(select(audit_verdicts.c.seq).where(audit_verdicts.c.verdict == query.verdict)))
    if query.document is not None:
        conditions.append(
            events.seq.in_(select(audit_documents.c.seq).where(audit_documents.c.document_id == query.document))
        )
    if query.digest is not None:
        conditions.append(events.seq.in_(_uses_of(query.digest.lower())))
    return conditions


def _uses_of(digest: str) -> Any:
    """Return the entries that used a passage with this digest, or any passage of the file with this digest."""
    uses = audit_documents.alias()
    added = select(uses.c.document_id).where(uses.c.digest == digest, uses.c.role == "added")
    return select(audit_documents.c.seq).where(
        or_(audit_documents.c.digest == digest, audit_documents.c.document_id.in_(added))
    )


def _unavailable() -> LedgerUnavailable:
    return LedgerUnavailable(
        "The searchable copy of the ledger cannot be read.", remedy="Check the database's disk or server."
    )
