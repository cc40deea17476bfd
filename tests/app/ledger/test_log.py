"""The ledger at work: what it records, gives back and refuses, on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, text
from sqlalchemy.exc import DBAPIError

from app.errors import LedgerUnavailable, NotFound, StartFailed
from app.identity.principal import OPERATOR, Principal, Role
from app.ledger.event import Draft
from app.ledger.log import Ledger
from app.ledger.merkle import empty_root
from app.ledger.reading import LedgerReader
from app.ledger.schema import entries
from app.storage.engine import connect
from tests.contracts.audit_sink import AuditSinkContract, Stored

SERVICE = Principal(subject="service", role=Role.ADMIN, method="internal")


class TestLedgerAsAuditSink(AuditSinkContract):
    @pytest.fixture
    def sink(self, ledger: Ledger) -> Ledger:
        return ledger

    @pytest.fixture
    def stored(self, url: str, open_engine: Callable[[str], Engine]) -> Stored:
        def read() -> list[bytes]:
            return [body for _, body in LedgerReader(open_engine(url)).raw()]

        return read


def fill(ledger: Ledger, count: int) -> None:
    for n in range(count):
        ledger.append("test.event", actor=OPERATOR, body={"n": n})


def test_an_empty_ledger_has_the_empty_root(ledger: Ledger) -> None:
    assert (ledger.size, ledger.root) == (0, empty_root().hex())
    assert ledger.entries() == ()
    assert ledger.verify().size == 0


def test_size_and_root_are_those_of_the_last_receipt(ledger: Ledger) -> None:
    fill(ledger, 4)
    receipt = ledger.append("test.event", actor=OPERATOR, body={})
    assert (ledger.size, ledger.root) == (receipt.size, receipt.root)
    report = ledger.verify()
    assert (report.size, report.root) == (receipt.size, receipt.root)


def test_a_reopened_ledger_goes_on_where_it_stopped(engine: Engine) -> None:
    roots = []
    for _ in range(9):  # every shape of tree up to nine entries
        with Ledger(engine) as ledger:
            assert ledger.size == len(roots)
            assert not roots or ledger.root == roots[-1]
            roots.append(ledger.append("test.event", actor=OPERATOR, body={"n": ledger.size}).root)
    with Ledger(engine) as ledger:
        assert ledger.verify().size == 9
        assert [entry.root for entry in ledger.entries()] == roots


def test_entries_are_given_in_pieces(ledger: Ledger) -> None:
    fill(ledger, 7)
    assert [entry.seq for entry in ledger.entries(limit=3)] == [0, 1, 2]
    assert [entry.seq for entry in ledger.entries(5, 3)] == [5, 6]
    assert ledger.entries(7) == ()
    assert ledger.get(4).event.body == {"n": 4}


@pytest.mark.parametrize("seq", [-1, 7, 10**12])
def test_an_entry_that_is_not_there_is_not_found(ledger: Ledger, seq: int) -> None:
    fill(ledger, 7)
    with pytest.raises(NotFound):
        ledger.get(seq)


def test_entries_are_found_by_action_and_by_what_they_close(ledger: Ledger) -> None:
    fill(ledger, 2)
    intent = ledger.append("answer.intent", actor=OPERATOR, body={})
    outcome = ledger.append("answer.outcome", actor=OPERATOR, body={}, closes=intent.entry)
    assert [entry.seq for entry in ledger.find(action="test.event")] == [0, 1]
    assert [entry.seq for entry in ledger.find(action="test.event", start=1)] == [1]
    assert [entry.seq for entry in ledger.find(action="test.event", limit=1)] == [0]
    assert [entry.seq for entry in ledger.find(closes=intent.entry)] == [outcome.entry]
    assert ledger.find(action="test.event' OR '1'='1") == ()


def test_dangling_intents_are_closed_as_unknown_once(engine: Engine) -> None:
    with Ledger(engine) as ledger:
        first = ledger.append("answer.intent", actor=OPERATOR, body={}).entry
        closed = ledger.append("document.intent", actor=OPERATOR, body={}).entry
        last = ledger.append("document.intent", actor=OPERATOR, body={}).entry
        ledger.append("document.outcome", actor=OPERATOR, body={}, closes=closed)
    with Ledger(engine) as ledger:
        assert ledger.close_dangling(SERVICE) == 2
        ends = [entry.event for entry in ledger.entries(4)]
        assert [(end.action, end.closes, end.outcome) for end in ends] == [
            ("answer.outcome", first, "unknown"),
            ("document.outcome", last, "unknown"),
        ]
        assert {end.actor.subject for end in ends} == {"service"}
        assert ledger.close_dangling(SERVICE) == 0
    with Ledger(engine) as ledger:
        assert ledger.close_dangling(SERVICE) == 0
        assert ledger.size == 6


def test_a_clock_that_steps_is_recorded_as_it_is_and_breaks_nothing(engine: Engine) -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    times = [now, now + timedelta(days=400), now - timedelta(days=400), now.astimezone(timezone(timedelta(hours=8)))]
    waiting = iter(times)
    with Ledger(engine, clock=lambda: next(waiting)) as ledger:
        fill(ledger, 4)
        assert [entry.event.time for entry in ledger.entries()] == [
            "2026-03-01T12:00:00.000000Z",
            "2027-04-05T12:00:00.000000Z",
            "2025-01-25T12:00:00.000000Z",
            "2026-03-01T12:00:00.000000Z",
        ]
        assert ledger.verify().size == 4


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entries SET action = 'x.y' WHERE seq = 1",
        "UPDATE ledger_entries SET seq = 99 WHERE seq = 2",
        "DELETE FROM ledger_entries WHERE seq = 2",
        "DELETE FROM ledger_entries",
    ],
)
def test_the_store_itself_refuses_changes(ledger: Ledger, engine: Engine, statement: str) -> None:
    fill(ledger, 3)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement))
    assert ledger.verify().size == 3


def row(seq: int) -> dict[str, Any]:
    return {"seq": seq, "body": b"{}", "leaf": b"", "peak": b"", "root": b"", "action": "x.y", "closes": None}


@pytest.mark.parametrize("seq", [-1, 1, 4])
def test_the_store_itself_refuses_gaps_and_repeats(ledger: Ledger, engine: Engine, seq: int) -> None:
    fill(ledger, 3)
    with pytest.raises(DBAPIError, match="no gaps"), engine.begin() as connection:
        connection.execute(insert(entries), row(seq))
    assert ledger.verify().size == 3


def test_sqlite_refuses_to_replace_an_entry(file_engine: Engine) -> None:
    with Ledger(file_engine) as ledger:
        fill(ledger, 3)
        with pytest.raises(DBAPIError, match="no gaps"), file_engine.begin() as connection:
            connection.execute(insert(entries).prefix_with("OR REPLACE"), row(1))
        assert ledger.verify().size == 3


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_postgresql_refuses_to_truncate(ledger: Ledger, engine: Engine) -> None:
    fill(ledger, 3)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text("TRUNCATE ledger_entries"))
    assert ledger.verify().size == 3


def test_a_reader_reads_and_verifies_beside_a_busy_writer(
    ledger: Ledger, url: str, open_engine: Callable[[str], Engine]
) -> None:
    fill(ledger, 1)
    reader = LedgerReader(open_engine(url))
    writing = threading.Thread(target=fill, args=(ledger, 300))
    writing.start()
    sizes = [reader.verify().size]
    while writing.is_alive():
        sizes.append(reader.verify().size)
        assert ledger.verify().size >= sizes[-1]
        assert reader.entries(reader.size - 1)[0].seq >= sizes[-1] - 1
    writing.join()
    assert sizes == sorted(sizes)
    assert reader.verify() == ledger.verify()
    assert (reader.size, reader.root) == (ledger.size, ledger.root)


def test_a_reader_makes_nothing(engine: Engine) -> None:
    with pytest.raises(StartFailed, match="no ledger here"):
        LedgerReader(engine)
    with pytest.raises(StartFailed, match="no ledger here"):
        LedgerReader(engine)


@pytest.mark.parametrize("found", ["1", "3", "", "one"])
def test_a_format_that_is_not_known_is_refused(engine: Engine, found: str) -> None:
    Ledger(engine).close()
    with engine.begin() as connection:
        connection.execute(text("UPDATE ledger_meta SET value = :found WHERE name = 'format'"), {"found": found})
    with pytest.raises(StartFailed, match="knows format 2"):
        Ledger(engine)
    with pytest.raises(StartFailed, match="knows format 2"):
        LedgerReader(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE ledger_meta SET value = '2' WHERE name = 'format'"))
    Ledger(engine).close()


def test_a_closed_ledger_takes_nothing(engine: Engine) -> None:
    ledger = Ledger(engine)
    fill(ledger, 1)
    ledger.close()
    with pytest.raises(LedgerUnavailable, match="closed"):
        fill(ledger, 1)
    with Ledger(engine) as again:
        fill(again, 1)
        with pytest.raises(LedgerUnavailable, match="closed"):
            fill(ledger, 1)
        assert again.verify().size == 2


def test_a_ledger_in_memory_is_refused(open_engine: Callable[[str], Engine]) -> None:
    with pytest.raises(StartFailed, match="in memory"):
        Ledger(open_engine("sqlite://"))


def test_a_ledger_flushes_every_commit_even_on_an_engine_that_was_not_asked_to(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'ledger.db'}", durable=False)
    with Ledger(engine) as ledger:
        connection = ledger._writer.connection()
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        connection.rollback()
    engine.dispose()


@pytest.mark.parametrize("count", [1, 2, 512, 513, 1100])
def test_events_that_are_brought_together_are_committed_together(ledger: Ledger, count: int) -> None:
    drafts = [Draft.of("test.event", subject="ann", method="key", body={"n": n}) for n in range(count)]
    drafts[0] = Draft.of("test.end", subject="ann", method="key", body={}, closes=7)
    done = ledger.append_together(drafts)
    assert done[0].receipt is None
    assert "no open intent" in str(done[0].error)
    receipts = [item.receipt for item in done[1:]]
    assert [receipt and receipt.entry for receipt in receipts] == list(range(count - 1))
    assert {receipt and (receipt.size, receipt.root) for receipt in receipts} <= {(count - 1, ledger.root)}
    roots = [entry.root for entry in ledger.entries(limit=count)]
    assert roots == [None] * (count - 2) + [ledger.root] * (count > 1)
    assert ledger.verify().size == count - 1
    assert ledger.append_together([]) == []
    assert ledger.append("test.event", actor=OPERATOR, body={}).entry == count - 1
