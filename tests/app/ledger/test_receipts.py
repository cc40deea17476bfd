"""Receipts, proofs and exports with signatures, as the stand-alone verifier sees them: good ones, old ones, lies."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from app.errors import NotFound, Pruned
from app.identity.principal import OPERATOR
from app.ledger import verifier
from app.ledger.checkpoint import Checkpoint
from app.ledger.export import export
from app.ledger.log import Ledger
from app.ledger.merkle import inclusion_proof, leaf_hash, root_of
from app.ledger.note import COSIGNATURE, Note, Signer
from app.ledger.publication import checkpoint_folders, open_publisher, open_signer, signing_folder
from app.ledger.reading import LedgerReader
from app.ledger.receipts import prove, tlog_proof
from app.ledger.signing import begin_rotation
from app.ledger.verifier import ExportInvalid, check, check_receipt
from app.settings import load

LEAVES = [leaf_hash(str(n).encode()) for n in range(33)]
LOG = Signer("example.org/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
WITNESS = Signer("example.org/witness", Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
KEY, WITNESS_KEY = str(LOG.verifier()), str(WITNESS.verifier(COSIGNATURE))


def receipt(index: int = 3, size: int = 20, **changes: Any) -> bytes:
    body = Checkpoint("example.org/log", size, root_of(LEAVES[:size])).text()
    note = Note(body, (LOG.sign(body), WITNESS.cosign(body, seconds=1_800_000_000)))
    fields: dict[str, Any] = {"entry": index, "leaf": LEAVES[index].hex(), "event": str(index), "checkpoint": str(note)}
    fields["proof"] = [item.hex() for item in inclusion_proof(LEAVES, index, size)]
    return json.dumps(fields | changes).encode()


@pytest.mark.parametrize("size", range(1, 34))
def test_every_entry_of_every_tree_has_a_receipt_that_holds(size: int) -> None:
    for index in range(size):
        found = check_receipt(receipt(index, size), [KEY], [WITNESS_KEY])
        assert (found.size, found.signed, found.cosigned) == (size, size, size)


def test_a_receipt_without_a_key_is_checked_for_its_hashes_alone() -> None:
    assert check_receipt(receipt()).signed == 0
    bare = {name: value for name, value in json.loads(receipt()).items() if name != "event"}
    assert check_receipt(json.dumps(bare).encode(), [KEY]).signed == 20


other = Signer("example.org/log", Ed25519PrivateKey.from_private_bytes(bytes([2]) * 32))
good = json.loads(receipt())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"event": "4"}, "not the one whose hash is its leaf"),
        ({"entry": 4}, "does not lead to the checkpoint"),
        ({"entry": 20}, "does not lead to the checkpoint"),
        ({"entry": -1}, "does not lead to the checkpoint"),
        ({"leaf": LEAVES[4].hex(), "event": "4"}, "does not lead to the checkpoint"),
        ({"proof": good["proof"][:-1]}, "proof another length|does not lead"),
        ({"proof": [*good["proof"], "00" * 32]}, "does not lead"),
        ({"proof": good["proof"][::-1]}, "does not lead"),
        ({"proof": None}, "has another form"),
        ({"proof": ["zz"]}, "has another form"),
        (
            {"checkpoint": good["checkpoint"].replace("\n20\n", "\n21\n")},
            "A signature of example.org/log does not hold",
        ),
        ({"checkpoint": good["checkpoint"].replace("\n20\n", "\n020\n")}, "no size, or no root"),
        ({"checkpoint": good["checkpoint"].replace("\n\n", "\nextension\n\n")}, "not a signed note of origin"),
        ({"checkpoint": 7}, "not a signed note"),
        ({"checkpoint": good["checkpoint"].replace("example.org/log\n", "example.org/another\n")}, "does not hold"),
    ],
)
def test_a_receipt_that_lies_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ExportInvalid, match=said):
        check_receipt(receipt(**changes), [KEY])


def test_a_receipt_of_another_key_or_without_the_witness_is_refused() -> None:
    with pytest.raises(ExportInvalid, match="No trusted key signed the checkpoint of 20 entries"):
        check_receipt(receipt(), [str(other.verifier())])
    with pytest.raises(ExportInvalid, match="A witness cosigned no checkpoint"):
        check_receipt(receipt(), [KEY], [str(other.verifier(COSIGNATURE))])
    with pytest.raises(ExportInvalid, match="is no verifier key"):
        check_receipt(receipt(), ["nonsense"])
    with pytest.raises(ExportInvalid, match="No trusted key"):
        check_receipt(receipt(), [str(WITNESS.verifier())])


foreign = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(good["checkpoint"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(good)), inner, max_size=5),
    max_leaves=10,
)


@given(st.binary(max_size=80) | foreign.map(lambda value: json.dumps(value).encode()))
def test_foreign_receipts_raise_only_the_verifiers_own_error(data: bytes) -> None:
    with pytest.raises(ExportInvalid):
        check_receipt(data, [KEY])


@given(st.sampled_from(sorted(good)), foreign)
def test_a_foreign_field_in_a_receipt_raises_only_the_verifiers_own_error(name: str, value: Any) -> None:
    if value == good[name]:
        return
    if name == "entry" and value == good[name]:  # 3.0 is 3 to JSON's readers
        return
    with pytest.raises(ExportInvalid):
        check_receipt(receipt(**{name: value}), [KEY])


@given(st.integers(0, 2_000), st.binary(min_size=1, max_size=3))
def test_a_receipt_with_bytes_exchanged_is_refused_or_says_the_same(place: int, piece: bytes) -> None:
    data = receipt()
    place %= len(data)
    changed = data[:place] + piece + data[place + len(piece) :]
    try:
        found = check_receipt(changed, [KEY])
    except ExportInvalid:
        return
    assert (found.size, found.root) == (20, root_of(LEAVES[:20]).hex())
    said = json.loads(changed)
    assert [said.get(name, good[name]) for name in ("entry", "leaf")] == [good["entry"], good["leaf"]]


@dataclass
class Rotated:
    """A ledger with two keys, published before, at and after the rotation."""

    engine: Engine
    keys: list[str]
    notes: list[Note]


@pytest.fixture
def rotated(engine: Engine, tmp_path: Path) -> Rotated:
    settings = load({}, data_dir=tmp_path / "data")
    with Ledger(engine) as ledger:
        publisher = open_publisher(settings, ledger, engine, actor=OPERATOR)
        for n in range(4):
            ledger.append("test.event", actor=OPERATOR, body={"n": n})
        publisher.publish()
        signer = open_signer(settings, ledger, engine, actor=OPERATOR)
        begin_rotation(ledger, signer.identity, signing_folder(settings), actor=OPERATOR)
        publisher = open_publisher(settings, ledger, engine, actor=OPERATOR)
        body = {"answer_id": "f" * 32}
        intent = ledger.append("answer.intent", actor=OPERATOR, body=body)
        ledger.append("answer.outcome", actor=OPERATOR, body=body, closes=intent.entry)
        publisher.publish()
        keys = [str(key) for key in publisher.keys]
    return Rotated(engine, keys, list(checkpoint_folders(settings)[0].checkpoints()))


def exported(rotated: Rotated, tmp_path: Path, notes: list[Note] | None = None) -> list[bytes]:
    export(LedgerReader(rotated.engine), tmp_path / "x.jsonl", checkpoints=rotated.notes if notes is None else notes)
    return (tmp_path / "x.jsonl").read_bytes().splitlines(keepends=True)


def test_whoever_holds_the_first_key_follows_the_rotation(rotated: Rotated, tmp_path: Path) -> None:
    assert [Checkpoint.parse(note.text).size for note in rotated.notes] == [5, 6, 8]
    found = check(exported(rotated, tmp_path), {}, rotated.keys[:1])
    assert (found.size, found.signed) == (8, 8)


def test_whoever_holds_the_second_key_trusts_what_it_signed(rotated: Rotated, tmp_path: Path) -> None:
    assert check(exported(rotated, tmp_path), {}, rotated.keys[1:]).signed == 8


def test_without_the_tree_that_both_signed_the_new_key_is_not_trusted(rotated: Rotated, tmp_path: Path) -> None:
    lines = exported(rotated, tmp_path, [rotated.notes[0], rotated.notes[2]])
    with pytest.raises(ExportInvalid, match="No trusted key signed the checkpoint of 8 entries"):
        check(lines, {}, rotated.keys[:1])
    assert check(lines, {}, rotated.keys).signed == 8  # who holds both needs no hand-over


def test_a_retired_key_signs_nothing_after_its_interval(rotated: Rotated, tmp_path: Path, engine: Engine) -> None:
    """Stolen and used: its signature under a later tree counts for nothing."""
    body = rotated.notes[2].text
    thief = Signer("example.org/thief", Ed25519PrivateKey.from_private_bytes(bytes([3]) * 32))
    lines = exported(rotated, tmp_path, [*rotated.notes[:2], Note(body, (thief.sign(body),))])
    with pytest.raises(ExportInvalid, match="No trusted key signed the checkpoint of 8 entries"):
        check(lines, {}, rotated.keys[:1])
    early = Note(rotated.notes[0].text, rotated.notes[2].signatures)  # the new key's line under a tree before its time
    with pytest.raises(ExportInvalid, match="No trusted key signed the checkpoint of 5 entries"):
        check(exported(rotated, tmp_path, [early, *rotated.notes[1:]]), {}, rotated.keys[:1])


def test_a_proof_is_found_by_entry_and_by_answer_in_two_forms(rotated: Rotated, tmp_path: Path) -> None:
    newest = rotated.notes[-1]
    by_entry = prove(rotated.engine, "7", checkpoint=lambda _: newest)
    assert prove(rotated.engine, "f" * 32, checkpoint=lambda _: newest) == by_entry
    assert json.loads(by_entry["event"])["action"] == "answer.outcome"
    assert check_receipt(json.dumps(by_entry).encode(), rotated.keys[1:]).signed == 8
    first, index, *hashes = tlog_proof(by_entry).partition("\n\n")[0].split("\n")
    assert (first, index) == ("c2sp.org/tlog-proof@v1", "index 7")
    assert [base64.b64decode(item).hex() for item in hashes] == list(by_entry["proof"])
    assert tlog_proof(by_entry).partition("\n\n")[2] == str(newest)


@pytest.mark.parametrize("what", ["99", "0" * 32, "no such answer", "-1", "7" * 40])
def test_what_is_not_there_has_no_proof(rotated: Rotated, what: str) -> None:
    with pytest.raises(NotFound):
        prove(rotated.engine, what, checkpoint=lambda _: rotated.notes[-1])


def prune(engine: Engine, minimum: int) -> None:
    with engine.begin() as connection:
        present = connection.execute(text("SELECT 1 FROM ledger_meta WHERE name = 'minimum'")).first()
        statement = "UPDATE ledger_meta SET value = :minimum WHERE name = 'minimum'"
        if present is None:
            statement = "INSERT INTO ledger_meta VALUES ('minimum', :minimum)"
        connection.execute(text(statement), {"minimum": str(minimum)})
        connection.execute(text("UPDATE ledger_entries SET body = NULL WHERE seq < :minimum"), {"minimum": minimum})


def test_a_pruned_beginning_is_exported_by_its_hashes_and_every_proof_still_holds(
    rotated: Rotated, tmp_path: Path
) -> None:
    before = check(exported(rotated, tmp_path), {}, rotated.keys[:1])
    prune(rotated.engine, 4)
    lines = exported(rotated, tmp_path)
    assert [sorted(json.loads(line)) for line in lines[3:7]] == [["leaf", "seq"]] * 4
    after = check(lines, {}, rotated.keys[:1])
    assert (after.size, after.root, after.pruned, after.signed) == (before.size, before.root, 4, 8)
    proof = prove(rotated.engine, "6", checkpoint=lambda _: rotated.notes[-1])
    assert check_receipt(json.dumps(proof).encode(), rotated.keys[1:]).size == 8
    with pytest.raises(Pruned):
        prove(rotated.engine, "2", checkpoint=lambda _: rotated.notes[-1])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: [*lines[:6], b'{"seq": 3, "leaf": "%s"}\n' % (b"0" * 64), *lines[7:]], "The end does not state"),
        (lambda lines: [*lines[:6], b'{"seq": 3, "leaf": "00"}\n', *lines[7:]], "has no body"),
        (lambda lines: [*lines[:6], b'{"seq": 3, "leaf": 7}\n', *lines[7:]], "has another form"),
        (lambda lines: [*lines[:8], b'{"seq": 5, "leaf": "%s"}\n' % (b"0" * 64), *lines[9:]], "Entry 5 .* has no body"),
    ],
)
def test_a_hash_in_the_place_of_a_body_is_taken_only_at_the_beginning(
    rotated: Rotated, tmp_path: Path, change: Callable[[list[bytes]], list[bytes]], said: str
) -> None:
    prune(rotated.engine, 4)
    with pytest.raises(ExportInvalid, match=said):
        check(change(exported(rotated, tmp_path)), {}, rotated.keys[:1])


def test_an_auditor_runs_the_whole_check_in_an_empty_folder(rotated: Rotated, tmp_path: Path) -> None:
    exported(rotated, tmp_path)
    folder = tmp_path / "auditor"
    folder.mkdir()
    for name, data in (
        ("verifier.py", Path(verifier.__file__).read_bytes()),
        ("export.jsonl", (tmp_path / "x.jsonl").read_bytes()),
        ("receipt.json", json.dumps(prove(rotated.engine, "2", checkpoint=lambda _: rotated.notes[0])).encode()),
        ("kept.txt", str(rotated.notes[0]).encode()),
    ):
        (folder / name).write_bytes(data)

    def run(*words: str, more: str = "-I") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *more.split(), "verifier.py", *words]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    key = ("--key", rotated.keys[0])
    whole = run("export.jsonl", *key, "--receipt", "receipt.json", "--checkpoint", "kept.txt")
    assert whole.returncode == 0, whole.stderr
    assert "valid: 8 entries, 0 pruned, 0 open intents" in whole.stdout
    assert "signed to 8 entries" in whole.stdout
    single = run("receipt", "receipt.json", *key)
    assert single.returncode == 0, single.stderr
    wrong = run("receipt", "receipt.json", "--key", rotated.keys[1])
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr == "INVALID: No trusted key signed the checkpoint of 5 entries.\n"
    without = run("export.jsonl", *key, more="-I -S")
    assert without.returncode == 1
    assert without.stderr == "INVALID: No module named 'cryptography'\n"
    assert run("export.jsonl", more="-I -S").returncode == 0
