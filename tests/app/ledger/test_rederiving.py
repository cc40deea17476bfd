"""The check of raw rows: it names the first wrong entry wherever the reading was divided, and reads every entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from app.errors import LedgerCorrupt, LedgerUnavailable
from app.identity.principal import OPERATOR
from app.ledger.canonical import encoded
from app.ledger.event import Draft
from app.ledger.log import Ledger
from app.ledger.merkle import CompactRange, leaf_hash, root_of
from app.ledger.reading import LedgerReader
from app.ledger.rederiving import PRUNE_INTENT, Rederivation, VerifyReport
from tests.app.ledger.test_tamper import tamper
from tests.app.storage.postgres import fresh_schema

LENGTH = 2005
"""Two full readings of a thousand, and the beginning of a third."""
BORDERS = (0, 1, 998, 999, 1000, 1001, 1999, 2000, LENGTH - 1)
ROWS = 24
Row = tuple[Any, ...]


def event(seq: int, *, action: str = "test.event", closes: int | None = None, body: object = None) -> bytes:
    return encoded({"action": action, "body": body, "closes": closes, "seq": seq})


def made(bodies: list[bytes], *, each: int = 3) -> list[Row]:
    """Rows as a ledger stores them: the root beside the last of `each` entries, which were committed together."""
    tree, rows = CompactRange(), []
    for seq, body in enumerate(bodies):
        peak = tree.append(leaf_hash(body))
        root = tree.root() if seq % each == each - 1 or seq == len(bodies) - 1 else None
        said = orjson.loads(body)
        rows.append((seq, body, leaf_hash(body), peak, root, said["action"], said["closes"]))
    return rows


def verdict(rows: list[Row], *cuts: int, minimum: int = 0, known: dict[int, str] | None = None) -> VerifyReport | str:
    """Check rows in the pieces between the cuts; return the report, or what was found."""
    checked = Rederivation(lambda: minimum, known=dict(known or {}))
    try:
        for start, end in zip((0, *cuts), (*cuts, len(rows)), strict=True):
            checked.take(rows[start:end])
        return checked.report()
    except LedgerCorrupt as error:
        return error.message


GOOD = made([event(seq) for seq in range(ROWS)])


def put(seq: int, **changed: object) -> list[Row]:
    names = ("seq", "body", "leaf", "peak", "root", "action", "closes")
    row = dict(zip(names, GOOD[seq], strict=True)) | changed
    return [*GOOD[:seq], tuple(row[name] for name in names), *GOOD[seq + 1 :]]


def swapped(seq: int) -> list[Row]:
    one, other = GOOD[seq], GOOD[(seq + 1) % ROWS]
    rows = list(GOOD)
    rows[seq], rows[(seq + 1) % ROWS] = (one[0], *other[1:]), (other[0], *one[1:])
    return rows


TAMPERINGS: dict[str, tuple[Callable[[int], list[Row]], str]] = {
    "flipped": (lambda seq: put(seq, body=event(seq).replace(b"test", b"tess")), "Entry {} does not hash"),
    "body of text": (lambda seq: put(seq, body=event(seq).decode()), "Entry {} does not hash"),
    "body gone": (lambda seq: put(seq, body=None), "Entry {} does not hash"),
    "leaf": (lambda seq: put(seq, leaf=bytes(32)), "Entry {} does not hash"),
    "peak": (lambda seq: put(seq, peak=bytes(32)), "The root recorded after entry {} is not"),
    "no peak": (lambda seq: put(seq, peak=None), "The root recorded after entry {} is not"),
    "root": (lambda seq: put(seq, root=bytes(32)), "The root recorded after entry {} is not"),
    "root of a number": (lambda seq: put(seq, root=7), "The root recorded after entry {} is not"),
    "action": (lambda seq: put(seq, action="other.event"), "Entry {} is not the event"),
    "closes": (lambda seq: put(seq, closes=0), "Entry {} is not the event"),
    "another number": (lambda seq: made([event(n + (n == seq)) for n in range(ROWS)]), "Entry {} is not the event"),
    "twice": (lambda seq: [*GOOD[: seq + 1], *GOOD[seq:]], "There is an entry {}."),
    "rewritten with its leaf": (
        lambda seq: put(seq, body=event(seq, body=1), leaf=leaf_hash(event(seq, body=1))),
        "The root recorded after entry {} is not",
    ),
    "not JSON": (lambda seq: put(seq, body=b"{", leaf=leaf_hash(b"{")), "Entry {} is not the event"),
    "no object": (lambda seq: put(seq, body=b"[]", leaf=leaf_hash(b"[]")), "Entry {} is not the event"),
    "half a character": (
        lambda seq: put(seq, body=b'{"seq":"\xff"}', leaf=leaf_hash(b'{"seq":"\xff"}')),
        "Entry {} is not the event",
    ),
}


def test_rows_of_a_ledger_pass_with_its_root() -> None:
    assert verdict(GOOD) == VerifyReport(size=ROWS, root=root_of(row[2] for row in GOOD).hex())
    assert verdict([]) == VerifyReport(size=0, root=CompactRange().root().hex())


@pytest.mark.parametrize("name", TAMPERINGS)
@pytest.mark.parametrize("seq", [0, 1, 7, 8, ROWS - 1])
def test_each_tampering_names_its_entry_wherever_the_rows_are_divided(name: str, seq: int) -> None:
    tampering, message = TAMPERINGS[name]
    rows = tampering(seq)
    found = verdict(rows)
    assert isinstance(found, str)
    assert found.startswith(message.format(seq)), found
    for cut in range(len(rows) + 1):
        assert verdict(rows, cut) == found


@pytest.mark.parametrize("seq", range(ROWS - 1))
def test_two_swapped_neighbours_and_a_missing_entry_name_the_first(seq: int) -> None:
    assert verdict(swapped(seq)) == f"Entry {seq} is not the event that stands in its place."
    assert verdict([*GOOD[:seq], *GOOD[seq + 1 :]], seq) == f"Entry {seq} is missing."


@given(cuts=st.lists(st.integers(0, ROWS), max_size=5), size=st.integers(0, ROWS), each=st.integers(1, 9))
def test_where_rows_are_divided_makes_no_difference(cuts: list[int], size: int, each: int) -> None:
    rows = made([event(seq) for seq in range(size)], each=each)
    cuts = sorted(min(cut, size) for cut in cuts)
    assert verdict(rows, *cuts) == verdict(rows) == VerifyReport(size=size, root=root_of(r[2] for r in rows).hex())


@given(data=st.data(), name=st.sampled_from(sorted(TAMPERINGS)), seq=st.integers(0, ROWS - 3))
def test_of_two_tamperings_the_first_is_named(data: st.DataObject, name: str, seq: int) -> None:
    rows = TAMPERINGS[name][0](seq)
    found = verdict(rows)
    later = data.draw(st.integers(seq + 2, len(rows) - 1))
    rows[later] = (rows[later][0], b"", b"", b"", b"", "", 0)
    assert verdict(rows, data.draw(st.integers(0, len(rows)))) == found


@pytest.mark.parametrize("size", range(1, ROWS + 1))
def test_a_receipt_of_any_size_is_held_against_the_tree(size: int) -> None:
    root = root_of(row[2] for row in GOOD[:size]).hex()
    for cut in (0, size - 1, size, ROWS):
        assert verdict(GOOD, cut, known={size: root}) == verdict(GOOD)
        found = verdict(GOOD, cut, known={size: "0" * 64})
        assert found == f"Entry {size - 1}, or one before it, is not the one that a receipt was given for."


def test_receipts_of_a_longer_ledger_name_the_first_entry_that_is_missing() -> None:
    found = verdict(GOOD, known={ROWS + 1: "", ROWS + 5: ""})
    assert found == f"Entry {ROWS} is missing: a receipt was given for {ROWS + 5} entries."


def pruned(stated: object, *, gone: int) -> list[Row]:
    bodies = [event(seq) for seq in range(8)] + [event(8, action=PRUNE_INTENT, body={"minimum": stated})]
    return [(seq, None if seq < gone else body, *rest) for seq, body, *rest in made(bodies)]


@pytest.mark.parametrize("cut", range(10))
def test_pruned_entries_need_one_that_says_so_wherever_the_rows_are_divided(cut: int) -> None:
    report = verdict(pruned(4, gone=4), cut, minimum=4)
    assert isinstance(report, VerifyReport)
    assert (report.size, report.minimum) == (9, 4)
    assert verdict(pruned(3, gone=4), cut, minimum=4) == (
        "The bodies of the entries below 4 are gone, and no entry says that they were pruned."
    )
    assert verdict(pruned(4, gone=3), cut, minimum=4) == "Entry 3 was pruned, but has a body, or has no hash."
    assert verdict(pruned(4, gone=5), cut, minimum=4) == ("Entry 4 does not hash to the leaf that was recorded for it.")


@pytest.mark.parametrize("stated", [None, "four", [], {}, float("1e3") / 7, True])
def test_a_minimum_that_is_no_number_is_none(stated: object) -> None:
    assert verdict(pruned(stated, gone=4), minimum=200) == "Entry 4 was pruned, but has a body, or has no hash."
    assert str(verdict(pruned(stated, gone=4)[:8], minimum=4)).startswith("The bodies of the entries below 4 are gone")


def test_a_minimum_that_rises_meanwhile_is_read_again() -> None:
    asked: list[int] = []

    def minimum() -> int:
        asked.append(1)
        return 4 if len(asked) > 1 else 0

    checked = Rederivation(minimum)
    checked.take(pruned(4, gone=4))
    assert checked.report().minimum == 4
    assert len(asked) == 2


# The same on a store, where the reading divides the rows by itself.


@pytest.fixture
def long(engine: Engine) -> Engine:
    with Ledger(engine) as ledger:
        draft = Draft.of("test.event", subject="operator", method="local", body={"text": "x" * 40})
        while ledger.size < LENGTH:
            ledger.append_together([draft] * min(401, LENGTH - ledger.size))
    return engine


def found_in(engine: Engine) -> str:
    with pytest.raises(LedgerCorrupt) as caught:
        LedgerReader(engine).verify()
    return caught.value.message


def test_a_ledger_of_several_readings_is_read_whole_and_in_order(long: Engine) -> None:
    reader = LedgerReader(long)
    assert reader.verify().size == LENGTH
    assert [seq for seq, _ in reader.raw()] == list(range(LENGTH))


@pytest.mark.parametrize("seq", BORDERS)
def test_tampering_beside_the_border_of_a_reading_names_its_entry(long: Engine, seq: int) -> None:
    at = f"WHERE seq = {seq}"
    tamper(long, f"UPDATE ledger_entries SET peak = :other {at}", other=bytes(32))
    assert found_in(long) == f"The root recorded after entry {seq} is not that of the entries up to it."
    tamper(long, f"UPDATE ledger_entries SET action = 'other.event' {at}")
    assert found_in(long) == f"Entry {seq} is not the event that stands in its place."
    tamper(long, f"UPDATE ledger_entries SET leaf = :other {at}", other=bytes(32))
    assert found_in(long) == f"Entry {seq} does not hash to the leaf that was recorded for it."
    if seq < LENGTH - 1:
        tamper(long, f"DELETE FROM ledger_entries {at}")
        assert found_in(long) == f"Entry {seq} is missing."


def test_a_gap_wider_than_a_reading_is_named_and_what_follows_is_still_read(long: Engine) -> None:
    tamper(long, "DELETE FROM ledger_entries WHERE seq >= 3 AND seq < 2003")
    assert found_in(long) == "Entry 3 is missing."
    assert [seq for seq, _ in LedgerReader(long).raw()] == [0, 1, 2, 2003, 2004]


@pytest.mark.parametrize("seq", [-(2**63), -5000, LENGTH + 5000, 2**63 - 1])
def test_an_entry_at_the_end_of_all_numbers_is_found_and_read(long: Engine, seq: int) -> None:
    copied = "INSERT INTO ledger_entries SELECT :seq, body, leaf, peak, root, action, NULL FROM ledger_entries"
    tamper(long, f"{copied} WHERE seq = 4", seq=seq)
    assert found_in(long) == (f"There is an entry {seq}." if seq < 0 else f"Entry {LENGTH} is missing.")
    assert sorted([seq, *range(LENGTH)]) == [number for number, _ in LedgerReader(long).raw()]


def test_a_store_that_goes_away_under_a_reader_is_unavailable_and_not_corrupt(engine: Engine) -> None:
    with Ledger(engine) as ledger:
        for _ in range(3):
            ledger.append("test.event", actor=OPERATOR, body={})
    reader = LedgerReader(engine)
    rows = reader.raw()
    assert next(rows)[0] == 0
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE ledger_entries RENAME COLUMN leaf TO gone"))
    with pytest.raises(LedgerUnavailable, match="cannot be read"):
        reader.verify()


def test_a_reader_whose_connection_the_server_ended_reads_again(open_engine: Callable[[str], Engine]) -> None:
    with fresh_schema() as url:
        engine = open_engine(url)
        with Ledger(engine) as ledger:
            ledger.append("test.event", actor=OPERATOR, body={})
        reader = LedgerReader(engine)
        assert reader.verify().size == 1
        with engine.connect() as connection:
            ended = connection.scalar(text("SELECT pg_backend_pid()"))
        with open_engine(url).connect() as other:
            assert other.scalar(text("SELECT pg_terminate_backend(:ended)"), {"ended": ended})
        assert reader.verify().size == 1
