"""The tamper matrix: what was done to a ledger, and who finds it, by which error.

Three look at each case. *verify* is `./vouch audit verify` on the store. The *verifier* is the stand-alone file on an
export of that store, once with what the export itself brings and the log's key, and once with a checkpoint that an
outsider holds. The *witness* is asked to cosign what the log now shows.

Whoever has all of the operator's means (the program, the key, the store) can make a history that is consistent in
itself: then only what is outside his reach finds it. Both halves are asserted.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, text

from app.errors import LedgerCorrupt, LedgerError
from app.identity.principal import OPERATOR
from app.ledger.checkpoint import Checkpoint
from app.ledger.checkpoint_folder import CheckpointFolder
from app.ledger.export import export
from app.ledger.log import Ledger
from app.ledger.merkle import CompactRange, leaf_hash
from app.ledger.note import Note, Signer
from app.ledger.proving import Prover
from app.ledger.publication import checkpoint_folders, open_publisher, open_signer
from app.ledger.reading import LedgerReader
from app.ledger.verifier import ExportInvalid, check
from app.ledger.witness import Witness
from app.settings import Settings, load

SIZE = 12  # entry 0 names the key, then eleven events
TRIGGERS = {
    "sqlite": ("ledger_no_update", "ledger_no_delete", "ledger_in_order"),
    "postgresql": ("ledger_no_change", "ledger_no_truncate", "ledger_in_order"),
}
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


@dataclass
class Case:
    """A ledger that was published and cosigned, before anybody touched it."""

    engine: Engine
    settings: Settings
    signer: Signer
    key: str
    held: Note
    witness: Witness
    folder: Path

    def bodies(self) -> list[bytes]:
        with self.engine.connect() as connection:
            query = text("SELECT body FROM ledger_entries ORDER BY seq")
            return [bytes(body) for body in connection.scalars(query)]

    def change(self, *statements: str, **values: object) -> None:
        """Change the store as its administrator can: without the triggers."""
        postgresql = self.engine.dialect.name == "postgresql"
        with self.engine.begin() as connection:
            for trigger in TRIGGERS[self.engine.dialect.name]:
                connection.execute(text(f"DROP TRIGGER IF EXISTS {trigger}" + " ON ledger_entries" * postgresql))
            for statement in statements:
                connection.execute(text(statement), values)

    def rewrite(self, bodies: list[bytes]) -> None:
        """Make all hashes fit other entries, as an operator with this program can."""
        self.change("DELETE FROM ledger_entries")
        tree = CompactRange()
        with self.engine.begin() as connection:
            for seq, body in enumerate(bodies):
                tree.append(leaf_hash(body))
                row = {"seq": seq, "body": body, "leaf": leaf_hash(body), "peak": tree.peaks[-1], "root": tree.root()}
                action = json.loads(body)["action"]
                insert = "INSERT INTO ledger_entries (seq, body, leaf, peak, root, action, closes)"
                connection.execute(text(f"{insert} VALUES (:seq, :body, :leaf, :peak, :root, '{action}', NULL)"), row)

    def verify(self) -> str:
        """Return what `audit verify` says, empty where it finds nothing."""
        try:
            LedgerReader(self.engine).verify()
        except LedgerError as error:
            return error.message
        return ""

    def verifier(self, *, signers: tuple[Signer, ...] = (), held: tuple[Note, ...] = ()) -> str:
        """Return what the stand-alone verifier says of an export, which the operator makes look as good as he can.

        He leaves out the checkpoints of the old history and signs the tree that he shows.
        """
        path = self.folder / "export.jsonl"
        shown = [self.shown(*(signers or (self.signer,)))]
        export(LedgerReader(self.engine), path, checkpoints=shown)
        return self.checked(path, held=held)

    def checked(self, path: Path, *, held: tuple[Note, ...] = ()) -> str:
        """Return what the verifier says of a file, with the log's key and what is held outside."""
        try:
            with path.open("rb") as lines:
                check(lines, {}, [self.key], (), [str(note) for note in held])
        except ExportInvalid as error:
            return str(error)
        return ""

    def shown(self, *signers: Signer) -> Note:
        size = LedgerReader(self.engine).size
        body = Checkpoint(self.signer.verifier().name, size, Prover(self.engine).root(size)).text()
        return Note(body, tuple(signer.sign(body) for signer in signers))

    def asked(self, note: Note) -> int:
        """Return the status with which the witness answers the log's best attempt."""
        old = Checkpoint.parse(self.held.text).size
        new = Checkpoint.parse(note.text).size
        proof = Prover(self.engine).consistency(old, new) if old <= new else []
        lines = "".join(f"{base64.b64encode(item).decode()}\n" for item in proof)
        answer = self.witness.add_checkpoint(f"old {old}\n{lines}\n{note}".encode())
        return answer.status


