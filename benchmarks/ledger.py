"""The ledger's speed: durable appends one by one and under 32 writers, and verification; beside plain inserts.

    ./vouch bench ledger

The rivals write the same bytes with the same durability, one row a transaction: a plain table with one blob, without
hashes, tree, order or search columns. All contenders run in turn on the same disk; `floor` is the median of writing
the same bytes to a file and flushing them, which nothing that is durable can undercut one by one.

The 32 writers are 16 threads in the process that writes and 16 threads in another one, which append through the relay;
a row gives 32 threads in one process too.
"""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psycopg
from sqlalchemy import text

from app.errors import StartFailed
from app.identity.principal import OPERATOR
from app.ledger.event import Draft
from app.ledger.log import Ledger
from app.ledger.reading import LedgerReader
from app.ledger.relay import RelayServer
from app.ledger.relay_client import RelayClient
from app.ledger.sink import AuditSink
from app.settings import load
from app.storage.engine import connect

__all__ = ["run"]

SECONDS: Final = 4.0
"""How long each contender appends."""
ENTRIES: Final = 100_000
"""Least entries that are verified."""
POSTGRES: Final = "postgresql://postgres@127.0.0.1:5432/test"
ANSWER_S: Final = 10.0
"""Median time of an answer on this kind of machine (docs/performance.md); an answer makes two appends."""

BODY: Final[Mapping[str, Any]] = {
    "answer_id": "5e0c" * 8,
    "domain": "general",
    "claim_count": 2,
    "claims": [
        {"commitment": "f" * 64, "cites": ["e1"], "verdict": "supported", "score": 0.93, "reason": None},
        {"commitment": "0" * 64, "cites": ["e1"], "verdict": "unsupported", "score": 0.12, "reason": "no_support"},
    ],
    "milliseconds": {"search": 12, "model": 4021},
}
"""What an outcome of an answer looks like; about 600 bytes as an entry."""

Append = Callable[[], object]


def run(*, report: Callable[[str], None]) -> dict[str, Any]:
    """Measure all contenders."""
    with tempfile.TemporaryDirectory(prefix="vouch-bench-") as made:
        folder = Path(made)
        report("floor: write and flush")
        floor_ms = _floor(folder / "floor")
        rows = [_sqlite(folder, report)]
        report("SQLite, plain table")
        rows.append(
            _plain_row(
                "plain_sqlite",
                lambda: _open_sqlite(folder / "plain.db"),
                table="CREATE TABLE plain (id INTEGER PRIMARY KEY, body BLOB NOT NULL)",
                insertion="INSERT INTO plain (body) VALUES (?)",
            )
        )
        rows += _postgres(report)
    ours, plain = rows[0], rows[1]
    ratios = {
        "one_vs_plain_sqlite": round(ours["events_per_s_1"] / plain["events_per_s_1"], 2),
        "32_vs_plain_sqlite": round(ours["events_per_s_32"] / plain["events_per_s_32"], 2),
    }
    if len(rows) == 4:
        ratios["one_vs_plain_postgresql"] = round(rows[2]["events_per_s_1"] / rows[3]["events_per_s_1"], 2)
        ratios["32_vs_plain_postgresql"] = round(rows[2]["events_per_s_32"] / rows[3]["events_per_s_32"], 2)
    names = ("events_per_s_1", "events_per_s_32", "append_p99_ms", "verify_per_s")
    metrics = {name: ours[name] for name in names}
    metrics["floor_ms"] = floor_ms
    metrics["share_of_an_answer"] = round(2 * ours["append_p50_ms"] / 1000 / ANSWER_S, 6)
    return {"rows": rows, "ratios": ratios, "metrics": metrics}


def _sqlite(folder: Path, report: Callable[[str], None]) -> dict[str, Any]:
    return _ledger_row("ledger_sqlite", f"sqlite:///{folder / 'ledger.db'}", folder / "ledger.sock", report)


def _postgres(report: Callable[[str], None]) -> list[dict[str, Any]]:
    """Measure on PostgreSQL where one answers: `VOUCH_LEDGER_URL` where that names one, else this machine's."""
    configured = load().ledger
    server = configured if configured.startswith("postgresql") else POSTGRES
    name = f"bench{uuid4().hex}"
    try:
        admin = connect(server)
    except StartFailed:
        report("PostgreSQL: none answers, left out")
        return []
    url = f"{server}{'&' if '?' in server else '?'}options=-csearch_path%3D{name}"
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f'CREATE SCHEMA "{name}"'))
        try:
            with tempfile.TemporaryDirectory(prefix="vouch-bench-") as folder:
                ours = _ledger_row("ledger_postgresql", url, Path(folder) / "ledger.sock", report)
            report("PostgreSQL, plain table")
            plain = _plain_row(
                "plain_postgresql",
                lambda: psycopg.connect(url),
                table="CREATE TABLE plain (id BIGSERIAL PRIMARY KEY, body BYTEA NOT NULL)",
                insertion="INSERT INTO plain (body) VALUES (%s)",
            )
            return [ours, plain]
        finally:
            connection.execute(text(f'DROP SCHEMA "{name}" CASCADE'))
            admin.dispose()


