"""Opens the database: SQLite for one machine, PostgreSQL for a server.

SQLite runs in WAL mode, so that readers do not wait for the writer. Its driver begins a transaction at the first
write of a connection, not at the first read: a read that is followed by a write therefore never fails for a stale
snapshot, and what must be atomic has to be one statement or begin with ``BEGIN IMMEDIATE``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from app.errors import StartFailed

__all__ = ["connect"]

_BUSY_MS: Final = 10_000
"""How long a SQLite writer waits for another; a checkpoint of a large log on a slow disk takes seconds."""

_CONNECT_S: Final = 5
"""How long PostgreSQL may take to answer before the start is called off."""

_log = structlog.get_logger()


def connect(url: str, *, durable: bool = False) -> Engine:
    """Open a database and prove that it can be written.

    A SQLite file that does not exist is made with mode 0600, in folders made with mode 0700; modes of what exists are
    left.

    Args:
        url: ``sqlite:///path``, ``postgresql://…`` or ``postgresql+psycopg://…``.
        durable: Survive a loss of power after each commit (SQLite ``synchronous=FULL``, PostgreSQL
            ``synchronous_commit=on``); otherwise the last commits may be lost, never the database.

    Raises:
        StartFailed: the URL is none of these, or the database cannot be reached, read or written.

    Not covered:
        Disks that acknowledge a flush and do not do it; a PostgreSQL server that runs with ``fsync=off`` (it is
        logged).
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        engine = _sqlite(parsed, durable=durable)
    else:
        engine = _postgresql(parsed, durable=durable)
    _probe(engine, durable=durable)
    return engine


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: the port is no number
        raise StartFailed(
            "The database URL cannot be read.", remedy="Write it as sqlite:///path or postgresql://user@host/name."
        ) from None
    if parsed.drivername in {"postgresql", "postgres", "postgresql+psycopg"}:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername in {"sqlite", "sqlite+pysqlite"}:
        return parsed
    raise StartFailed(
        f"The database {parsed.drivername!r} is not supported.",
        remedy="Use SQLite (sqlite:///path) or PostgreSQL (postgresql://user@host/name).",
    )


def _sqlite(url: URL, *, durable: bool) -> Engine:
    if url.database and url.database != ":memory:" and not url.database.startswith("file:"):
        _make_file(Path(url.database), url)
    engine = create_engine(url)
    synchronous = "FULL" if durable else "NORMAL"

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        for pragma in (f"busy_timeout={_BUSY_MS}", "journal_mode=WAL", f"synchronous={synchronous}", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    return engine


def _make_file(path: Path, url: URL) -> None:
    """Make the file before SQLite does, which would let the umask decide who may read it."""
    try:
        for folder in reversed(path.parents):
            if not folder.exists():
                folder.mkdir(mode=0o700, exist_ok=True)
        try:
            made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return
        os.close(made)
        _flush_folder(path.parent)
    except OSError as error:
        raise _refusal(url, error.strerror or type(error).__name__) from None


def _flush_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _postgresql(url: URL, *, durable: bool) -> Engine:
    engine = create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": _CONNECT_S})
    if durable:

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _record: object) -> None:
            connection.execute("SET synchronous_commit TO on")
            connection.commit()

    return engine


def _probe(engine: Engine, *, durable: bool) -> None:
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # which a read-only file allows
                connection.exec_driver_sql("CREATE TABLE vouch_probe (id INTEGER)")
                connection.rollback()
            elif connection.exec_driver_sql("SHOW transaction_read_only").scalar() == "on":
                raise _refusal(engine.url, "it is read-only")
            elif durable and connection.exec_driver_sql("SHOW fsync").scalar() != "on":
                _log.warning("storage.fsync_off", database=_shown(engine.url))
    except SQLAlchemyError as error:
        engine.dispose()
        raise _refusal(engine.url, _reason(error, engine.url)) from None
    except StartFailed:
        engine.dispose()
        raise


def _reason(error: SQLAlchemyError, url: URL) -> str:
    """Give the driver's own words, in one line and without the password."""
    words = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    secrets = [url.password, *(value for name in ("password", "passfile") for value in _as_list(url.query.get(name)))]
    for secret in secrets:
        if secret:
            words = words.replace(secret, "***")
    return " ".join(words.split())


def _as_list(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


def _shown(url: URL) -> str:
    """Write the URL without password and options, which may hold a password too."""
    return url.set(query={}).render_as_string(hide_password=True)


def _refusal(url: URL, reason: str) -> StartFailed:
    if url.get_backend_name() == "sqlite":
        remedy = "Give VOUCH_DATA_DIR a folder that this account can write, with space left on its disk."
    else:
        remedy = "Start the server, and check host, port, name, user and password in the URL."
    return StartFailed(f"The database {_shown(url)} cannot be used: {reason}.", remedy=remedy)
