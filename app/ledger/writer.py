"""Makes sure that one process, and one connection in it, writes a ledger.

Two writers would each extend the tree that they know, and one of the two trees would be false. On SQLite the right to
write is an advisory lock on a file beside the database; on PostgreSQL it is an advisory lock of the writing
connection itself, so that it is lost exactly when the writing is. Both end with the process that holds them, however
that ends.

Not covered:
    Network file systems without `flock`; poolers that share a PostgreSQL session among clients; a process that writes
    to the tables without asking for the lock (the order trigger and a verification are there for that).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.errors import LedgerUnavailable, StartFailed
from app.ledger.schema import entries
from app.ledger.sequencing import Row

__all__ = ["ExclusiveWriter"]

_ADVISORY_LOCK: Final = "SELECT pg_advisory_lock(hashtextextended('vouch ledger ' || current_schema(), 0))"
_PATIENCE: Final = "2s"
"""PostgreSQL takes a moment to notice that the client of a session, and so the last writer, is gone."""
_LOCK_NOT_AVAILABLE: Final = "55P03"  # PostgreSQL, appendix A: a lock_timeout ran out

_LONGEST_STATEMENT: Final = 512
"""Rows; times seven columns they stay far under what a statement may have: 32,766 parameters on SQLite."""

_log = structlog.get_logger()


class ExclusiveWriter:
    """The only connection that may write a ledger; it opens again after a failure."""

    def __init__(self, engine: Engine) -> None:
        """Take the right to write.

        Raises:
            StartFailed: another process holds it, or the place of the ledger cannot be written.
        """
        self._engine = engine
        self._failure: type[Exception] = engine.dialect.loaded_dbapi.Error
        self._connection: Connection | None = None
        self._lock: _FileLock | None = None
        self._closed = False
        try:
            if engine.dialect.name == "sqlite":
                self._lock = _FileLock(_file_of(engine))
            self.connection()
        except LedgerUnavailable as error:
            self.close()
            raise StartFailed(error.message, remedy=error.remedy) from None
        except BaseException:
            self.close()
            raise

    @property
    def is_open(self) -> bool:
        """Whether the right to write was held without a break since `connection` was last called."""
        return self._connection is not None

    def connection(self) -> Connection:
        """Return the connection that may write, opened and locked anew where the last one was dropped.

        Raises:
            LedgerUnavailable: the store cannot be reached, another process took the right to write meanwhile, or it was
                given back.
        """
        if self._closed:
            raise LedgerUnavailable("The ledger is closed.", remedy="The service is stopping; ask again when it is up.")
        if self._connection is None:
            try:
                self._connection = self._open()
            except SQLAlchemyError:
                raise LedgerUnavailable(
                    "The ledger's store cannot be opened.",
                    remedy="Check the disk or the database server of the ledger.",
                ) from None
        return self._connection

    def _open(self) -> Connection:
        connection = self._engine.connect()
        try:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA synchronous=FULL")
            else:
                connection.exec_driver_sql("SET synchronous_commit TO on")
                connection.exec_driver_sql(f"SET lock_timeout TO '{_PATIENCE}'")
                connection.exec_driver_sql(_ADVISORY_LOCK)
                connection.exec_driver_sql("SET lock_timeout TO 0")
            connection.commit()
        except DBAPIError as error:
            _end(connection)
            if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
                raise _taken("Another process") from None
            raise
        except BaseException:
            _end(connection)
            raise
        return connection

    def insert(self, rows: Sequence[Row]) -> None:
        """Write rows in one transaction and return when they are durable.

        Raises:
            LedgerUnavailable: nobody knows whether they were written; the connection is closed.
        """
        try:
            connection = self.connection()
            driver = connection.connection.driver_connection
            if driver is None:
                raise _unwritable()
            _execute(
                driver, rows, connection.dialect.name
            )  # past SQLAlchemy's objects, which cost more than the insert
        except (SQLAlchemyError, self._failure) as error:
            _log.error("ledger.write_failed", error=type(error).__name__, events=len(rows))
            self.drop()
            raise _unwritable() from None
        except BaseException:
            self.drop()
            raise

    def drop(self) -> None:
        """Close the connection after a failure: nobody knows what state it is in."""
        if self._connection is not None:
            _end(self._connection)
            self._connection = None

    def close(self) -> None:
        """Give the right to write back, for good."""
        self._closed = True
        self.drop()
        if self._lock is not None:
            self._lock.release()


class _FileLock:
    """An exclusive `flock` on ``<database>.lock``, which holds the owner's process id for whoever is refused."""

    def __init__(self, database: Path) -> None:
        path = database.with_name(database.name + ".lock")
        try:
            self._file: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartFailed(
                f"The ledger's folder cannot be written: {error.strerror}.",
                remedy="Give VOUCH_DATA_DIR a folder that this account can write.",
            ) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, str(os.getpid()).encode("ascii"), 0)
        except BlockingIOError:
            owner = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            self.release()
            raise _taken(f"Another process ({owner})" if owner.isdigit() else "Another process") from None
        except OSError as error:
            self.release()
            raise StartFailed(
                f"The ledger cannot be locked: {error.strerror}.",
                remedy="Put VOUCH_DATA_DIR on a local disk with space left.",
            ) from None

    def release(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            with suppress(OSError):  # the descriptor is gone all the same, and what was appended is durable
                os.close(file)


def _execute(driver: Any, rows: Sequence[Row], dialect: str) -> None:
    """Insert rows in one transaction: one statement is one by itself, and saves a BEGIN and a COMMIT."""
    sqlite = dialect == "sqlite"
    if len(rows) > _LONGEST_STATEMENT:
        for start in range(0, len(rows), _LONGEST_STATEMENT):
            piece = rows[start : start + _LONGEST_STATEMENT]
            driver.execute(_insertion(len(piece), sqlite=sqlite), _flat(piece))
        driver.commit()
    elif sqlite:
        driver.isolation_level = None  # no transaction of the driver's own
        driver.execute(_insertion(len(rows), sqlite=True), _flat(rows))
        driver.isolation_level = ""
    else:
        driver.autocommit = True
        driver.execute(_insertion(len(rows), sqlite=False), _flat(rows))
        driver.autocommit = False


@cache
def _insertion(count: int, *, sqlite: bool) -> str:
    mark = "?" if sqlite else "%s"
    names = ", ".join(Row._fields)
    values = f"({', '.join([mark] * len(Row._fields))})"
    return f"INSERT INTO {entries.name} ({names}) VALUES {', '.join([values] * count)}"  # noqa: S608 - our own names


def _flat(rows: Sequence[Row]) -> list[object]:
    return [value for row in rows for value in row]


def _end(connection: Connection) -> None:
    """End the session itself; a pool would keep it, and with it the lock."""
    connection.invalidate()
    connection.close()


def _file_of(engine: Engine) -> Path:
    with engine.connect() as connection:
        name = connection.exec_driver_sql("SELECT file FROM pragma_database_list WHERE name = 'main'").scalar()
    if not name:
        raise StartFailed(
            "A ledger in memory is no record.", remedy="Give VOUCH_LEDGER_URL a file: sqlite:///path/ledger.db."
        )
    return Path(str(name))


def _unwritable() -> LedgerUnavailable:
    return LedgerUnavailable(
        "The record cannot be written, so nothing was done.",
        remedy="Free space on the ledger's disk or bring its database back; then try again.",
    )


def _taken(who: str) -> LedgerUnavailable:
    return LedgerUnavailable(
        f"{who} writes this ledger.", remedy="Stop it first: only one running Vouch may write a ledger."
    )
