"""Opening a database: what it is set to, who may read it, and what is said when it cannot be used."""

from __future__ import annotations

import os
import socket
import stat
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from app.errors import StartFailed
from app.storage.engine import connect
from tests.app.storage.disks import SmallDisk
from tests.app.storage.postgres import SERVER, fresh_schema


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def lax_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def pragma(engine, name: str) -> object:
    with engine.connect() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_a_new_sqlite_database_is_for_its_owner_alone_whatever_the_umask(tmp_path: Path, lax_umask: None) -> None:
    path = tmp_path / "a" / "b" / "vouch.db"
    engine = connect(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (a INTEGER)"))
    assert mode(path.parent) == 0o700
    assert mode(path.parent.parent) == 0o700
    assert mode(path) == 0o600
    assert mode(path.with_name("vouch.db-wal")) == 0o600
    engine.dispose()


def test_modes_of_what_exists_are_left(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o755)
    (folder / "vouch.db").touch(mode=0o640)
    connect(f"sqlite:///{folder / 'vouch.db'}").dispose()
    assert mode(folder) == 0o755
    assert mode(folder / "vouch.db") == 0o640


@pytest.mark.parametrize(("durable", "synchronous"), [(False, 1), (True, 2)])
def test_sqlite_is_set_as_promised_on_every_connection(tmp_path: Path, durable: bool, synchronous: int) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'vouch.db'}", durable=durable)
    with engine.connect(), engine.connect():  # so that what follows is a third connection
        assert pragma(engine, "journal_mode") == "wal"
        assert pragma(engine, "synchronous") == synchronous
        assert pragma(engine, "foreign_keys") == 1
        assert pragma(engine, "busy_timeout") > 0
    engine.dispose()


def test_writers_of_several_threads_wait_for_each_other(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'vouch.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER)"))
        connection.execute(text("INSERT INTO t VALUES (0)"))
    failed: list[BaseException] = []

    def count() -> None:
        try:
            for _ in range(20):
                with engine.begin() as connection:
                    connection.execute(text("SELECT n FROM t")).scalar()
                    connection.execute(text("UPDATE t SET n = n + 1"))
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failed.append(error)

    threads = [threading.Thread(target=count) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    with engine.connect() as connection:
        assert connection.execute(text("SELECT n FROM t")).scalar() == 120
    engine.dispose()


def test_a_database_in_memory_needs_no_folder() -> None:
    engine = connect("sqlite://")
    assert engine.dialect.name == "sqlite"
    engine.dispose()


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgresql_is_reached_by_psycopg_whatever_the_scheme(scheme: str) -> None:
    with fresh_schema() as url:
        engine = connect(scheme + url.removeprefix("postgresql"), durable=True)
        assert engine.dialect.driver == "psycopg"
        with engine.connect() as connection:
            assert connection.execute(text("SHOW synchronous_commit")).scalar() == "on"
        engine.dispose()


def test_a_connection_that_the_server_closed_is_replaced_without_an_error() -> None:
    with fresh_schema() as url:
        engine, other = connect(url), connect(url)
        with engine.connect() as connection:
            killed = connection.execute(text("SELECT pg_backend_pid()")).scalar()
        with other.connect() as connection:
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": killed})
        with engine.connect() as connection:
            assert connection.execute(text("SELECT pg_backend_pid()")).scalar() != killed
        engine.dispose()
        other.dispose()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(StartFailed) as refusal:
        connect(f"postgresql://ann:hunter2secret@127.0.0.1:{closed_port()}/vouch?password=other3secret")
    said = refusal.value.message + refusal.value.remedy
    assert "127.0.0.1" in said
    assert "refused" in said
    assert "secret" not in said


def test_a_password_that_the_server_repeats_is_struck_out() -> None:
    with fresh_schema():  # skips where there is no server
        pass
    role = "hunter2secret"  # the server answers: role "hunter2secret" does not exist
    address = SERVER.rpartition("@")[2]
    with pytest.raises(StartFailed) as refusal:
        connect(f"postgresql://{role}:{role}@{address}")
    assert "does not exist" in refusal.value.message
    assert role not in refusal.value.message.partition(" cannot be used: ")[2]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "mysql://root@localhost/x",
        "postgresql+asyncpg://root@localhost/x",
        "sqlite+aiosqlite:///x.db",
        "postgresql://root@localhost:port/x",
        "duckdb:///x",
    ],
)
def test_what_is_no_supported_url_is_refused_with_the_two_that_are(url: str) -> None:
    with pytest.raises(StartFailed) as refusal:
        connect(url)
    assert "sqlite:///path" in refusal.value.remedy
    assert "postgresql://" in refusal.value.remedy


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("not a folder")
    with pytest.raises(StartFailed, match="cannot be used"):
        connect(f"sqlite:///{tmp_path / 'var' / 'vouch.db'}")


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "vouch.db"
    path.write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(StartFailed, match="not a database"):
        connect(f"sqlite:///{path}")
    assert path.read_bytes() == b"this is not a database at all" * 100


def test_a_database_on_a_read_only_disk_is_refused(small_disk: SmallDisk) -> None:
    path = small_disk.folder / "vouch.db"
    connect(f"sqlite:///{path}").dispose()
    small_disk.read_only()
    with pytest.raises(StartFailed, match="cannot be used"):
        connect(f"sqlite:///{path}")
    with pytest.raises(StartFailed, match="Read-only"):
        connect(f"sqlite:///{small_disk.folder / 'new' / 'vouch.db'}")
    small_disk.writable()
    connect(f"sqlite:///{path}").dispose()


def test_a_database_opened_for_reading_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vouch.db"
    connect(f"sqlite:///{path}").dispose()
    with pytest.raises(StartFailed, match="readonly"):
        connect(f"sqlite:///file:{path}?mode=ro&uri=true")


def test_a_postgresql_session_that_may_only_read_is_refused() -> None:
    with fresh_schema() as url, pytest.raises(StartFailed, match="read-only"):
        connect(url + "%20-cdefault_transaction_read_only%3Don")