@pytest.fixture
def case(engine: Engine, tmp_path: Path) -> Iterator[Case]:
    settings = load({}, data_dir=tmp_path / "data")
    with Ledger(engine) as ledger:
        publisher = open_publisher(settings, ledger, engine, actor=OPERATOR)
        for n in range(SIZE - 1):
            ledger.append("test.event", actor=OPERATOR, body={"n": n})
        identity = open_signer(settings, ledger, engine, actor=OPERATOR).identity
        assert publisher.publish()
    [held] = checkpoint_folders(settings)[0].checkpoints()
    witness = Witness(tmp_path / "witness", "example.org/witness", [identity.keys[0].key])
    assert witness.add_checkpoint(f"old 0\n\n{held}".encode()).status == 200
    yield Case(engine, settings, identity.signer, str(identity.keys[0].key), held, witness, tmp_path)
    witness.close()


def swap(table_column: str) -> tuple[str, ...]:
    return (
        f"UPDATE ledger_entries SET {table_column} = 99 WHERE {table_column} = 3",
        f"UPDATE ledger_entries SET {table_column} = 3 WHERE {table_column} = 7",
        f"UPDATE ledger_entries SET {table_column} = 7 WHERE {table_column} = 99",
    )


def flip(case: Case) -> None:
    body = bytearray(case.bodies()[5])
    body[len(body) // 2] ^= 1
    case.change("UPDATE ledger_entries SET body = :body WHERE seq = 5", body=bytes(body))


def duplicate(case: Case) -> None:
    copied = "INSERT INTO ledger_entries SELECT 12, body, leaf, peak, root, action, NULL FROM ledger_entries"
    case.change(f"{copied} WHERE seq = 11")


def insert(case: Case) -> None:
    case.change(
        "UPDATE ledger_entries SET seq = -seq WHERE seq > 4",
        "UPDATE ledger_entries SET seq = -seq + 1 WHERE seq < 0",
        "INSERT INTO ledger_entries SELECT 5, body, leaf, peak, root, action, NULL FROM ledger_entries WHERE seq = 4",
    )


CARELESS: dict[str, tuple[Callable[[Case], None], str, str]] = {
    "flip a bit": (
        flip,
        "Entry 5 does not hash to the leaf",
        "Entry 5|The export of 12 entries has not the known root of 12",
    ),
    "swap two": (
        lambda case: case.change(*swap("seq")),
        "Entry 3 is not the event that stands in its place",
        r"Entry 3 \(line 5\) says that it is another one",
    ),
    "delete in the middle": (
        lambda case: case.change("DELETE FROM ledger_entries WHERE seq = 5"),
        "Entry 5 is missing",
        "Entry 5 is missing",
    ),
    "duplicate": (duplicate, "Entry 12 is not the event", r"Entry 12 \(line 14\) says that it is another one"),
    "insert": (insert, "Entry 5 is not the event", r"Entry 5 \(line 7\) says that it is another one"),
}
"""What changes entries and not the hashes beside them, or not all: what *verify* and the *verifier* say."""


@pytest.mark.parametrize("name", CARELESS)
def test_careless_tampering_is_found_by_whoever_looks(case: Case, name: str) -> None:
    tamper, verify, verifier = CARELESS[name]
    assert case.verify() == ""
    tamper(case)
    assert re.search(verify, case.verify()), case.verify()
    path = case.folder / "export.jsonl"
    try:
        export(LedgerReader(case.engine), path, checkpoints=[case.held])
        found = case.checked(path)
    except LedgerCorrupt as error:  # a hole: there is nothing to export
        found = error.message
    assert re.search(verifier, found), found


def changed_and_rehashed(case: Case) -> None:
    bodies = case.bodies()
    bodies[5] = bodies[5].replace(b'"n":4', b'"n":9')
    case.rewrite(bodies)


def fork(case: Case) -> None:
    bodies = case.bodies()
    bodies[11] = bodies[11].replace(b'"n":10', b'"n":99')
    tail = bodies[11].replace(b'"seq":11', b'"seq":12')
    case.rewrite([*bodies, tail])


def deleted_last(case: Case) -> None:
    case.change("DELETE FROM ledger_entries WHERE seq = 11")


def truncated(case: Case) -> None:
    case.change("DELETE FROM ledger_entries WHERE seq >= 4")


CAREFUL: dict[str, tuple[Callable[[Case], None], str, int]] = {
    "delete the last": (deleted_last, "The export of 11 entries has not the known root of 12", 400),
    "truncate": (truncated, "The export of 4 entries has not the known root of 12", 400),
    "rewrite an entry and all hashes": (changed_and_rehashed, "The export of 12 entries has not the known root", 409),
    "fork: another last entry, and one more": (fork, "The export of 13 entries has not the known root of 12", 422),
}
"""What an operator can make consistent in itself: the verifier with an outside checkpoint, and the witness's status."""


@pytest.mark.parametrize("name", CAREFUL)
def test_a_history_that_is_consistent_in_itself_is_found_only_from_outside(case: Case, name: str) -> None:
    tamper, with_checkpoint, status = CAREFUL[name]
    tamper(case)
    assert case.verify() == ""  # one half: nothing inside shows it,
    assert case.verifier() == ""  # not even to an outsider who has nothing but the export and the true key
    assert case.verifier(held=(case.held,)).startswith(with_checkpoint)  # the other half
    assert case.asked(case.shown(case.signer)) == status
    [kept] = case.witness.latest()
    assert kept.text == case.held.text  # the witness holds what it cosigned: the evidence


def test_a_tail_that_was_signed_with_another_key_is_found_by_key_and_by_witness(case: Case) -> None:
    fork(case)
    impostor = Signer(case.signer.verifier().name, OTHER_KEY)
    assert case.verify() == ""
    assert case.verifier(signers=(impostor,)) == "No trusted key signed the checkpoint of 13 entries."
    assert case.asked(case.shown(impostor)) == 403


def test_a_key_that_names_itself_is_not_trusted_for_it(case: Case) -> None:
    """A rotation to another key, written into a rewritten tail: the old key signed no tree that ends with it."""
    impostor = Signer(case.signer.verifier().name, OTHER_KEY)
    bodies = case.bodies()
    named = bodies[11].replace(b'"action":"test.event"', b'"action":"ledger.key_rotation"')
    named = named.replace(b'{"n":10}', b'{"key":"%s"}' % str(impostor.verifier()).encode())
    assert named.count(b"ledger.key_rotation") == named.count(str(impostor.verifier()).encode()) == 1
    case.rewrite([*bodies[:11], named])
    assert case.verify() == ""
    assert case.verifier(signers=(impostor,)) == "No trusted key signed the checkpoint of 12 entries."


def test_the_whole_database_rolled_back_is_found_by_the_signer_the_checkpoint_and_the_witness(
    tmp_path: Path, open_engine: Callable[[str], Engine]
) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    settings = load({}, data_dir=tmp_path / "data")
    with Ledger(engine) as ledger:
        publisher = open_publisher(settings, ledger, engine, actor=OPERATOR)
        ledger.append("test.event", actor=OPERATOR, body={"n": 0})
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as now, closing(sqlite3.connect(tmp_path / "old")) as old:
            now.backup(old)
        signing = shutil.copytree(settings.data_dir / "signing", tmp_path / "signing-then")
        ledger.append("test.event", actor=OPERATOR, body={"n": 1})
        publisher.publish()
        identity = open_signer(settings, ledger, engine, actor=OPERATOR).identity
    [held] = checkpoint_folders(settings)[0].checkpoints()
    witness = Witness(tmp_path / "witness", "example.org/witness", [identity.keys[0].key])
    assert witness.add_checkpoint(f"old 0\n\n{held}".encode()).status == 200

    rolled = open_engine(f"sqlite:///{tmp_path / 'old'}")
    case = Case(rolled, settings, identity.signer, str(identity.keys[0].key), held, witness, tmp_path)
    with Ledger(rolled) as ledger, pytest.raises(LedgerCorrupt, match=r"A tree of 3 entries was signed .* it has 2"):
        open_signer(settings, ledger, rolled, actor=OPERATOR)  # an accident: the memory beside the key tells

    shutil.rmtree(settings.data_dir)  # intent: the operator rolls that back as well,
    shutil.copytree(signing, settings.data_dir / "signing")
    with Ledger(rolled) as ledger:
        open_signer(settings, ledger, rolled, actor=OPERATOR).sign()
    assert case.verify() == ""
    assert case.verifier() == ""  # and nothing inside tells;
    assert case.verifier(held=(held,)) == "The export of 2 entries has not the known root of 3."  # outside, all do
    assert case.asked(case.shown(identity.signer)) == 400
    [kept] = witness.latest()
    assert case.verifier(held=(kept,)) == "The export of 2 entries has not the known root of 3."
    witness.close()


def test_two_forks_shown_to_two_auditors_do_not_hold_together(case: Case) -> None:
    """Each export alone is valid; the two checkpoints are the evidence against the log."""
    from app.errors import ProofInvalid
    from app.ledger.checkpoint import hold_together

    fork(case)
    assert case.verifier() == ""
    older, newer = Checkpoint.parse(case.held.text), Checkpoint.parse(case.shown(case.signer).text)
    with pytest.raises(ProofInvalid, match="The log of 13 entries is not proven to begin with that of 12"):
        hold_together(older, newer, Prover(case.engine).consistency(12, 13))


def test_the_publisher_of_a_running_service_refuses_a_store_that_was_changed_under_it(
    engine: Engine, tmp_path: Path
) -> None:
    settings = load({}, data_dir=tmp_path / "data")
    with Ledger(engine) as ledger:
        publisher = open_publisher(settings, ledger, engine, actor=OPERATOR)
        for n in range(SIZE - 1):
            ledger.append("test.event", actor=OPERATOR, body={"n": n})
        assert publisher.publish()
        folder = CheckpointFolder(settings.data_dir / "checkpoints")
        identity = open_signer(settings, ledger, engine, actor=OPERATOR).identity
        case = Case(engine, settings, identity.signer, "", Note("", ()), None, tmp_path)  # type: ignore[arg-type]
        changed_and_rehashed(case)
        assert not publisher.publish()
        assert "it begins with others: it was rolled back or exchanged" in publisher.state()["error"]
        assert len(list(folder.checkpoints())) == 1
