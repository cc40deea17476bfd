"""Tampering: what a verification finds, which entry it names, and what only something kept elsewhere can show."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from app.answering.types import Receipt
from app.errors import LedgerCorrupt
from app.identity.principal import OPERATOR
from app.ledger.log import Ledger
from app.ledger.merkle import CompactRange, leaf_hash
from app.ledger.reading import LedgerReader

SIZE = 11
TRIGGERS = {
    "sqlite": ("ledger_no_update", "ledger_no_delete", "ledger_in_order"),
    "postgresql": ("ledger_no_change", "ledger_no_truncate", "ledger_in_order"),
}


@pytest.fixture
def receipts(engine: Engine) -> list[Receipt]:
    """A closed ledger of a few entries, and what was handed out for them."""
    with Ledger(engine) as ledger:
        return [ledger.append("test.event", actor=OPERATOR, body={"n": n}) for n in range(SIZE)]


def tamper(engine: Engine, *statements: str, **values: object) -> None:
    """Change the store as its administrator can: without the triggers."""
    postgresql = engine.dialect.name == "postgresql"
    with engine.begin() as connection:
        for trigger in TRIGGERS[engine.dialect.name]:
            connection.execute(text(f"DROP TRIGGER IF EXISTS {trigger}" + " ON ledger_entries" * postgresql))
        for statement in statements:
            connection.execute(text(statement), values)


def body(engine: Engine, seq: int) -> bytes:
    with engine.connect() as connection:
        query = text("SELECT body FROM ledger_entries WHERE seq = :seq")
        return bytes(connection.execute(query, {"seq": seq}).scalar_one())


def rewrite(engine: Engine, bodies: list[bytes]) -> None:
    """Do what an operator with this program can: other entries from the start, with all hashes made to fit."""
    tamper(engine, "DELETE FROM ledger_entries")
    tree = CompactRange()
    with engine.begin() as connection:
        for seq, data in enumerate(bodies):
            tree.append(leaf_hash(data))
            statement = text("INSERT INTO ledger_entries VALUES (:seq, :body, :leaf, :peak, :root, 'test.event', NULL)")
            values = {"seq": seq, "body": data, "leaf": leaf_hash(data), "peak": tree.peaks[-1], "root": tree.root()}
            connection.execute(statement, values)


def test_an_untouched_ledger_passes(engine: Engine, receipts: list[Receipt]) -> None:
    assert LedgerReader(engine).verify(known=receipts).root == receipts[-1].root


@pytest.mark.parametrize("seq", [0, 5, SIZE - 1])
def test_any_flipped_bit_of_an_entry_is_found(engine: Engine, receipts: list[Receipt], seq: int) -> None:
    data = body(engine, seq)
    for place in {0, len(data) // 2, len(data) - 1}:
        changed = bytearray(data)
        changed[place] ^= 1
        tamper(engine, "UPDATE ledger_entries SET body = :body WHERE seq = :seq", body=bytes(changed), seq=seq)
        with pytest.raises(LedgerCorrupt, match=rf"Entry {seq} does not hash"):
            LedgerReader(engine).verify()
    tamper(engine, "UPDATE ledger_entries SET body = :body WHERE seq = :seq", body=data, seq=seq)
    assert LedgerReader(engine).verify().size == SIZE


@pytest.mark.parametrize("column", ["leaf", "peak", "root"])
@pytest.mark.parametrize("seq", [0, 5, SIZE - 1])
def test_any_edited_hash_is_found(engine: Engine, receipts: list[Receipt], column: str, seq: int) -> None:
    tamper(engine, f"UPDATE ledger_entries SET {column} = :other WHERE seq = :seq", other=bytes(32), seq=seq)
    with pytest.raises(LedgerCorrupt, match=rf"[Ee]ntry {seq}\b"):
        LedgerReader(engine).verify()


def test_a_changed_entry_whose_leaf_was_made_to_fit_is_found(engine: Engine, receipts: list[Receipt]) -> None:
    data = body(engine, 5).replace(b'"n":5', b'"n":6')
    change = "UPDATE ledger_entries SET body = :body, leaf = :leaf WHERE seq = 5"
    tamper(engine, change, body=data, leaf=leaf_hash(data))
    with pytest.raises(LedgerCorrupt, match="root recorded after entry 5 is not"):
        LedgerReader(engine).verify()


@pytest.mark.parametrize("seq", [0, 5])
def test_a_deleted_entry_is_found(engine: Engine, receipts: list[Receipt], seq: int) -> None:
    tamper(engine, "DELETE FROM ledger_entries WHERE seq = :seq", seq=seq)
    with pytest.raises(LedgerCorrupt, match=f"Entry {seq} is missing"):
        LedgerReader(engine).verify()


def test_a_deleted_entry_whose_place_was_closed_up_is_found(engine: Engine, receipts: list[Receipt]) -> None:
    tamper(
        engine,
        "DELETE FROM ledger_entries WHERE seq = 5",
        "UPDATE ledger_entries SET seq = -seq WHERE seq > 5",
        "UPDATE ledger_entries SET seq = -seq - 1 WHERE seq < 0",
    )
    with pytest.raises(LedgerCorrupt, match="Entry 5 is not the event that stands in its place"):
        LedgerReader(engine).verify()


def test_two_swapped_entries_are_found(engine: Engine, receipts: list[Receipt]) -> None:
    tamper(
        engine,
        "UPDATE ledger_entries SET seq = 99 WHERE seq = 3",
        "UPDATE ledger_entries SET seq = 3 WHERE seq = 7",
        "UPDATE ledger_entries SET seq = 7 WHERE seq = 99",
    )
    with pytest.raises(LedgerCorrupt, match="Entry 3 is not the event that stands in its place"):
        LedgerReader(engine).verify()


def test_two_swapped_bodies_are_found(engine: Engine, receipts: list[Receipt]) -> None:
    one, other = body(engine, 3), body(engine, 7)
    tamper(
        engine,
        "UPDATE ledger_entries SET body = CASE seq WHEN 3 THEN :other ELSE :one END WHERE seq IN (3, 7)",
        one=one,
        other=other,
    )
    with pytest.raises(LedgerCorrupt, match="Entry 3 does not hash"):
        LedgerReader(engine).verify()


def test_an_inserted_entry_is_found(engine: Engine, receipts: list[Receipt]) -> None:
    copied = "INSERT INTO ledger_entries SELECT 5, body, leaf, peak, root, action, NULL FROM ledger_entries"
    tamper(
        engine,
        "UPDATE ledger_entries SET seq = -seq WHERE seq > 4",
        "UPDATE ledger_entries SET seq = -seq + 1 WHERE seq < 0",
        f"{copied} WHERE seq = 4",
    )
    with pytest.raises(LedgerCorrupt, match="Entry 5 is not the event that stands in its place"):
        LedgerReader(engine).verify()


@pytest.mark.parametrize("seq", [-1, SIZE, SIZE + 5])
def test_an_entry_outside_the_line_is_found(engine: Engine, receipts: list[Receipt], seq: int) -> None:
    copied = "INSERT INTO ledger_entries SELECT :seq, body, leaf, peak, root, action, NULL FROM ledger_entries"
    tamper(engine, f"{copied} WHERE seq = 4", seq=seq)
    with pytest.raises(LedgerCorrupt, match=r"[Ee]ntry (-1|11)\b"):
        LedgerReader(engine).verify()


@pytest.mark.parametrize(("column", "value"), [("action", "'answer.intent'"), ("closes", "2")])
def test_an_edited_search_column_is_found(engine: Engine, receipts: list[Receipt], column: str, value: str) -> None:
    tamper(engine, f"UPDATE ledger_entries SET {column} = {value} WHERE seq = 5")
    with pytest.raises(LedgerCorrupt, match="Entry 5 is not the event that stands in its place"):
        LedgerReader(engine).verify()


def test_a_truncated_tail_is_not_found_since_a_shorter_tree_is_as_consistent_as_a_longer_one(
    engine: Engine, receipts: list[Receipt]
) -> None:
    tamper(engine, "DELETE FROM ledger_entries WHERE seq >= 8")
    report = LedgerReader(engine).verify()
    assert (report.size, report.root) == (8, receipts[7].root)


def test_a_truncated_tail_is_found_with_a_receipt_that_was_kept_elsewhere(
    engine: Engine, receipts: list[Receipt]
) -> None:
    tamper(engine, "DELETE FROM ledger_entries WHERE seq >= 8")
    with pytest.raises(LedgerCorrupt, match="Entry 8 is missing"):
        LedgerReader(engine).verify(known=[receipts[-1]])
    assert LedgerReader(engine).verify(known=receipts[:8]).size == 8


def test_a_rewritten_ledger_is_not_found_since_its_hashes_were_made_by_the_same_rule(
    engine: Engine, receipts: list[Receipt]
) -> None:
    bodies = [body(engine, seq) for seq in range(SIZE)]
    bodies[5] = bodies[5].replace(b'"n":5', b'"n":6')
    rewrite(engine, bodies)
    assert LedgerReader(engine).verify().size == SIZE


def test_a_rewritten_ledger_is_found_with_a_receipt_that_was_kept_elsewhere(
    engine: Engine, receipts: list[Receipt]
) -> None:
    bodies = [body(engine, seq) for seq in range(SIZE)]
    bodies[5] = bodies[5].replace(b'"n":5', b'"n":6')
    rewrite(engine, bodies)
    for receipt in receipts[5:]:
        with pytest.raises(LedgerCorrupt, match=f"Entry {receipt.entry}, or one before it"):
            LedgerReader(engine).verify(known=[receipt])
    assert LedgerReader(engine).verify(known=receipts[:5]).size == SIZE  # what came before still holds


def test_a_restored_older_copy_is_found_with_a_receipt_alone(
    tmp_path: Path, open_engine: Callable[[str], Engine]
) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Ledger(open_engine(url)) as ledger:
        ledger.append("test.event", actor=OPERATOR, body={})
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as source, closing(sqlite3.connect(tmp_path / "old")) as old:
        source.backup(old)
    with Ledger(open_engine(url)) as ledger:
        receipt = ledger.append("test.event", actor=OPERATOR, body={})
    older = LedgerReader(open_engine(f"sqlite:///{tmp_path / 'old'}"))
    assert older.verify().size == 1
    with pytest.raises(LedgerCorrupt, match="Entry 1 is missing"):
        older.verify(known=[receipt])


def test_a_running_service_finds_what_is_cut_off_or_rewritten_under_it(engine: Engine) -> None:
    with Ledger(engine) as ledger:
        for n in range(SIZE):
            ledger.append("test.event", actor=OPERATOR, body={"n": n})
        bodies = [body(engine, seq) for seq in range(SIZE)]
        rewrite(engine, bodies[:-1])
        with pytest.raises(LedgerCorrupt, match=f"Entry {SIZE - 1} is missing"):
            ledger.verify()
        rewrite(engine, [bodies[0].replace(b'"n":0', b'"n":1'), *bodies[1:]])
        with pytest.raises(LedgerCorrupt, match="is not the one that a receipt was given for"):
            ledger.verify()
        rewrite(engine, bodies)
        assert ledger.verify().size == SIZE


@pytest.mark.parametrize("column", ["peak", "root"])
def test_a_tree_that_does_not_fit_together_stops_the_start(
    engine: Engine, receipts: list[Receipt], column: str
) -> None:
    tamper(engine, f"UPDATE ledger_entries SET {column} = :other WHERE seq = {SIZE - 1}", other=bytes(32))
    for _ in range(2):  # the refusal gives the right to write back
        with pytest.raises(LedgerCorrupt):
            Ledger(engine)


def test_a_missing_peak_stops_the_start(engine: Engine, receipts: list[Receipt]) -> None:
    tamper(engine, "DELETE FROM ledger_entries WHERE seq = 7")
    with pytest.raises(LedgerCorrupt, match="missing"):
        Ledger(engine)


@pytest.mark.parametrize("value", ["'text'", "7", "1e6", "zeroblob(3)"])
@pytest.mark.parametrize("column", ["body", "leaf", "peak", "root"])
def test_values_of_a_foreign_type_are_damage_and_not_a_crash(file_engine: Engine, column: str, value: str) -> None:
    with Ledger(file_engine) as ledger:
        for n in range(SIZE):
            ledger.append("test.event", actor=OPERATOR, body={"n": n})
    tamper(file_engine, f"UPDATE ledger_entries SET {column} = {value} WHERE seq = 10")
    reader = LedgerReader(file_engine)
    with pytest.raises(LedgerCorrupt, match="10"):
        reader.verify()
    if column in {"peak", "root"}:
        with pytest.raises(LedgerCorrupt):
            Ledger(file_engine)
    if column == "body":
        with pytest.raises(LedgerCorrupt, match="Entry 10 cannot be read"):
            reader.get(10)


def test_a_byte_flipped_in_the_file_itself_is_found(tmp_path: Path, open_engine: Callable[[str], Engine]) -> None:
    path = tmp_path / "ledger.db"
    engine = open_engine(f"sqlite:///{path}")
    with Ledger(engine) as ledger:
        for n in range(SIZE):
            ledger.append("test.event", actor=OPERATOR, body={"n": n, "mark": f"mark-of-{n}-"})
    engine.dispose()  # the last connection moves everything from the -wal file into the database
    data = path.read_bytes()
    assert data.count(b"mark-of-6-") == 1
    path.write_bytes(data.replace(b"mark-of-6-", b"mark-of-6+"))
    with pytest.raises(LedgerCorrupt, match="Entry 6 does not hash"):
        LedgerReader(open_engine(f"sqlite:///{path}")).verify()


def test_a_file_with_destroyed_pages_is_damage_and_not_a_crash(
    tmp_path: Path, open_engine: Callable[[str], Engine]
) -> None:
    path = tmp_path / "ledger.db"
    engine = open_engine(f"sqlite:///{path}")
    with Ledger(engine) as ledger:
        for n in range(200):
            ledger.append("test.event", actor=OPERATOR, body={"n": n, "text": "x" * 400})
    engine.dispose()
    shutil.copy(path, tmp_path / "good.db")
    data = bytearray(path.read_bytes())
    data[20 * 4096 : 30 * 4096] = b"\xff" * (10 * 4096)
    path.write_bytes(data)
    with pytest.raises(LedgerCorrupt):
        LedgerReader(open_engine(f"sqlite:///{path}")).verify()
    assert LedgerReader(open_engine(f"sqlite:///{tmp_path / 'good.db'}")).verify().size == 200
