"""The signing identity: made once, never silently exchanged, handed on by its own signature."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from app.errors import LedgerCorrupt, ProofInvalid, StartFailed
from app.identity.principal import OPERATOR
from app.ledger.checkpoint_folder import CheckpointFolder
from app.ledger.checkpoint_signer import CheckpointSigner
from app.ledger.key_list import KeyPeriod, endorse, following, keys_at, read_keys, write_keys
from app.ledger.log import Ledger
from app.ledger.note import Note
from app.ledger.publication import checkpoint_folders, open_signer, signing_folder
from app.ledger.signing import KEY, ROTATION, begin_rotation, origin_of, published_keys
from app.settings import Settings, load

Open = Callable[[str], Engine]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load({}, data_dir=tmp_path / "data")


def opened(settings: Settings, ledger: Ledger, engine: Engine) -> CheckpointSigner:
    return open_signer(settings, ledger, engine, actor=OPERATOR)


def rotate(settings: Settings, ledger: Ledger, engine: Engine) -> CheckpointSigner:
    begin_rotation(ledger, opened(settings, ledger, engine).identity, signing_folder(settings), actor=OPERATOR)
    return opened(settings, ledger, engine)


def test_the_first_start_makes_a_key_that_only_its_owner_reads_and_the_ledger_names_it(
    settings: Settings, ledger: Ledger, engine: Engine
) -> None:
    identity = opened(settings, ledger, engine).identity
    private = signing_folder(settings) / "signing.pem"
    assert private.stat().st_mode & 0o777 == 0o600
    assert private.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    [entry] = ledger.find(action=KEY)
    assert entry.event.body == {"key": str(identity.keys[0].key)}
    assert identity.keys == (KeyPeriod(identity.signer.verifier(), entry.seq),)
    assert identity.keys[0].key.name == identity.origin == origin_of(engine)


def test_another_start_has_the_same_identity_and_writes_nothing(
    settings: Settings, ledger: Ledger, engine: Engine
) -> None:
    first = opened(settings, ledger, engine).identity
    size = ledger.size
    assert opened(settings, ledger, engine).identity.keys == first.keys
    assert ledger.size == size


def test_a_missing_key_stops_the_start_and_none_is_made(settings: Settings, ledger: Ledger, engine: Engine) -> None:
    opened(settings, ledger, engine)
    private = signing_folder(settings) / "signing.pem"
    data = private.read_bytes()
    private.unlink()
    for _ in range(2):
        with pytest.raises(StartFailed, match=r"signing\.pem is missing") as caught:
            opened(settings, ledger, engine)
        assert "Put it back" in caught.value.remedy
        assert not private.exists()
    private.touch(mode=0o600)
    private.write_bytes(data)
    opened(settings, ledger, engine)


def test_a_lost_signing_folder_stops_the_start_too(settings: Settings, ledger: Ledger, engine: Engine) -> None:
    opened(settings, ledger, engine)
    signing_folder(settings).rename(settings.data_dir / "elsewhere")
    with pytest.raises(StartFailed, match="is missing"):
        opened(settings, ledger, engine)
    assert not signing_folder(settings).exists()


def test_a_key_that_others_can_read_is_refused(settings: Settings, ledger: Ledger, engine: Engine) -> None:
    opened(settings, ledger, engine)
    (signing_folder(settings) / "signing.pem").chmod(0o640)
    with pytest.raises(StartFailed, match=r"can be read by others \(mode 0640\)") as caught:
        opened(settings, ledger, engine)
    assert "chmod 600" in caught.value.remedy


def another_kind_of_key() -> bytes:
    return generate_private_key(SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize("data", [b"", b"\x00" * 32, b"-----BEGIN PRIVATE KEY-----\n", another_kind_of_key()])
def test_a_key_file_with_something_else_is_refused(
    settings: Settings, ledger: Ledger, engine: Engine, data: bytes
) -> None:
    opened(settings, ledger, engine)
    (signing_folder(settings) / "signing.pem").write_bytes(data)
    with pytest.raises(StartFailed, match="is no Ed25519 key in PEM"):
        opened(settings, ledger, engine)


def test_another_key_in_its_place_is_refused(
    settings: Settings, ledger: Ledger, engine: Engine, tmp_path: Path, open_engine: Open
) -> None:
    opened(settings, ledger, engine)
    strange = load({}, data_dir=tmp_path / "strange")
    other = open_engine(f"sqlite:///{tmp_path / 'other.db'}")
    with Ledger(other) as foreign:
        opened(strange, foreign, other)
        with pytest.raises(StartFailed, match="is that of the ledger vouch/"):
            opened(settings, foreign, other)
    os.replace(signing_folder(strange) / "signing.pem", signing_folder(settings) / "signing.pem")
    with pytest.raises(StartFailed, match="is not the one that the ledger names in entry 0"):
        opened(settings, ledger, engine)


def test_a_start_that_ended_between_key_and_event_goes_on(settings: Settings, ledger: Ledger, engine: Engine) -> None:
    from app.ledger.key_file import make_key

    made = make_key(signing_folder(settings) / "signing.pem")
    identity = opened(settings, ledger, engine).identity
    assert identity.keys[0].key.public == made.public_key().public_bytes_raw()
    (signing_folder(settings) / "keys.json").unlink()
    assert opened(settings, ledger, engine).identity.keys == identity.keys


def test_a_rotation_is_an_event_that_the_old_key_endorses_and_both_sign_its_tree(
    settings: Settings, ledger: Ledger, engine: Engine
) -> None:
    old = opened(settings, ledger, engine)
    ledger.append("test.event", actor=OPERATOR, body={})
    old.sign()
    new = rotate(settings, ledger, engine)
    [entry] = ledger.find(action=ROTATION)
    first, second = new.identity.keys
    assert (first.key, first.first, first.last) == (old.identity.keys[0].key, 0, entry.seq)
    assert (second.first, second.last) == (entry.seq, None)
    assert str(second.key) == entry.event.body["key"] != entry.event.body["retired"] == str(first.key)
    assert second.endorsement == entry.event.body["endorsement"]
    [published] = checkpoint_folders(settings)[0].checkpoints()
    assert published.verified([first.key, second.key]) == (first.key, second.key)
    assert published.text.split("\n")[1] == str(entry.seq + 1)
    assert [keys_at(new.identity.keys, size) for size in (0, 1, 2, 3, 4)] == [
        [],
        [first.key],
        [first.key],
        [first.key, second.key],
        [second.key],
    ]
    ledger.append("test.event", actor=OPERATOR, body={})
    assert new.sign().verified([first.key, second.key]) == (second.key,)
    assert [path.name for path in signing_folder(settings).iterdir() if path.suffix == ".pem"] == ["signing.pem"]


def test_keys_can_be_rotated_again_and_again(settings: Settings, ledger: Ledger, engine: Engine) -> None:
    opened(settings, ledger, engine)
    for _ in range(4):
        rotate(settings, ledger, engine)
    keys = opened(settings, ledger, engine).identity.keys
    assert [(period.first, period.last) for period in keys] == [(0, 1), (1, 2), (2, 3), (3, 4), (4, None)]
    assert read_keys(json.dumps(write_keys(keys)).encode()) == keys
    assert published_keys(signing_folder(settings), origin_of(engine)) == keys


def test_a_rotation_that_was_cut_off_before_its_event_never_was(
    settings: Settings, ledger: Ledger, engine: Engine
) -> None:
    from app.ledger.key_file import make_key

    before = opened(settings, ledger, engine).identity
    make_key(signing_folder(settings) / "next.pem")
    assert opened(settings, ledger, engine).identity.keys == before.keys
    assert not (signing_folder(settings) / "next.pem").exists()


def test_a_rotation_that_was_cut_off_after_its_event_is_ended_by_the_next_start(
    settings: Settings, ledger: Ledger, engine: Engine
) -> None:
    old = opened(settings, ledger, engine)
    begin_rotation(ledger, old.identity, signing_folder(settings), actor=OPERATOR)
    ledger.append("service.start", actor=OPERATOR, body={})  # whatever comes before the start that ends it
    new = opened(settings, ledger, engine).identity
    [both] = checkpoint_folders(settings)[0].checkpoints()
    assert len(both.verified([period.key for period in new.keys])) == 2
    assert both.text.split("\n")[1] == "2"
    assert new.signer.verifier() == new.keys[1].key


def test_a_rotated_key_list_without_the_endorsement_is_refused(
    settings: Settings, ledger: Ledger, engine: Engine
) -> None:
    opened(settings, ledger, engine)
    rotate(settings, ledger, engine)
    path = signing_folder(settings) / "keys.json"
    listed = json.loads(path.read_text())
    listed[1]["endorsement"] = None
    path.write_text(json.dumps(listed))
    with pytest.raises(StartFailed, match=r"keys\.json is damaged"):
        opened(settings, ledger, engine)


def test_a_ledger_that_was_rolled_back_is_not_signed(settings: Settings, tmp_path: Path, open_engine: Open) -> None:
    import sqlite3
    from contextlib import closing

    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    engine = open_engine(url)
    with Ledger(engine) as ledger:
        signer = opened(settings, ledger, engine)
        with (
            closing(sqlite3.connect(tmp_path / "ledger.db")) as source,
            closing(sqlite3.connect(tmp_path / "old.db")) as old,
        ):
            source.backup(old)
        ledger.append("test.event", actor=OPERATOR, body={})
        signer.sign()
    rolled = open_engine(f"sqlite:///{tmp_path / 'old.db'}")
    with Ledger(rolled) as ledger:
        with pytest.raises(LedgerCorrupt, match="A tree of 2 entries was signed for this ledger, and it has 1"):
            opened(settings, ledger, rolled)
        for _ in range(3):  # it grows past the size that was signed, with other entries
            ledger.append("test.event", actor=OPERATOR, body={"other": True})
        with pytest.raises(LedgerCorrupt, match="it begins with others: it was rolled back or exchanged"):
            opened(settings, ledger, rolled)


def test_nothing_is_signed_that_could_not_be_remembered(settings: Settings, ledger: Ledger, engine: Engine) -> None:
    from app.errors import LedgerUnavailable

    signer = opened(settings, ledger, engine)
    signing_folder(settings).rename(settings.data_dir / "away")
    with pytest.raises(LedgerUnavailable, match="cannot be kept"):
        signer.sign()
    assert signer.last is None
    (settings.data_dir / "away").rename(signing_folder(settings))
    assert signer.sign() == opened(settings, ledger, engine).last


def test_a_damaged_memory_of_what_was_signed_stops_the_start(
    settings: Settings, ledger: Ledger, engine: Engine
) -> None:
    opened(settings, ledger, engine).sign()
    path = signing_folder(settings) / "signed.json"
    for data in (b"", b"{}", b'{"note": 7}', b'{"note": "x"}', b"[" * 100_000, b"\xff"):
        path.write_bytes(data)
        with pytest.raises(StartFailed, match="remembers the last signed checkpoint"):
            opened(settings, ledger, engine)


def test_receipts_of_the_same_moment_share_a_signature_and_each_is_proven(
    settings: Settings, ledger: Ledger, engine: Engine
) -> None:
    from app.ledger.merkle import verify_inclusion

    signer = opened(settings, ledger, engine)
    bare = [ledger.append("test.event", actor=OPERATOR, body={"n": n}) for n in range(5)]
    certified = [signer.certify(receipt) for receipt in bare]
    assert {receipt.size for receipt in certified} == {6}
    assert len({receipt.checkpoint for receipt in certified}) == 1
    for receipt, before in zip(certified, bare, strict=True):
        proof = [bytes.fromhex(item) for item in receipt.proof]
        leaf, root = bytes.fromhex(before.leaf), bytes.fromhex(receipt.root)
        assert verify_inclusion(proof, index=before.entry, size=6, leaf=leaf, root=root)
        note = Note.parse((receipt.checkpoint or "").encode())
        assert note.verified([signer.identity.keys[0].key])


def test_a_receipt_of_another_leaf_is_not_certified(settings: Settings, ledger: Ledger, engine: Engine) -> None:
    signer = opened(settings, ledger, engine)
    receipt = ledger.append("test.event", actor=OPERATOR, body={})
    with pytest.raises(LedgerCorrupt, match="is not in the tree"):
        signer.certify(receipt.model_copy(update={"leaf": "00" * 32}))


def test_the_same_size_with_another_tree_is_never_written_over(
    settings: Settings, ledger: Ledger, engine: Engine, tmp_path: Path
) -> None:
    signer = opened(settings, ledger, engine)
    folder = CheckpointFolder(tmp_path / "published")
    note = signer.sign()
    folder.publish(note)
    folder.publish(note)
    text = f"{signer.identity.origin}\n1\n{'A' * 43}=\n"
    with pytest.raises(LedgerCorrupt, match="holds another checkpoint of 1 entries"):
        folder.publish(Note(text, (signer.identity.signer.sign(text),)))
    assert list(folder.checkpoints()) == [note]


def test_a_successor_needs_the_endorsement_of_its_predecessor_for_it(
    settings: Settings, ledger: Ledger, engine: Engine
) -> None:
    first = opened(settings, ledger, engine).identity
    second = rotate(settings, ledger, engine).identity
    key = second.keys[1].key
    for endorsement in (None, "", endorse(second.signer, key), endorse(first.signer, first.keys[0].key)):
        with pytest.raises(ProofInvalid):
            following(first.keys, KeyPeriod(key, 1, None, endorsement))
    with pytest.raises(ProofInvalid, match="do not meet"):
        following(first.keys, KeyPeriod(key, 0, None, second.keys[1].endorsement))
    assert following(first.keys, KeyPeriod(key, 1, None, second.keys[1].endorsement)) == second.keys


@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=6),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["key", "from", "to", "endorsement"]), inner, max_size=4)
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode())
)
def test_foreign_key_lists_raise_only_our_error(data: bytes) -> None:
    if data == b"[]":
        assert read_keys(data) == ()
        return
    with pytest.raises(ProofInvalid):
        read_keys(data)
