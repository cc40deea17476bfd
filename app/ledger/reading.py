"""Reads a ledger and re-derives it from its raw entries. Needs no right to write: an auditor can do it at any time.

Entries below the minimum index were pruned under the retention policy: their bodies are gone, their hashes are there,
so that the tree over all entries is the same as before. To ask for one of them is answered with `Pruned`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, Engine, Row, func, select, type_coerce
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import NullType

from app.answering.types import Receipt
from app.errors import LedgerCorrupt, LedgerError, LedgerUnavailable, NotFound, Pruned, StartFailed
from app.ledger.event import LedgerEvent
from app.ledger.merkle import CompactRange
from app.ledger.rederiving import PRUNE_INTENT, Rederivation, VerifyReport, corrupt
from app.ledger.schema import check_format, entries, meta

__all__ = ["PRUNE_INTENT", "Entry", "LedgerReader", "VerifyReport", "corrupt", "load_tree"]

_CHUNK: Final = 1000
"""Entries read at a time: a verification of any length holds a few megabytes."""

_LEAST: Final = -(2**63)
_LARGEST: Final = 2**63 - 1
"""What a store can hold as a number: a ledger begins with 0, but who tampers with one need not."""

_WINDOW: Final = """SELECT seq, body, leaf, peak, root, action, closes FROM ledger_entries
    WHERE seq >= {0} AND seq <= {0} ORDER BY seq"""
"""What a verification reads, by the bare driver: rows of SQLAlchemy cost as much again as the reading itself.

