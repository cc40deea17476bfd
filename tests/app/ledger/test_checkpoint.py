"""Checkpoints: their one form, who may sign them, and two that cannot both be true."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ProofInvalid
from app.ledger.checkpoint import Checkpoint, hold_together, opened, parse_size
from app.ledger.merkle import consistency_proof, empty_root, leaf_hash, root_of
from app.ledger.note import COSIGNATURE, Note, Signer

LEAVES = [leaf_hash(str(n).encode()) for n in range(20)]
SIGNER = Signer("example.org/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
OTHER = Signer("example.org/other", Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
SAME_NAME = Signer("example.org/log", Ed25519PrivateKey.from_private_bytes(bytes([2]) * 32))
ROOT = base64.b64encode(root_of(LEAVES[:5])).decode()


def at(size: int, leaves: list[bytes] = LEAVES, origin: str = "example.org/log") -> Checkpoint:
    return Checkpoint(origin, size, root_of(leaves[:size]))


def signed(text: str, *signers: Signer) -> bytes:
    return str(Note(text, tuple(signer.sign(text) for signer in signers or (SIGNER,)))).encode()


def test_a_checkpoint_has_three_lines() -> None:
    assert at(5).text() == f"example.org/log\n5\n{ROOT}\n"
    assert Checkpoint.parse(at(5).text()) == at(5)


def test_a_checkpoint_of_a_known_key_is_opened() -> None:
    checkpoint, note = opened(signed(at(5).text()), origin="example.org/log", keys=[SIGNER.verifier()])
    assert checkpoint == at(5)
    assert note.text == at(5).text()


@pytest.mark.parametrize(
    ("text", "signers", "said"),
    [
        (at(5).text(), [OTHER], "No known key"),
        (at(5).text(), [SAME_NAME], "No known key"),
        (at(5, origin="example.org/other").text(), [SIGNER], "of another log"),
        (at(5, origin="example.org/other").text(), [OTHER], "of another log"),
        (at(5).text() + "extension\n", [SIGNER], "lines after its root"),
    ],
)
def test_another_key_another_log_or_further_lines_are_refused(text: str, signers: list[Signer], said: str) -> None:
    with pytest.raises(ProofInvalid, match=said):
        opened(signed(text, *signers), origin="example.org/log", keys=[SIGNER.verifier(), OTHER.verifier()])


def test_a_witness_alone_does_not_make_a_checkpoint() -> None:
    text = at(5).text()
    note = str(Note(text, (OTHER.cosign(text, seconds=7),))).encode()
    with pytest.raises(ProofInvalid, match="No known key"):
        opened(note, origin="example.org/log", keys=[SIGNER.verifier(), OTHER.verifier(COSIGNATURE)])


def test_bytes_after_a_checkpoint_are_refused() -> None:
    for tail in (b"x", b"\n", b"\n\n", signed(at(6).text())):
        with pytest.raises(ProofInvalid):
            opened(signed(at(5).text()) + tail, origin="example.org/log", keys=[SIGNER.verifier()])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "example.org/log\n",
        "example.org/log\n5\n",
        f"\n5\n{ROOT}\n",
        f"example.org/log\n\n{ROOT}\n",
        f"example.org/log\n05\n{ROOT}\n",
        f"example.org/log\n+5\n{ROOT}\n",
        f"example.org/log\n-5\n{ROOT}\n",
        f"example.org/log\n5 \n{ROOT}\n",
        f"example.org/log\n5.0\n{ROOT}\n",
        f"example.org/log\n٥\n{ROOT}\n",
        f"example.org/log\n{2**63}\n{ROOT}\n",
        f"example.org/log\n{'9' * 5000}\n{ROOT}\n",
        f"example.org/log\n5\n{ROOT[:-4]}\n",
        f"example.org/log\n5\n{ROOT}",
        f"example.org/log\n5\n{ROOT}\n\n",
        f"example.org/log\n0\n{ROOT}\n",
    ],
)
def test_a_text_in_another_form_is_no_checkpoint(text: str) -> None:
    with pytest.raises(ProofInvalid):
        Checkpoint.parse(text)


def test_the_empty_tree_has_a_checkpoint() -> None:
    assert Checkpoint.parse(Checkpoint("x", 0, empty_root()).text()).size == 0


@pytest.mark.parametrize(("first", "second"), [(0, 7), (1, 7), (3, 7), (4, 7), (7, 7)])
def test_a_tree_that_begins_with_the_older_one_holds_together_with_it(first: int, second: int) -> None:
    hold_together(at(first), at(second), consistency_proof(LEAVES, first, second) if first else [])


FORK = [*LEAVES[:3], leaf_hash(b"another"), *LEAVES[4:]]


@pytest.mark.parametrize(
    ("older", "newer", "proof", "said"),
    [
        (at(7), at(5), [], "its end was cut off"),
        (at(7), at(7, FORK), [], "two histories of 7 entries"),
        (at(5), at(7, FORK), consistency_proof(FORK, 5, 7), "not proven to begin"),
        (at(5), at(7, FORK), consistency_proof(LEAVES, 5, 7), "not proven to begin"),
        (at(5), at(7), [], "not proven to begin"),
        (at(5), at(7, origin="x"), consistency_proof(LEAVES, 5, 7), "of two logs"),
        (at(0), at(7), [bytes(32)], "not proven to begin"),
    ],
)
def test_two_checkpoints_that_cannot_both_be_true_are_told(
    older: Checkpoint, newer: Checkpoint, proof: list[bytes], said: str
) -> None:
    with pytest.raises(ProofInvalid, match=said):
        hold_together(older, newer, proof)


@given(st.text(max_size=120))
def test_foreign_text_raises_only_our_error(text: str) -> None:
    with pytest.raises(ProofInvalid):
        Checkpoint.parse(text)
    with pytest.raises(ProofInvalid):
        opened(text.encode("utf-8", "surrogatepass"), origin="x", keys=[SIGNER.verifier()])


@given(st.integers(1, 2**63 - 1), st.binary(min_size=32, max_size=32))
def test_what_is_written_is_read_back(size: int, root: bytes) -> None:
    checkpoint = Checkpoint("example.org/log", size, root)
    assert Checkpoint.parse(checkpoint.text()) == checkpoint
    assert parse_size(str(size)) == size
