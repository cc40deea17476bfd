"""The ledger's searchable copy: tables in the database with one row an entry, filled by following the ledger.

The copy is for finding; the ledger is the record. Every row follows from one entry by `rows_of`, so that the copy can
be made anew at any time and can be held against the ledger row by row. It is filled by whoever follows (a thread of the
service, or a command), never by whoever appends: an append does not wait for it.

The copy knows up to which entry it goes and the tree's root there. A ledger that is shorter than its copy, or has
another root at that place, was put back from an older copy or exchanged: that is said, and nothing is copied.

Not covered:
    A person who may write to the database can make a search find what they like until the next `compare`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table, delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from app.errors import CopyDiffers, LedgerUnavailable
from app.ledger.facts import answer_of, documents_of, domain_of, verdicts_of
from app.ledger.merkle import empty_root
from app.ledger.reading import Entry, LedgerReader
from app.storage.tables import audit_documents, audit_events, audit_position, audit_verdicts

__all__ = ["TABLES", "LedgerCopy", "Rows", "rows_of", "size_in"]

TABLES: Final[dict[Table, tuple[str, ...]]] = {
    audit_events: ("seq",),
    audit_documents: ("seq", "ordinal"),
    audit_verdicts: ("seq", "verdict"),
}
"""The tables of the copy, with the columns that name a row."""

Rows = dict[Table, list[dict[str, Any]]]

_BATCH: Final = 500
"""Entries in a transaction: bounds how long other writers of the database wait."""


@dataclass(frozen=True, slots=True)
class _Position:
    next: int
    root: str


class LedgerCopy:
    """The copy of one ledger. Safe to use from many threads and processes."""

    def __init__(self, engine: Engine, reader: LedgerReader) -> None:
        """Use a migrated database and a ledger."""
        self._engine = engine
        self._reader = reader

    @property
    def engine(self) -> Engine:
        """The database that holds the copy."""
        return self._engine

    @property
    def size(self) -> int:
        """The first entry that the copy does not have yet."""
        try:
            with self._engine.connect() as connection:
                return size_in(connection)
        except SQLAlchemyError:
            raise _unavailable() from None

    def catch_up(self) -> int:
        """Copy what is new; return how many entries that were.

        Raises:
            CopyDiffers: the copy is not of this ledger, or of a state of it that is gone.
            LedgerUnavailable: ledger or database cannot be used.
        """
        done = 0
        while copied := self._advance():
            done += copied
        return done

    def rebuild(self) -> int:
        """Throw the copy away and make it anew; return how many entries it has."""
        try:
            with self._engine.begin() as connection:
                for table in TABLES:
                    connection.execute(delete(table))
                connection.execute(update(audit_position).values(next=0, root=empty_root().hex()))
        except SQLAlchemyError:
            raise _unavailable() from None
        self.catch_up()
        return self.size  # a service that runs beside this may have filled it meanwhile

    def _advance(self) -> int:
        size = self._reader.size
        try:
            with self._engine.connect() as connection, connection.begin():
                if connection.dialect.name == "sqlite":
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                position = _position(connection, locked=True)
                self._check(position, size)
                minimum = self._reader.minimum
                for table in TABLES if minimum else ():
                    connection.execute(delete(table).where(table.c.seq < minimum))
                found = self._reader.entries(position.next, _BATCH) if position.next < size else ()
                for table, rows in rows_of(found).items():
                    if rows:
                        connection.execute(insert(table), rows)
                if found:
                    reached = {"next": found[-1].seq + 1, "root": found[-1].root}
                    connection.execute(update(audit_position).values(reached))
                return len(found)
        except SQLAlchemyError:
            raise _unavailable() from None

    def _check(self, position: _Position, size: int) -> None:
        if position.next > size:
            raise _differs(f"The searchable copy has {position.next} entries, the ledger only {size}.")
        if self._reader.root_at(position.next) != position.root:
            raise _differs(
                f"The searchable copy was made from another ledger: entry {position.next - 1} has another root."
            )


def rows_of(found: Iterable[Entry]) -> Rows:
    """Return the copy's rows of some entries."""
    rows: Rows = {table: [] for table in TABLES}
    for entry in found:
        event = entry.event
        rows[audit_events].append(
            {
                "seq": event.seq,
                "time": event.time,
                "actor": _text(event.actor.subject),
                "method": _text(event.actor.method),
                "action": event.action,
                "outcome": event.outcome,
                "domain": _text(domain_of(event)),
                "answer_id": _text(answer_of(event)),
                "closes": event.closes,
                "leaf": entry.leaf,
            }
        )
        for ordinal, use in enumerate(documents_of(event)):
            digest, document = _text(use.digest), _text(use.document_id)
            rows[audit_documents].append(
                {"seq": event.seq, "ordinal": ordinal, "document_id": document, "digest": digest, "role": use.role}
            )
        for verdict, claims in verdicts_of(event).items():
            rows[audit_verdicts].append({"seq": event.seq, "verdict": _text(verdict), "claims": claims})
    return rows


def size_in(connection: Connection) -> int:
    """Return the first entry that the copy does not have yet, as this connection sees it."""
    return _position(connection).next


def _text(value: str | None) -> str | None:
    return value.replace("\0", "\ufffd") if value is not None else None  # PostgreSQL's text has no NUL


def _position(connection: Connection, *, locked: bool = False) -> _Position:
    query = select(audit_position.c.next, audit_position.c.root).where(audit_position.c.id == 1)
    row = connection.execute(query.with_for_update() if locked else query).one()  # the migration made it
    return _Position(row.next, row.root)


def _differs(problem: str) -> CopyDiffers:
    return CopyDiffers(
        problem,
        remedy="If the ledger was put back from an older copy, entries are lost: keep this database as evidence and"
        " look for the newer ledger. Then ./vouch audit rebuild makes the copy anew.",
    )


def _unavailable() -> LedgerUnavailable:
    return LedgerUnavailable(
        "The searchable copy of the ledger cannot be used.", remedy="Check the database's disk or server."
    )
