"""The vault: content comes back to whom it belongs, is encrypted where it lies, and is not lost by a wrong secret."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, text, update

from app.errors import StartFailed, VaultUnavailable
from app.ledger.commitment import Opening
from app.ledger.vault import Vault
from app.storage.migrate import upgrade
from app.storage.tables import vault_items, vault_keys
from tests.app.storage.disks import SmallDisk

SECRET = b"s" * 64
TEXTS = {"question": "Is CANARY-1 safe?", "history": '[["CANARY-2", "yes"]]', "claim.0": "CANARY-3 is.", "answer": ""}


@pytest.fixture
def database(engine: Engine) -> Engine:
    upgrade(engine)
    return engine


@pytest.fixture
def vault(database: Engine) -> Vault:
    return Vault(database, SECRET)


def bytes_on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_what_was_kept_comes_back_and_opens_its_commitments(vault: Vault) -> None:
    made = vault.seal("alice", "a1", TEXTS)
    found = vault.open("alice", "a1")
    assert {name: opening.text for name, opening in found.items()} == TEXTS
    assert {name: opening.commitment for name, opening in found.items()} == made
    assert vault.holds("a1")


def test_another_subject_another_answer_and_no_answer_give_nothing(vault: Vault) -> None:
    vault.seal("alice", "a1", TEXTS)
    vault.seal("bob", "b1", {"question": "Who?"})
    assert vault.open("bob", "a1") == {}
    assert vault.open("alice", "b1") == {}
    assert vault.open("nobody", "none") == {}
    assert not vault.holds("none")


def test_nothing_to_keep_makes_no_key(vault: Vault, database: Engine) -> None:
    assert vault.seal("alice", "a1", {}) == {}
    with database.connect() as connection:
        assert connection.execute(vault_keys.select()).all() == []


def test_each_subject_has_one_key_and_each_text_a_salt(vault: Vault, database: Engine) -> None:
    for number in range(3):
        vault.seal("alice", f"a{number}", {"question": "yes"})
        vault.seal("bob", f"b{number}", {"question": "yes"})
    with database.connect() as connection:
        assert sorted(row.subject for row in connection.execute(vault_keys.select())) == ["alice", "bob"]
    openings = [vault.open("alice", f"a{number}")["question"] for number in range(3)]
    assert len({opening.salt for opening in openings}) == 3
    assert {opening.text for opening in openings} == {"yes"}


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_content_lies_encrypted(vault: Vault, tmp_path: Path) -> None:
    vault.seal("alice", "a1", TEXTS)
    assert b"CANARY" not in bytes_on_disk(tmp_path)
    for opening in vault.open("alice", "a1").values():
        assert bytes.fromhex(opening.salt) not in bytes_on_disk(tmp_path)
        assert opening.salt.encode() not in bytes_on_disk(tmp_path)


def test_it_survives_a_restart_with_the_same_secret(vault: Vault, database: Engine) -> None:
    vault.seal("alice", "a1", TEXTS)
    assert Vault(database, SECRET).open("alice", "a1")["question"].text == TEXTS["question"]


def test_another_secret_is_told_at_the_start_and_loses_nothing(vault: Vault, database: Engine) -> None:
    made = vault.seal("alice", "a1", TEXTS)
    with pytest.raises(StartFailed, match="another secret") as caught:
        Vault(database, b"t" * 64)
    assert "secret" in caught.value.remedy
    again = Vault(database, SECRET)
    assert {name: opening.commitment for name, opening in again.open("alice", "a1").items()} == made


def test_a_database_without_the_tables_is_refused(engine: Engine) -> None:
    with pytest.raises(StartFailed, match="vault cannot be read"):
        Vault(engine, SECRET)


def test_content_moved_to_another_answer_or_name_does_not_open(vault: Vault, database: Engine) -> None:
    vault.seal("alice", "a1", {"question": "Is it safe?", "answer": "No."})
    with database.begin() as connection:
        connection.execute(update(vault_items).where(vault_items.c.name == "answer").values(name="claim.0"))
    with pytest.raises(VaultUnavailable, match="changed"):
        vault.open("alice", "a1")
    vault.seal("alice", "a2", {"question": "Is it safe?"})
    with database.begin() as connection:
        connection.execute(update(vault_items).where(vault_items.c.answer_id == "a2").values(answer_id="a3"))
    with pytest.raises(VaultUnavailable, match="changed"):
        vault.open("alice", "a3")


@pytest.mark.parametrize("change", ["wrapped = zeroblob(60)", "wrapped = 'text'", "subject = 'mallory'"])
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_key_that_was_changed_opens_nothing_and_takes_nothing(vault: Vault, database: Engine, change: str) -> None:
    vault.seal("alice", "a1", TEXTS)
    with database.begin() as connection:
        connection.execute(text(f"UPDATE vault_keys SET {change}"))
    subject = "mallory" if "mallory" in change else "alice"
    with pytest.raises(VaultUnavailable):
        vault.open(subject, "a1")
    with pytest.raises(VaultUnavailable):
        vault.seal(subject, "a2", TEXTS)


def test_content_that_is_discarded_is_gone_and_the_rest_stays(vault: Vault) -> None:
    for number in range(4):
        vault.seal("alice", f"a{number}", TEXTS)
    assert vault.discard(["a1", "a2", "none"]) == 2 * len(TEXTS)
    assert [bool(vault.open("alice", f"a{number}")) for number in range(4)] == [True, False, False, True]


def test_many_threads_share_one_new_subject(vault: Vault, database: Engine) -> None:
    failed: list[BaseException] = []

    def run(thread: int) -> None:
        try:
            for number in range(5):
                vault.seal("alice", f"{thread}-{number}", {"question": f"{thread} {number}"})
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failed.append(error)

    threads = [threading.Thread(target=run, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    for thread in range(8):
        assert vault.open("alice", f"{thread}-4")["question"].text == f"{thread} 4"
    with database.connect() as connection:
        assert len(connection.execute(vault_keys.select()).all()) == 1


def test_the_same_answer_is_not_kept_twice(vault: Vault) -> None:
    made = vault.seal("alice", "a1", {"question": "first"})
    with pytest.raises(VaultUnavailable):
        vault.seal("alice", "a1", {"question": "second"})
    assert vault.open("alice", "a1")["question"] == Opening("first", vault.open("alice", "a1")["question"].salt)
    assert vault.open("alice", "a1")["question"].opens(made["question"])


def seal_for_ever(vault: Vault) -> None:
    for number in range(2000):
        vault.seal("alice", f"full-{number}", {"question": "x" * 2000})


def test_on_a_full_disk_it_says_so_and_keeps_what_it_had(
    small_disk: SmallDisk, open_engine: Callable[[str], Engine]
) -> None:
    database = open_engine(f"sqlite:///{small_disk.folder / 'vouch.db'}")
    upgrade(database)
    vault = Vault(database, SECRET)
    vault.seal("alice", "a1", TEXTS)
    small_disk.fill()
    with pytest.raises(VaultUnavailable) as caught:
        seal_for_ever(vault)
    assert "space" in caught.value.remedy
    small_disk.free()
    assert vault.open("alice", "a1")["question"].text == TEXTS["question"]
    vault.seal("alice", "a2", TEXTS)
