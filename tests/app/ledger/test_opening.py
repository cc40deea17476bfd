"""Opening: the text that an entry pins, for whom it may be, recorded; and what is said when it is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from app.errors import LedgerCorrupt, LedgerUnavailable, NotFound
from app.identity.principal import OPERATOR, Role
from app.ledger.commitment import Opening
from app.ledger.erasure import erase
from app.ledger.vault import Vault
from app.storage.engine import connect
from app.storage.migrate import upgrade
from tests.app.ledger.record import Record, person


@pytest.fixture
def record(file_engine: Engine, tmp_path: Path) -> Iterator[Record]:
    database = connect(f"sqlite:///{tmp_path / 'vouch.db'}", durable=True)
    upgrade(database)
    record = Record(file_engine, database)
    yield record
    record.ledger.close()
    database.dispose()


def test_intent_and_outcome_open_to_their_texts(record: Record) -> None:
    entry = record.ask("alice", verdicts=("supported", "unsupported"))
    asked = record.examination.open(entry - 1, caller=person("alice"))
    assert asked["texts"]["question"]["text"] == "CANARY of alice?"
    told = record.examination.open(entry, caller=person("alice"))
    assert sorted(told["texts"]) == ["answer", "claim.0", "claim.1"]
    assert told["gone"] == []
    for item in told["texts"].values():
        assert Opening(item["text"], item["salt"]).opens(item["commitment"])
    assert told["texts"]["answer"]["commitment"] == record.ledger.get(entry).event.body["answer"]


@pytest.mark.parametrize("role", [Role.READER, Role.CONTRIBUTOR, Role.AUDITOR])
def test_another_persons_content_is_not_given_and_the_attempt_recorded(record: Record, role: Role) -> None:
    entry = record.ask("alice")
    with pytest.raises(NotFound):
        record.examination.open(entry, caller=person("bob", role))
    last = record.ledger.entries()[-1].event
    assert (last.action, last.outcome, last.actor.subject) == ("content.open", "denied", "bob")


def test_an_administrator_opens_anyones_and_it_is_recorded(record: Record) -> None:
    entry = record.ask("alice")
    assert record.examination.open(entry, caller=OPERATOR)["subject"] == "alice"
    last = record.ledger.entries()[-1].event
    assert (last.action, last.outcome) == ("content.open", "ok")
    assert last.body["entry"] == entry
    assert "CANARY" not in repr(last)


def test_what_cannot_be_recorded_is_not_given(record: Record) -> None:
    entry = record.ask("alice")
    record.ledger.close()
    with pytest.raises(LedgerUnavailable):
        record.examination.open(entry, caller=OPERATOR)


def test_an_entry_without_content_has_nothing_to_open(record: Record) -> None:
    record.ledger.append("service.start", actor=OPERATOR, body={"question": 5, "claims": "x", "history": []})
    with pytest.raises(NotFound, match="no content"):
        record.examination.open(0, caller=OPERATOR)
    with pytest.raises(NotFound, match="no entry"):
        record.examination.open(99, caller=OPERATOR)


def test_after_an_erasure_it_says_what_is_gone(record: Record) -> None:
    entry = record.ask("alice")
    record.ask("bob")
    erase(record.vault, record.ledger, subject="alice", actor=OPERATOR)
    told = record.examination.open(entry, caller=person("alice"))
    assert (told["texts"], told["gone"]) == ({}, ["answer", "claim.0"])
    assert record.examination.story(record.answers[0])["content"] == "gone"
    assert record.examination.story(record.answers[1])["content"] == "kept"
    assert record.examination.verify()["intact"]


def test_content_that_was_exchanged_is_found(record: Record) -> None:
    """Whoever has secret and database can seal another text under the same name; the entry tells."""
    entry = record.ask("alice")
    record.vault.discard([record.answers[0]])
    Vault(record.database, b"s" * 32).seal("alice", record.answers[0], {"answer": "something else"})
    with pytest.raises(LedgerCorrupt, match="not the one that entry"):
        record.examination.open(entry, caller=OPERATOR)
