"""The searchable copy: it follows, is rebuilt, and each row that is not what the ledger says is named."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from app.errors import CopyDiffers, LedgerUnavailable
from app.identity.principal import OPERATOR
from app.ledger.comparing import compare, require_equal
from app.ledger.copying import TABLES, LedgerCopy
from app.ledger.following import Follower
from app.ledger.log import Ledger
from app.ledger.pruning import plan, prune
from app.ledger.reading import LedgerReader
from app.ledger.retention import Policy
from app.storage.engine import connect
from app.storage.migrate import upgrade
from tests.app.ledger.record import Record, person


@pytest.fixture
def database(engine: Engine) -> Engine:
    """The main database, of the kind that the ledger's test asks for."""
    upgrade(engine)
    return engine


@pytest.fixture
def record(database: Engine, tmp_path: Path) -> Iterator[Record]:
    engine = connect(f"sqlite:///{tmp_path / 'the-ledger.db'}", durable=True)
    record = Record(engine, database)
    yield record
    record.ledger.close()
    engine.dispose()


def filled(record: Record) -> Record:
    record.add_document()
    record.ask("alice", verdicts=("supported", "supported", "contradicted"))
    record.ask("bob", verdicts=("unsupported",), outcome="error")
    record.copy.catch_up()
    return record


def counts(database: Engine) -> list[int]:
    with database.connect() as connection:
        return [connection.scalar(text(f"SELECT COUNT(*) FROM {table.name}")) or 0 for table in TABLES]


def test_an_empty_ledger_has_an_empty_copy(record: Record) -> None:
    assert record.copy.catch_up() == 0
    assert record.copy.size == 0
    assert compare(record.ledger, record.copy).differences == []


def test_it_takes_what_is_new_once(record: Record, database: Engine) -> None:
    filled(record)
    assert counts(database) == [6, 3, 3]
    assert record.copy.catch_up() == 0
    record.ask()
    assert record.copy.catch_up() == 2
    assert counts(database) == [8, 4, 4]
    found = compare(record.ledger, record.copy)
    assert (found.rows, found.behind, found.differences) == (16, 0, [])


def test_more_than_a_batch_is_taken(record: Record, database: Engine) -> None:
    for number in range(1203):
        record.ledger.append("test.event", actor=OPERATOR, body={"n": number})
    assert record.copy.catch_up() == 1203
    assert counts(database)[0] == 1203


def test_many_followers_copy_each_entry_once(record: Record, database: Engine) -> None:
    for _ in range(20):
        record.ask()
    failed: list[BaseException] = []

    def follow() -> None:
        try:
            LedgerCopy(database, record.ledger).catch_up()
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failed.append(error)

    threads = [threading.Thread(target=follow) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert counts(database)[0] == 40
    assert compare(record.ledger, record.copy).differences == []


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE audit_events SET outcome = 'ok' WHERE seq = 5", "audit_events row 5: outcome is 'ok'"),
        ("UPDATE audit_events SET actor = 'mallory' WHERE seq = 3", "audit_events row 3: actor is 'mallory'"),
        ("UPDATE audit_events SET time = '2020' WHERE seq = 0", "audit_events row 0: time is '2020'"),
        ("UPDATE audit_events SET domain = NULL WHERE seq = 3", "audit_events row 3: domain is None"),
        ("UPDATE audit_events SET leaf = '00' WHERE seq = 2", "audit_events row 2: leaf is '00'"),
        ("UPDATE audit_documents SET digest = 'x' WHERE seq = 3", "audit_documents row 3, 0: digest is 'x'"),
        ("UPDATE audit_verdicts SET claims = 9 WHERE seq = 3", "claims is 9"),
        ("DELETE FROM audit_events WHERE seq = 4", "audit_events row 4 is missing"),
        ("DELETE FROM audit_verdicts WHERE seq = 5", "audit_verdicts row 5, unsupported is missing"),
        ("DELETE FROM audit_documents", "audit_documents row 1, 0 is missing"),
        (
            "UPDATE audit_verdicts SET verdict = 'supported' WHERE seq = 5",
            "audit_verdicts row 5, supported is in no entry",
        ),
        ("INSERT INTO audit_verdicts VALUES (0, 'supported', 1)", "audit_verdicts row 0, supported is in no entry"),
        ("INSERT INTO audit_documents VALUES (2, 7, 'd', 'x', 'evidence')", "audit_documents row 2, 7 is in no entry"),
        ("INSERT INTO audit_documents VALUES (99, 0, 'd', 'x', 'evidence')", "audit_documents row 99, 0 belongs to no"),
        ("INSERT INTO audit_documents VALUES (-1, 0, 'd', 'x', 'evidence')", "audit_documents row -1, 0 belongs to no"),
        (
            "INSERT INTO audit_events VALUES (6, 't', 'a', 'm', 'x.y', 'ok', NULL, NULL, NULL, '00')",
            "audit_events row 6 belongs to no entry",
        ),
    ],
)
def test_an_edited_deleted_or_invented_row_is_named(
    record: Record, database: Engine, statement: str, named: str
) -> None:
    filled(record)
    with database.begin() as connection:
        connection.execute(text(statement))
    found = compare(record.ledger, record.copy)
    assert any(named in difference for difference in found.differences), found.differences
    with pytest.raises(CopyDiffers) as caught:
        require_equal(found)
    assert "rebuild" in caught.value.remedy
    with pytest.raises(CopyDiffers):
        record.examination.verify()
    assert record.copy.rebuild() == 6
    assert compare(record.ledger, record.copy).differences == []
    assert record.examination.verify()["intact"]


