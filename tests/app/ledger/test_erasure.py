"""Erasure: the key and the content are gone, from the files too; the ledger holds as before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, select

from app.errors import LedgerError, LedgerUnavailable, VaultUnavailable
from app.identity.principal import OPERATOR, Principal, Role
from app.ledger.erasure import erase
from app.ledger.log import Ledger
from app.ledger.vault import Vault
from app.storage.engine import connect
from app.storage.migrate import upgrade
from app.storage.tables import vault_items, vault_keys
from tests.app.storage.postgres import fresh_schema

SECRET = b"s" * 64
ALICE = Principal(subject="alice", role=Role.READER, method="key")
TEXTS = {"question": "Is CANARY-1 safe?", "answer": "No."}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        engine = connect(f"sqlite:///{tmp_path / 'main' / 'vouch.db'}", durable=True)
        upgrade(engine)
        yield engine
        engine.dispose()
        return
    with fresh_schema() as schema:
        engine = connect(schema, durable=True)
        upgrade(engine)
        yield engine
        engine.dispose()


@pytest.fixture
def vault(database: Engine) -> Vault:
    return Vault(database, SECRET)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    engine = connect(f"sqlite:///{tmp_path / 'ledger' / 'ledger.db'}", durable=True)
    with Ledger(engine) as ledger:
        yield ledger
    engine.dispose()


def answered(vault: Vault, ledger: Ledger, subject: str, answer_id: str) -> dict[str, str]:
    """What the pipeline does: content first, then the entry with its commitments."""
    made = vault.seal(subject, answer_id, TEXTS)
    who = Principal(subject=subject, role=Role.READER, method="key")
    ledger.append("answer.test", actor=who, body={"answer_id": answer_id, **made})
    return made


def files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_key_and_content_are_gone_and_every_proof_holds(vault: Vault, ledger: Ledger, database: Engine) -> None:
    made = answered(vault, ledger, "alice", "a1")
    answered(vault, ledger, "bob", "b1")
    before = ledger.verify()
    receipt = ledger.append("test.event", actor=ALICE, body={})
    done = erase(vault, ledger, subject="alice", actor=OPERATOR)
    assert (done.keys, done.items, done.clean) == (1, len(TEXTS), True)
    assert vault.open("alice", "a1") == {}
    assert not vault.holds("a1")
    assert vault.open("bob", "b1")["question"].text == TEXTS["question"]
    after = ledger.verify(known=[receipt])
    assert after.size == before.size + 3
    assert ledger.get(0).event.body["question"] == made["question"], "the entry is as it was"
    with database.connect() as connection:
        assert connection.scalars(select(vault_keys.c.subject)).all() == ["bob"]


def test_it_is_recorded_before_and_after(vault: Vault, ledger: Ledger) -> None:
    answered(vault, ledger, "alice", "a1")
    done = erase(vault, ledger, subject="alice", actor=OPERATOR)
    intent, end = (entry.event for entry in ledger.entries(1))
    assert (intent.action, end.action, end.closes) == ("subject.erase.intent", "subject.erased", intent.seq)
    assert end.seq == done.entry
    assert dict(end.body) == {"subject": "alice", "keys": 1, "items": 2, "clean": True}
    assert {intent.actor.subject, end.actor.subject} == {"operator"}


def test_erasing_twice_or_a_stranger_harms_nothing_and_says_so(vault: Vault, ledger: Ledger) -> None:
    answered(vault, ledger, "alice", "a1")
    erase(vault, ledger, subject="alice", actor=OPERATOR)
    for subject in ("alice", "nobody", "' OR 1=1 --", "%", "a" * 500):
        done = erase(vault, ledger, subject=subject, actor=OPERATOR)
        assert (done.keys, done.items) == (0, 0)
    assert ledger.close_dangling(OPERATOR) == 0


def test_what_comes_later_gets_a_new_key(vault: Vault, ledger: Ledger, database: Engine) -> None:
    answered(vault, ledger, "alice", "a1")
    with database.connect() as connection:
        [first] = connection.scalars(select(vault_keys.c.id)).all()
    erase(vault, ledger, subject="alice", actor=OPERATOR)
    answered(vault, ledger, "alice", "a2")
    with database.connect() as connection:
        [second] = connection.scalars(select(vault_keys.c.id)).all()
    assert first != second
    assert vault.open("alice", "a1") == {}
    assert vault.open("alice", "a2")["question"].text == TEXTS["question"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_bytes_are_gone_from_the_files(vault: Vault, ledger: Ledger, database: Engine, tmp_path: Path) -> None:
    """Many subjects, so that the tables' pages were split and filled anew before the erasure."""
    for number in range(400):
        vault.seal(f"subject-{number % 80}", f"a{number}", TEXTS)
    query = (
        select(vault_keys.c.id, vault_keys.c.wrapped, vault_items.c.sealed)
        .join(vault_items, vault_items.c.key_id == vault_keys.c.id)
        .where(vault_keys.c.subject == "subject-7")
    )
    with database.connect() as connection:
        rows = connection.execute(query).all()
    secret = [row.wrapped for row in rows] + [row.sealed for row in rows] + [rows[0].id.encode()]
    before = files(tmp_path / "main")
    assert all(value in before for value in secret), "otherwise this test would find nothing afterwards either"
    assert erase(vault, ledger, subject="subject-7", actor=OPERATOR).clean
    after = files(tmp_path / "main")
    assert not any(value in after for value in secret)
    assert not any(value[-16:] in after for value in secret)
    assert vault.open("subject-8", "a8")["question"].text == TEXTS["question"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_while_somebody_reads_an_old_state_it_says_that_the_files_are_not_clean(
    vault: Vault, ledger: Ledger, database: Engine
) -> None:
    answered(vault, ledger, "alice", "a1")
    answered(vault, ledger, "bob", "b1")

    @event.listens_for(database, "checkout")
    def hasty(connection, *_others) -> None:  # type: ignore[no-untyped-def]
        connection.execute("PRAGMA busy_timeout=200").close()

    with database.connect() as reader:
        rows = reader.exec_driver_sql("SELECT sealed FROM vault_items")
        rows.fetchone()
        done = erase(vault, ledger, subject="alice", actor=OPERATOR)
        assert (done.keys, done.clean) == (1, False)
        rows.close()
    assert erase(vault, ledger, subject="alice", actor=OPERATOR).clean


class _Full:
    """An audit sink on a disk that is full from some entry on."""

    def __init__(self, ledger: Ledger, room: int) -> None:
        self._ledger = ledger
        self._room = room

    def append(self, action, **fields):  # type: ignore[no-untyped-def]
        if self._room == 0:
            raise LedgerUnavailable("The ledger is full.", remedy="Free some space.")
        self._room -= 1
        return self._ledger.append(action, **fields)


def test_what_cannot_be_recorded_is_not_erased(vault: Vault, ledger: Ledger) -> None:
    answered(vault, ledger, "alice", "a1")
    with pytest.raises(LedgerUnavailable):
        erase(vault, _Full(ledger, 0), subject="alice", actor=OPERATOR)
    assert vault.open("alice", "a1")["question"].text == TEXTS["question"]


def test_an_erasure_whose_end_was_not_recorded_is_closed_as_unknown_and_can_be_done_again(
    vault: Vault, ledger: Ledger
) -> None:
    answered(vault, ledger, "alice", "a1")
    with pytest.raises(LedgerError):
        erase(vault, _Full(ledger, 1), subject="alice", actor=OPERATOR)
    assert ledger.close_dangling(OPERATOR) == 1
    assert ledger.entries()[-1].event.outcome == "unknown"
    assert vault.open("alice", "a1") == {}
    assert erase(vault, ledger, subject="alice", actor=OPERATOR).clean


def test_an_erasure_that_the_database_refuses_is_recorded_as_an_error(vault: Vault, ledger: Ledger) -> None:
    answered(vault, ledger, "alice", "a1")
    with vault.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE vault_items RENAME TO vault_items_elsewhere")
    with pytest.raises(VaultUnavailable, match="as it was"):
        erase(vault, ledger, subject="alice", actor=OPERATOR)
    assert ledger.entries()[-1].event.outcome == "error"
    assert ledger.close_dangling(OPERATOR) == 0
