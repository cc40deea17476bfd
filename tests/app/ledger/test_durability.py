"""What was acknowledged stays, whatever happens to the process or to the disk; and nothing is acknowledged that does
not.

Not covered here: a loss of power, which drops what the kernel had not flushed; a killed process does not.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import IO

import pytest
from sqlalchemy import Engine, text

from app.errors import LedgerUnavailable, StartFailed
from app.identity.principal import OPERATOR
from app.ledger.log import Ledger
from app.ledger.reading import LedgerReader
from tests.app.ledger import appender
from tests.app.storage.disks import SmallDisk

KILLS = 6

_children = multiprocessing.get_context("forkserver")  # imports once, then starts a process in milliseconds
_children.set_forkserver_preload([appender.__name__])


@contextmanager
def appending(url: str, *, threads: int = 1) -> Iterator[tuple[ForkServerProcess, IO[str]]]:
    """A process that appends, and the lines that it says: "ready", then each acknowledged entry."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = _children.Process(target=appender.run, args=(url, threads, theirs))
    child.start()
    theirs.close()
    try:
        with os.fdopen(os.dup(ours.fileno()), encoding="ascii") as lines:
            yield child, lines
    finally:
        ours.close()
        child.kill()
        child.join()
        child.close()


def append(ledger: Ledger, count: int = 1) -> list[int]:
    return [ledger.append("test.event", actor=OPERATOR, body={"text": "x" * 400}).entry for _ in range(count)]


def append_until_refused(ledger: Ledger, size: int) -> tuple[int, LedgerUnavailable]:
    """Append until the disk is full; return how many are acknowledged then. Pages that SQLite has already take some."""
    while True:
        try:
            assert append(ledger) == [size]
        except LedgerUnavailable as refusal:
            return size, refusal
        size += 1


@pytest.mark.parametrize("threads", [1, 8])
def test_a_killed_process_loses_nothing_that_it_acknowledged(
    url: str, open_engine: Callable[[str], Engine], threads: int
) -> None:
    chance = random.Random(6962)
    engine = open_engine(url)
    size = 0
    for _ in range(KILLS):
        with appending(url, threads=threads) as (child, lines):
            assert lines.readline() == "ready\n"
            said = [lines.readline() for _ in range(chance.randrange(1, 60))]
            child.kill()
            child.join()
            assert child.exitcode == -signal.SIGKILL
            said += lines.readlines()
        acknowledged = [int(line) for line in said]
        assert len(set(acknowledged)) == len(acknowledged)
        assert min(acknowledged) >= size
        with Ledger(engine) as ledger:  # the killed process's lock does not stand in the way
            assert ledger.size > max(acknowledged)
            assert ledger.verify().size == ledger.size  # no gaps, every hash right
            size = ledger.size
            assert append(ledger) == [size]
            size += 1
    with Ledger(engine) as ledger:
        intents = len(ledger.find(action="test.intent", limit=size))
        assert ledger.close_dangling(OPERATOR) == intents
        assert ledger.verify().size == size + intents


def test_a_second_process_is_refused_and_told_who_writes(url: str, open_engine: Callable[[str], Engine]) -> None:
    with Ledger(open_engine(url)) as ledger:
        append(ledger, 3)
        with appending(url) as (child, lines):
            said = lines.read()
            child.join()
            assert child.exitcode == 3
        assert said.startswith("StartFailed: Another process")
        assert url.startswith("postgresql") or f"({os.getpid()})" in said
        assert append(ledger) == [3]
        assert ledger.verify().size == 4


def test_a_second_ledger_in_the_same_process_is_refused(url: str, open_engine: Callable[[str], Engine]) -> None:
    with Ledger(open_engine(url)) as ledger:
        with pytest.raises(StartFailed, match="Another process") as refusal:
            Ledger(open_engine(url))
        assert "only one" in refusal.value.remedy
        append(ledger)
    with Ledger(open_engine(url)) as ledger:
        assert append(ledger) == [1]


def test_a_lock_file_that_was_left_behind_does_not_block(tmp_path: Path, file_engine: Engine) -> None:
    lock = tmp_path / "ledger.db.lock"
    lock.write_text("1")  # a process that certainly runs
    with Ledger(file_engine) as ledger:
        assert append(ledger) == [0]
        assert lock.read_text() == str(os.getpid())


def test_a_full_disk_refuses_and_a_freed_one_goes_on(
    small_disk: SmallDisk, open_engine: Callable[[str], Engine]
) -> None:
    with Ledger(open_engine(f"sqlite:///{small_disk.folder / 'ledger.db'}")) as ledger:
        size = len(append(ledger, 5))
        for _ in range(3):
            small_disk.fill()
            acknowledged, refusal = append_until_refused(ledger, size)
            assert "Free space" in refusal.remedy
            assert str(small_disk.folder) not in refusal.message + refusal.remedy
            assert ledger.size == acknowledged
            assert ledger.root == ledger.entries(acknowledged - 1)[0].root
            assert ledger.verify().size == acknowledged
            with pytest.raises(LedgerUnavailable):
                append(ledger)
            small_disk.free()
            assert append(ledger, 2) == [acknowledged, acknowledged + 1]
            size = acknowledged + 2
            assert ledger.verify().size == ledger.size == size