def test_a_copy_that_is_behind_says_by_how_much(record: Record) -> None:
    filled(record)
    record.ask()
    found = compare(record.ledger, record.copy)
    assert (found.behind, found.differences) == (2, [])


def test_a_ledger_put_back_from_an_older_copy_is_noticed(database: Engine, tmp_path: Path) -> None:
    path = tmp_path / "the-ledger.db"
    engine = connect(f"sqlite:///{path}", durable=True)
    record = filled(Record(engine, database))
    record.ledger.close()
    engine.dispose()
    shutil.copy(path, tmp_path / "older.db")
    engine = connect(f"sqlite:///{path}", durable=True)
    record = Record(engine, database)
    record.ask(answer_id="later")
    record.copy.catch_up()
    record.ledger.close()
    engine.dispose()
    shutil.copy(tmp_path / "older.db", path)

    engine = connect(f"sqlite:///{path}", durable=True)
    with Ledger(engine) as ledger:
        copy = LedgerCopy(database, ledger)
        with pytest.raises(CopyDiffers, match="has 8 entries, the ledger only 6") as caught:
            copy.catch_up()
        assert "entries are lost" in caught.value.remedy
        for number in range(2):  # as long as the copy again, but with other entries
            ledger.append("test.event", actor=OPERATOR, body={"n": number})
        with pytest.raises(CopyDiffers, match="another ledger"):
            copy.catch_up()
        assert ledger.verify().size == 8, "the ledger itself fits together: only the copy remembers"
        assert copy.rebuild() == 8
        assert compare(ledger, copy).differences == []
    engine.dispose()


def test_pruned_entries_leave_the_copy_too(record: Record, database: Engine) -> None:
    filled(record)
    policy = Policy({"*": 183})
    found = plan(record.ledger, policy, now=record.now + timedelta(days=183))
    assert found.minimum == 6
    prune(found, record.ledger_engine, record.ledger, vault=record.vault, actor=OPERATOR)
    record.copy.catch_up()
    assert counts(database) == [2, 0, 0]
    assert compare(record.ledger, record.copy).differences == []
    assert record.examination.verify()["minimum"] == 6


def test_a_copy_made_after_the_pruning_begins_at_the_minimum(record: Record, database: Engine) -> None:
    record.add_document()
    record.ask()
    found = plan(record.ledger, Policy({"*": 1}), now=record.now + timedelta(days=900))
    prune(found, record.ledger_engine, record.ledger, vault=record.vault, actor=OPERATOR)
    record.copy.catch_up()
    assert compare(record.ledger, record.copy).differences == []


def test_text_that_a_database_cannot_hold_stops_nothing(record: Record) -> None:
    record.ask("名字 🙂 ' \" %", verdicts=("sup\0ported", "supported"), domain="x\0y")
    record.ledger.append("answer.test", actor=person("a\0b"), body={"answer_id": "c\0d"})
    record.copy.catch_up()
    assert compare(record.ledger, record.copy).differences == []


def test_a_body_of_any_shape_is_copied(record: Record) -> None:
    for body in (
        {"evidence": "none", "claims": 7, "answer_id": 5, "domain": ["x"], "retention_days": "many"},
        {"evidence": [None, 1, {"document_id": 3}, {"digest": "x"}, {"document_id": "d"}], "claims": [[], {}]},
        {"evidence": {"a": 1}, "claims": {"b": 2}, "answer_id": "", "domain": ""},
        {"evidence": [{"document_id": "x" * 512, "digest": "y" * 512}] * 3, "claims": [{"verdict": "z" * 512}]},
    ):
        record.ledger.append("answer.test", actor=OPERATOR, body=body)
        record.ledger.append("document.add.outcome", actor=OPERATOR, body=body)
    record.copy.catch_up()
    assert compare(record.ledger, record.copy).differences == []


def test_a_database_without_the_tables_is_told(record: Record, tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'empty.db'}")
    record.ask()
    with pytest.raises(LedgerUnavailable):
        LedgerCopy(engine, record.ledger).catch_up()
    with pytest.raises(LedgerUnavailable):
        _ = LedgerCopy(engine, record.ledger).size
    engine.dispose()


def wait_for(condition: Callable[[], bool]) -> None:
    done = threading.Event()
    for _ in range(600):
        if condition():
            return
        done.wait(0.05)
    raise AssertionError("it did not happen in 30 s")


def test_the_follower_copies_what_comes_and_says_what_is_wrong(record: Record, database: Engine) -> None:
    reader = LedgerReader(record.ledger_engine)
    follower = Follower(LedgerCopy(database, reader), lambda: record.ledger.size)
    follower.start()
    try:
        record.ask()
        wait_for(lambda: record.copy.size == 2)
        with database.begin() as connection:
            connection.execute(text("UPDATE audit_position SET next = 1000"))
        record.ask()
        wait_for(lambda: follower.problem is not None)
        assert "only 4" in (follower.problem or "")
    finally:
        follower.stop()
