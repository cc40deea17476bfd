"""Holds the searchable copy against the ledger, row by row, and names each row that is not what its entry says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Table, or_, select
from sqlalchemy.exc import SQLAlchemyError

from app.errors import CopyDiffers, LedgerUnavailable
from app.ledger.copying import TABLES, LedgerCopy, rows_of, size_in
from app.ledger.reading import LedgerReader

__all__ = ["Comparison", "compare", "require_equal"]

_CHUNK: Final = 500
_MOST: Final = 100
"""Differences that are named; a copy that was exchanged as a whole need not be listed to its end."""

Key = tuple[Any, ...]


@dataclass(slots=True)
class Comparison:
    """What was found: `rows` that were compared, entries that are not copied yet, and what differs, in words."""

    rows: int = 0
    behind: int = 0
    differences: list[str] = field(default_factory=list)


def compare(reader: LedgerReader, copy: LedgerCopy) -> Comparison:
    """Compare every row of the copy with what the ledger says now.

    Raises:
        LedgerCorrupt: an entry cannot be read; verify the ledger itself first.
        LedgerUnavailable: ledger or database cannot be read.
    """
    low = reader.minimum
    found = _compare(reader, copy, low)
    if reader.minimum != low:  # pruned meanwhile
        found = _compare(reader, copy, reader.minimum)
    return found


def _compare(reader: LedgerReader, copy: LedgerCopy, low: int) -> Comparison:
    found = Comparison()
    try:
        with copy.engine.connect() as connection:
            connection = _frozen(connection)
            high = size_in(connection)
            found.behind = max(0, reader.size - high)
            for start in range(low, high, _CHUNK):
                _compare_chunk(connection, reader, found, start, min(start + _CHUNK, high))
            for table in TABLES:
                for row in _invented(connection, table, low, high):
                    found.differences.append(f"{_name(table, row)} belongs to no entry that the copy can have")
    except SQLAlchemyError:
        raise LedgerUnavailable(
            "The searchable copy of the ledger cannot be read.", remedy="Check the database's disk or server."
        ) from None
    del found.differences[_MOST:]
    return found


def require_equal(found: Comparison) -> None:
    """Raise where something differs.

    Raises:
        CopyDiffers: names the first row, and says how many there are.
    """
    if found.differences:
        more = f" ({len(found.differences)} rows differ)" if len(found.differences) > 1 else ""
        raise CopyDiffers(
            f"The searchable copy is not what the ledger says: {found.differences[0]}{more}.",
            remedy="The ledger itself is intact. Find out who wrote to the database, then ./vouch audit rebuild.",
        )


def _frozen(connection: Connection) -> Connection:
    """See one state of the database from here on, whatever the follower copies meanwhile."""
    if connection.dialect.name != "sqlite":
        return connection.execution_options(isolation_level="REPEATABLE READ")
    connection.exec_driver_sql("BEGIN")  # which the driver leaves out before a read
    return connection


def _compare_chunk(connection: Connection, reader: LedgerReader, found: Comparison, start: int, end: int) -> None:
    if len(found.differences) >= _MOST:
        return
    due = rows_of(entry for entry in reader.entries(start, end - start) if entry.seq < end)
    for table, rows in due.items():
        expected = {_key(table, row): row for row in rows}
        query = select(table).where(table.c.seq >= start, table.c.seq < end)
        stored = {_key(table, row): row for row in map(dict, connection.execute(query).mappings())}
        found.rows += len(expected)
        for key in sorted(expected.keys() | stored.keys(), key=repr):
            if key not in stored:
                found.differences.append(f"{_name(table, expected[key])} is missing")
            elif key not in expected:
                found.differences.append(f"{_name(table, stored[key])} is in no entry")
            else:
                found.differences += _changed(table, expected[key], stored[key])


def _changed(table: Table, expected: dict[str, Any], stored: dict[str, Any]) -> Iterator[str]:
    for column, value in expected.items():
        if stored[column] != value:
            yield f"{_name(table, expected)}: {column} is {stored[column]!r}, the entry says {value!r}"


def _invented(connection: Connection, table: Table, low: int, high: int) -> list[dict[str, Any]]:
    query = select(table).where(or_(table.c.seq < low, table.c.seq >= high)).limit(_MOST)
    return [dict(row) for row in connection.execute(query).mappings()]


def _key(table: Table, row: dict[str, Any]) -> Key:
    return tuple(row[name] for name in TABLES[table])


def _name(table: Table, row: dict[str, Any]) -> str:
    return f"{table.name} row {', '.join(str(part) for part in _key(table, row))}"