def _ledger_row(name: str, url: str, socket: Path, report: Callable[[str], None]) -> dict[str, Any]:
    engine = connect(url, durable=True)
    with Ledger(engine) as ledger:
        report(f"{name}: one writer")
        one = _measure(1, lambda: _append(ledger))
        report(f"{name}: 32 threads of one process")
        threads = _measure(32, lambda: _append(ledger))
        report(f"{name}: 16 threads here, 16 in another process through the relay")
        both = _both_processes(ledger, socket)
        report(f"{name}: verification")
        verified = _verification(ledger, url)
    engine.dispose()
    return {
        "name": name,
        "events_per_s_1": one["per_s"],
        "events_per_s_32": max(threads["per_s"], both["per_s"]),
        "events_per_s_32_threads": threads["per_s"],
        "events_per_s_32_two_processes": both["per_s"],
        "append_p50_ms": one["p50_ms"],
        "append_p99_ms": max(one["p99_ms"], threads["p99_ms"], both["p99_ms"]),
        "append_p99_ms_1": one["p99_ms"],
        "append_p99_ms_32_threads": threads["p99_ms"],
        "append_p99_ms_32_two_processes": both["p99_ms"],
        **verified,
    }


def _append(sink: AuditSink) -> object:
    return sink.append("answer.outcome", actor=OPERATOR, body=BODY)


def _measure(writers: int, append: Append) -> dict[str, float]:
    begin = time.perf_counter()
    times = _appending(writers, append)
    return _summary(times, time.perf_counter() - begin)


def _appending(writers: int, append: Append) -> list[float]:
    """Append from so many threads for a while; return the seconds of each append."""
    times: list[list[float]] = [[] for _ in range(writers)]
    end = time.perf_counter() + SECONDS

    def work(mine: list[float]) -> None:
        begin = time.perf_counter()
        while begin < end:
            append()
            done = time.perf_counter()
            mine.append(done - begin)
            begin = done

    threads = [threading.Thread(target=work, args=(mine,)) for mine in times]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [value for mine in times for value in mine]


def _summary(times: list[float], seconds: float) -> dict[str, float]:
    times = sorted(times)
    return {
        "per_s": round(len(times) / seconds, 1),
        "p50_ms": round(1000 * times[len(times) // 2], 3),
        "p99_ms": round(1000 * times[int(len(times) * 0.99)], 3),
    }


def _both_processes(ledger: Ledger, socket: Path) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with _serving(ledger, socket):
        other = context.Process(target=_other_process, args=(str(socket), theirs))
        other.start()
        ours.recv()  # it is ready
        begin = time.perf_counter()
        ours.send("go")
        times = _appending(16, lambda: _append(ledger))
        times += ours.recv()
        seconds = time.perf_counter() - begin
        other.join()
    return _summary(times, seconds)


@contextmanager
def _serving(ledger: Ledger, socket: Path) -> Iterator[None]:
    server = RelayServer(ledger, socket)
    server.start()
    try:
        yield
    finally:
        server.stop()


def _other_process(socket: str, pipe: Any) -> None:
    with RelayClient(Path(socket)) as client:
        _append(client)
        pipe.send("ready")
        pipe.recv()
        pipe.send(_appending(16, lambda: _append(client)))


def _verification(ledger: Ledger, url: str) -> dict[str, float]:
    """Verify at least so many entries, in a reader that has nothing of them in memory."""
    missing = ENTRIES - ledger.size if url.startswith("sqlite") else 0
    drafts = [_draft()] * 512
    while missing > 0:
        ledger.append_together(drafts)
        missing -= len(drafts)
    engine = connect(url, durable=True)
    reader = LedgerReader(engine)
    begin = time.perf_counter()
    size = reader.verify().size
    seconds = time.perf_counter() - begin
    engine.dispose()
    return {"verify_per_s": round(size / seconds, 1), "verified": size}


def _draft() -> Draft:
    return Draft.of("answer.outcome", subject="operator", method="local", body=BODY)


def _open_sqlite(path: Path) -> Any:
    connection = sqlite3.connect(path, timeout=60, check_same_thread=False)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}").close()
    return connection


def _plain_row(name: str, open_connection: Callable[[], Any], *, table: str, insertion: str) -> dict[str, Any]:
    """Insert the same bytes, one row a transaction, on the bare driver; each of 32 writers has its own connection."""
    data = _draft().at(0, id="0" * 32, time="2026-01-01T00:00:00.000000Z", clock=b"{}")
    with closing(open_connection()) as connection:
        connection.execute(table)
        connection.commit()
    mine = threading.local()
    opened: list[Any] = []

    def insert() -> None:
        if not hasattr(mine, "connection"):
            mine.connection = open_connection()
            opened.append(mine.connection)
        mine.connection.execute(insertion, (data,))
        mine.connection.commit()

    one = _measure(1, insert)
    many = _measure(32, insert)
    for connection in opened:
        connection.close()
    return {
        "name": name,
        "events_per_s_1": one["per_s"],
        "events_per_s_32": many["per_s"],
        "append_p50_ms": one["p50_ms"],
        "append_p99_ms": max(one["p99_ms"], many["p99_ms"]),
    }


def _floor(path: Path) -> float:
    """Return the median milliseconds of writing 4 KiB to the end of a file and flushing it."""
    opened = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    times = []
    try:
        for _ in range(200):
            begin = time.perf_counter()
            os.write(opened, bytes(4096))
            os.fdatasync(opened)
            times.append(time.perf_counter() - begin)
    finally:
        os.close(opened)
    return round(1000 * statistics.median(times), 3)