def test_a_full_disk_under_many_threads_acknowledges_only_what_is_there(
    small_disk: SmallDisk, open_engine: Callable[[str], Engine]
) -> None:
    acknowledged: list[int] = []
    refused: list[LedgerUnavailable] = []
    with Ledger(open_engine(f"sqlite:///{small_disk.folder / 'ledger.db'}")) as ledger:

        def run() -> None:
            try:
                while True:
                    acknowledged.extend(append(ledger))
            except LedgerUnavailable as error:
                refused.append(error)

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:  # the disk has 1 MiB: it fills by itself
            thread.join()
        assert len(refused) == 8
        assert sorted(acknowledged) == list(range(ledger.size))
        assert ledger.verify().size == ledger.size


def test_a_disk_that_turns_read_only_refuses_and_a_writable_one_goes_on(
    small_disk: SmallDisk, open_engine: Callable[[str], Engine]
) -> None:
    url = f"sqlite:///{small_disk.folder / 'ledger.db'}"
    engine = open_engine(url)
    with Ledger(engine) as ledger:
        append(ledger, 3)
    engine.dispose()  # a file that is open for writing would keep the disk from turning
    small_disk.read_only()
    with pytest.raises(StartFailed, match="cannot be opened for writing"):
        Ledger(engine)
    small_disk.writable()
    with Ledger(engine) as ledger:
        assert append(ledger) == [3]
        assert ledger.verify().size == 4


def test_a_database_that_turns_read_only_refuses_and_a_writable_one_goes_on(file_engine: Engine) -> None:
    with Ledger(file_engine) as ledger:
        append(ledger, 3)
        root = ledger.root
        connection = ledger._writer.connection()
        connection.exec_driver_sql("PRAGMA query_only=ON")
        connection.rollback()
        with pytest.raises(LedgerUnavailable):
            append(ledger)
        assert (ledger.size, ledger.root) == (3, root)
        assert append(ledger) == [3]  # on a new connection, which may write
        assert ledger.verify().size == 4


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_lost_connection_refuses_once_and_is_made_anew(url: str, open_engine: Callable[[str], Engine]) -> None:
    admin = open_engine(url)
    with Ledger(open_engine(url)) as ledger:
        append(ledger, 3)
        pid = ledger._writer.connection().exec_driver_sql("SELECT pg_backend_pid()").scalar()
        ledger._writer.connection().rollback()
        with admin.connect() as connection:
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(LedgerUnavailable):
            append(ledger)
        assert ledger.size == 3
        assert append(ledger) == [3]
        with pytest.raises(StartFailed, match="Another process"):  # the new connection has the lock again
            Ledger(open_engine(url))
        assert ledger.verify().size == 4


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_writer_that_lost_its_place_to_another_refuses_and_knows_the_others_entries_later(
    url: str, open_engine: Callable[[str], Engine]
) -> None:
    with Ledger(open_engine(url)) as ledger:
        append(ledger, 3)
        ledger._writer.drop()  # what a cut network does, without the wait
        with Ledger(open_engine(url)) as other:
            append(other, 2)
            with pytest.raises(LedgerUnavailable, match="Another process"):
                append(ledger)
        assert append(ledger) == [5]
        assert ledger.verify().size == 6


def test_a_ledger_on_a_full_disk_does_not_start_and_later_does(
    small_disk: SmallDisk, open_engine: Callable[[str], Engine]
) -> None:
    engine = open_engine(f"sqlite:///{small_disk.folder / 'ledger.db'}")
    engine.dispose()
    small_disk.fill()
    with pytest.raises(StartFailed):
        Ledger(engine)
    small_disk.free()
    with Ledger(engine) as ledger:
        assert append(ledger) == [0]


@pytest.fixture
def interrupting() -> Iterator[None]:
    """Ctrl-C half a second from now, in the main thread."""

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_an_interrupted_caller_keeps_nobody_waiting(file_engine: Engine, interrupting: None) -> None:
    with Ledger(file_engine) as ledger:
        append(ledger, 1)
        entries: list[int] = []
        threads = [threading.Thread(target=lambda: entries.extend(append(ledger))) for _ in range(4)]
        with ledger._turn:  # a commit that takes long
            threads[0].start()
            while not ledger._gathering._led:
                threads[0].join(0.01)
            with pytest.raises(KeyboardInterrupt):
                append(ledger)  # waits behind the first thread
            for thread in threads[1:]:
                thread.start()
        for thread in threads:
            thread.join()
        assert sorted(entries) == [1, 2, 3, 4]
        assert append(ledger) == [5]
        assert ledger.verify().size == 6


def test_a_statement_that_breaks_off_leaves_the_ledger_in_step_with_its_store(file_engine: Engine) -> None:
    with Ledger(file_engine) as ledger:
        append(ledger, 3)
        sqlite = ledger._writer.connection().connection.driver_connection
        ledger._writer.connection().rollback()
        assert sqlite is not None
        sqlite.set_progress_handler(lambda: 1, 1)
        with pytest.raises(LedgerUnavailable):
            append(ledger)
        assert ledger.size == LedgerReader(file_engine).size == 3
        assert append(ledger) == [3]
        assert ledger.verify().size == 4