Bounded on both sides: with LIMIT instead, a PostgreSQL that has no statistics of a new ledger sorts all the rest of it
for each thousand.
"""

_stored: Final[tuple[Any, ...]] = tuple(type_coerce(column, NullType()).label(column.name) for column in entries.c)
"""The columns as they lie in the store: SQLite keeps any type in any column, and a conversion would trust it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it is stored: the event, the bytes that were hashed, and the hexadecimal hashes beside them.

    `root` is that of the tree that ends here, where a transaction ended here; `app.ledger.proving` makes any other.
    """

    seq: int
    event: LedgerEvent
    body: bytes
    leaf: str
    root: str | None


class LedgerReader:
    """Entries of a ledger, in order. Safe to use from many threads and beside a running writer."""

    def __init__(self, engine: Engine) -> None:
        """Open an existing ledger.

        Raises:
            StartFailed: there is none, its format is not known, or it cannot be read.
        """
        self._engine = engine
        try:
            with engine.connect() as connection:
                check_format(connection)
        except SQLAlchemyError:
            raise StartFailed(
                "The ledger cannot be read.", remedy="Check VOUCH_LEDGER_URL, the disk and the database server."
            ) from None

    @property
    def size(self) -> int:
        """Number of entries."""
        return self._tree().size

    @property
    def root(self) -> str:
        """Root over all entries, in hexadecimal."""
        return self._tree().root().hex()

    @property
    def minimum(self) -> int:
        """Index of the first entry that was not pruned; 0 where nothing was."""
        try:
            with self._engine.connect() as connection:
                value = connection.scalar(select(meta.c.value).where(meta.c.name == "minimum"))
        except SQLAlchemyError as error:
            raise _unreadable(error) from None
        try:
            return max(0, int(value or 0))
        except ValueError:
            raise corrupt("The minimum index of the ledger is no number.") from None

    def root_at(self, size: int) -> str | None:
        """Return the root over the first `size` entries, from the stored peaks; None where there are fewer."""
        try:
            with self._engine.connect() as connection:
                return _tree_of(connection, size).root().hex()
        except SQLAlchemyError as error:
            raise _unreadable(error) from None
        except LedgerCorrupt:
            return None

    def get(self, seq: int) -> Entry:
        """Return one entry.

        Raises:
            Pruned: its body went as the retention policy says.
            NotFound: the ledger has no such entry.
        """
        if 0 <= seq < (minimum := self.minimum):
            raise Pruned(
                f"Entry {seq} was pruned under the retention policy; its hash is still part of the ledger.",
                remedy=f"The entries that are kept begin at {minimum}.",
            )
        for entry in self.entries(seq, 1):
            if entry.seq == seq:
                return entry
        raise NotFound(f"The ledger has no entry {seq}.", remedy=f"Entries go from 0 to {self.size - 1}.")

    def entries(self, start: int = 0, limit: int = 100) -> tuple[Entry, ...]:
        """Return up to `limit` entries from `start` on that were not pruned."""
        return tuple(_entry(row) for row in self._rows(entries.c.seq >= max(start, self.minimum), limit=limit))

    def find(
        self, *, action: str | None = None, closes: int | None = None, start: int = 0, limit: int = 100
    ) -> tuple[Entry, ...]:
        """Return up to `limit` entries from `start` on that have this action and close this intent, where given."""
        wanted = [entries.c.seq >= max(start, self.minimum)]
        if action is not None:
            wanted.append(entries.c.action == action)
        if closes is not None:
            wanted.append(entries.c.closes == closes)
        return tuple(_entry(row) for row in self._rows(*wanted, limit=limit))

    def raw(self) -> Iterator[tuple[int, bytes | None]]:
        """Give number and hashed bytes of each entry that there is now, in order, without trusting any of it.

        The bytes of a pruned entry are None.
        """
        for seq, body, *_ in self._scan():
            yield seq, body

    def hashed(self) -> Iterator[tuple[int, bytes | None, bytes]]:
        """Give number, hashed bytes and stored leaf hash of each entry, as `raw` does: a pruned one has its hash."""
        for seq, body, leaf, *_ in self._scan():
            yield seq, body, leaf

    def verify(self, *, known: Iterable[Receipt] = ()) -> VerifyReport:
        """Re-derive every leaf, peak and root from the raw entries and compare them with what is stored.

        Args:
            known: Receipts that were kept elsewhere; the tree has to contain each of them.

        Raises:
            LedgerCorrupt: names the first entry that is wrong.
            LedgerUnavailable: the store cannot be read.

        Not covered:
            An operator who rewrites every entry from some point on together with its hashes, or cuts off the end. Only
            what has left his reach shows that: pass it as `known`.
        """
        checked = Rederivation(lambda: self.minimum, known={receipt.size: receipt.root for receipt in known})
        checked.take(self._scan())
        return checked.report()

    def _tree(self) -> CompactRange:
        try:
            with self._engine.connect() as connection:
                return load_tree(connection)
        except SQLAlchemyError as error:
            raise _unreadable(error) from None

    def _rows(self, *wanted: Any, limit: int) -> Sequence[Row[Any]]:
        query = select(*_stored).where(*wanted).order_by(entries.c.seq).limit(limit)
        try:
            with self._engine.connect() as connection:
                return connection.execute(query).all()
        except SQLAlchemyError as error:
            raise _unreadable(error) from None

    def _scan(self) -> Iterator[tuple[Any, ...]]:
        """Give all rows up to the one that is last now: a busy writer must not keep a verification from ending."""
        last = self._bound(func.max, _LEAST, _LARGEST)
        start = None if last is None else self._bound(func.min, _LEAST, last)
        while start is not None and last is not None and start <= last:
            rows = self._window(start, min(start + _CHUNK - 1, last))
            yield from rows
            start = rows[-1][0] + 1 if rows else self._bound(func.min, start, last)  # over a gap of whatever width

    def _window(self, first: int, last: int) -> list[tuple[Any, ...]]:
        sqlite = self._engine.dialect.name == "sqlite"
        try:
            with closing(self._engine.raw_connection()) as connection:
                # binary: PostgreSQL would send bytes as hexadecimal text
                cursor = connection.cursor() if sqlite else connection.cursor(binary=True)
                cursor.execute(_WINDOW.format("?" if sqlite else "%s"), (first, last))
                return list(cursor.fetchall())
        except (SQLAlchemyError, sqlite3.Error, psycopg.Error) as error:
            raise _unreadable(error) from None

    def _bound(self, end: Any, low: int, high: int) -> int | None:
        query = select(end(entries.c.seq)).where(entries.c.seq >= low, entries.c.seq <= high)
        try:
            with self._engine.connect() as connection:
                found: int | None = connection.scalar(query)
        except SQLAlchemyError as error:
            raise _unreadable(error) from None
        return found


def load_tree(connection: Connection) -> CompactRange:
    """Build the tree from the stored peaks, and hold it against the stored root.

    Raises:
        LedgerCorrupt: they do not fit.
    """
    last = connection.execute(select(*_stored).order_by(entries.c.seq.desc()).limit(1)).first()
    if last is None:
        return CompactRange()
    tree = _tree_of(connection, last.seq + 1)
    if tree.root() != last.root:
        raise corrupt(f"The root recorded after entry {last.seq} is not that of its peaks.")
    return tree


def _tree_of(connection: Connection, size: int) -> CompactRange:
    ends, end = [], 0
    for bit in reversed(range(size.bit_length())):
        if size >> bit & 1:
            end += 1 << bit
            ends.append(end - 1)
    query = select(*_stored).where(entries.c.seq.in_(ends)).order_by(entries.c.seq)
    try:
        return CompactRange(size, [row.peak for row in connection.execute(query)])
    except (ValueError, TypeError):
        raise corrupt(f"Entries up to {size - 1} are missing or have no peak.") from None


def _entry(row: Row[Any]) -> Entry:
    try:
        event = LedgerEvent.parse(row.body)
        return Entry(seq=row.seq, event=event, body=row.body, leaf=row.leaf.hex(), root=_hex(row.root))
    except (LedgerError, AttributeError):  # a hash of another type than bytes
        raise corrupt(f"Entry {row.seq} cannot be read.") from None


def _hex(root: bytes | None) -> str | None:
    return None if root is None else root.hex()


def _unreadable(error: Exception) -> LedgerError:
    name = str(getattr(getattr(error, "orig", error), "sqlite_errorname", ""))
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return corrupt("The ledger's database file is damaged.")
    return LedgerUnavailable(
        "The ledger's store cannot be read.", remedy="Check the disk or the database server of the ledger."
    )
