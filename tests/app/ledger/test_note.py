"""Signed notes and verifier keys: against notes that others signed, and against every byte that does not belong."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ProofInvalid
from app.ledger.note import COSIGNATURE, ED25519, Note, Signature, Signer, VerifierKey, base64_decoded

# The key pair and the note of Go's golang.org/x/mod/sumdb/note: any implementation has to give these bytes.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

# A checkpoint of a public Certificate Transparency log with the cosignature of a public witness.
PUBLIC_NOTE = (
    "arche2025h1.staging.ct.transparency.dev\n1432088532\nU7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n\n"
    "— arche2025h1.staging.ct.transparency.dev "
    "ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n"
    "— remora.n621.de "
    "2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==\n"
)
PUBLIC_LOG = "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
PUBLIC_WITNESS = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"

SIGNER = Signer("example.org/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
OTHER = Signer("example.org/other", Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
TEXT = "a text\n\nof three lines\n"


def signed(text: str = TEXT, *signers: Signer) -> Note:
    return Note(text, tuple(signer.sign(text) for signer in signers or (SIGNER,)))


def test_a_note_of_another_implementation_is_made_byte_for_byte() -> None:
    signer = Signer("PeterNeumann", Ed25519PrivateKey.from_private_bytes(GO_SEED))
    assert str(signer.verifier()) == GO_KEY
    assert str(Note(GO_TEXT, (signer.sign(GO_TEXT),))) == f"{GO_TEXT}\n{GO_LINE}"


def test_a_note_of_another_implementation_is_verified() -> None:
    key = VerifierKey.parse(GO_KEY)
    note = Note.parse(f"{GO_TEXT}\n{GO_LINE}".encode())
    assert note.text == GO_TEXT
    assert note.verified([key]) == (key,)
    with pytest.raises(ProofInvalid, match="A signature of PeterNeumann does not hold"):
        Note.parse(f"{GO_TEXT.replace('answer', 'Answer')}\n{GO_LINE}".encode()).verified([key])


def test_a_public_logs_checkpoint_and_a_public_witness_cosignature_are_verified() -> None:
    keys = [VerifierKey.parse(PUBLIC_LOG), VerifierKey.parse(PUBLIC_WITNESS)]
    assert [key.algorithm for key in keys] == [ED25519, COSIGNATURE]
    note = Note.parse(PUBLIC_NOTE.encode())
    assert note.verified(keys) == tuple(keys)
    assert note.signatures[1].seconds == 1779573024
    changed = Note.parse(PUBLIC_NOTE.replace("1432088532", "1432088533").encode())
    for key in keys:
        with pytest.raises(ProofInvalid, match="does not hold"):
            changed.verified([key])


def test_a_cosignature_is_over_its_time_too() -> None:
    line = SIGNER.cosign(TEXT, seconds=1_800_000_000)
    key = SIGNER.verifier(COSIGNATURE)
    assert key.verifies(TEXT, line)
    later = Signature(line.name, line.key_id, (1_800_000_001).to_bytes(8, "big") + line.data[8:])
    assert not key.verifies(TEXT, later)


def test_the_algorithms_of_one_key_are_two_keys() -> None:
    plain, timed = SIGNER.verifier(), SIGNER.verifier(COSIGNATURE)
    assert plain.key_id != timed.key_id
    note = signed().signed(SIGNER.cosign(TEXT, seconds=7))
    assert note.verified([plain, timed]) == (plain, timed)
    with pytest.raises(ProofInvalid, match="No known key"):
        signed().verified([timed])


def test_a_time_beyond_63_bits_is_no_time() -> None:
    key = SIGNER.verifier(COSIGNATURE)
    made = SIGNER.cosign(TEXT, seconds=2**63)
    assert not key.verifies(TEXT, made)


def test_signatures_of_unknown_keys_are_passed_over() -> None:
    assert signed(TEXT, OTHER, SIGNER).verified([SIGNER.verifier()]) == (SIGNER.verifier(),)
    with pytest.raises(ProofInvalid, match="No known key"):
        signed(TEXT, OTHER).verified([SIGNER.verifier()])
    with pytest.raises(ProofInvalid, match="No known key"):
        signed().verified([])


def test_one_signature_of_a_known_key_that_does_not_hold_spoils_the_note() -> None:
    bad = Signature(SIGNER.verifier().name, SIGNER.verifier().key_id, bytes(64))
    for note in (signed().signed(bad), Note(TEXT, (bad, *signed().signatures))):
        with pytest.raises(ProofInvalid, match="does not hold"):
            note.verified([SIGNER.verifier()])


def test_the_last_empty_line_ends_the_text() -> None:
    note = signed("a\n\n— b AAAA\n\n")
    assert Note.parse(str(note).encode()).text == "a\n\n— b AAAA\n\n"


def test_sixteen_signatures_and_more_are_read_but_not_any_number() -> None:
    keys = [Signer(f"w{n}", Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)) for n in range(1, 66)]
    assert len(Note.parse(str(signed(TEXT, *keys[:64])).encode()).signatures) == 64
    with pytest.raises(ProofInvalid, match="more than 64"):
        Note.parse(str(signed(TEXT, *keys)).encode())


def test_a_signature_is_added_once() -> None:
    note = signed()
    assert note.signed(*note.signatures) == note


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note.rstrip("\n"),
        lambda note: note + "\n",
        lambda note: note + " ",
        lambda note: note + "trailing",
        lambda note: "\n\n" + note.rpartition("\n\n")[2],
        lambda note: note.replace("\n\n—", "\n—"),
        lambda note: note.replace("— ", "- "),
        lambda note: note.replace("— ", "—  "),
        lambda note: note.replace("— ", "—"),
        lambda note: note.replace("example.org/log ", " "),
        lambda note: note.replace("example.org/log ", "example+org "),
        lambda note: note.replace("example.org/log ", "example\u2003org "),
        lambda note: note.replace("=\n", "\n"),
        lambda note: note.replace("=\n", "==\n"),
        lambda note: note.replace("=\n", "=\r\n"),
        lambda note: note.replace("a text", "a\ttext"),
        lambda note: note.replace("a text", "a text\x00"),
        lambda note: note[: note.index("— ")] + "— example.org/log AAAA\n",
        lambda _: "",
        lambda _: "\n\n",
        lambda _: "text only\n",
        lambda note: "x" * 70_000 + note,
    ],
)
def test_a_note_in_another_form_is_refused(change: object) -> None:
    with pytest.raises(ProofInvalid):
        Note.parse(change(str(signed())).encode())  # type: ignore[operator]


@pytest.mark.parametrize("text", ["QQ", "QQ=", "QR==", "Q Q=", "QQ==\n", "é", "QQ==QQ==", "Q-__"])
def test_base64_has_one_spelling(text: str) -> None:
    with pytest.raises(ProofInvalid):
        base64_decoded(text)
    assert base64_decoded("QQ==") == b"A"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000",
        "name+00000000+",
        GO_KEY.replace("c74f20a3", "c74f20a4"),
        GO_KEY.replace("c74f20a3", "C74F20A3"),
        GO_KEY.replace("PeterNeumann", "PeterNeuman"),
        GO_KEY.replace("PeterNeumann", "Peter Neumann"),
        GO_KEY + "=",
        GO_KEY[:-4],
        "+" + GO_KEY.partition("+")[2],
        "x+3b9ed0c5+Bg==",
    ],
)
def test_a_verifier_key_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(ProofInvalid):
        VerifierKey.parse(text)


def test_an_algorithm_that_is_not_known_is_refused() -> None:
    with pytest.raises(ProofInvalid, match="algorithm"):
        VerifierKey("x", 6, bytes(32))


def test_a_private_key_does_not_show() -> None:
    assert "PrivateKey" not in repr(SIGNER)


@given(st.binary(max_size=300))
def test_foreign_bytes_raise_only_our_error(data: bytes) -> None:
    with pytest.raises(ProofInvalid):
        Note.parse(data)


@given(st.text(max_size=80))
def test_foreign_keys_and_lines_raise_only_our_error(text: str) -> None:
    for read in (VerifierKey.parse, Signature.parse):
        with pytest.raises(ProofInvalid):
            read(text)


@given(st.data())
def test_a_note_with_bytes_exchanged_is_refused_or_not_verified(data: st.DataObject) -> None:
    good = str(signed()).encode()
    place = data.draw(st.integers(0, len(good) - 1))
    piece = data.draw(st.binary(max_size=4).filter(lambda piece: piece != good[place : place + 1]))
    with pytest.raises(ProofInvalid):
        Note.parse(good[:place] + piece + good[place + 1 :]).verified([SIGNER.verifier()])


lines_of_text = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=30)


@given(st.lists(lines_of_text, min_size=1, max_size=5))
def test_what_is_signed_is_read_back(text_lines: list[str]) -> None:
    note = signed("\n".join(text_lines) + "\n", SIGNER, OTHER)
    assert Note.parse(str(note).encode()) == note
    assert len(note.verified([SIGNER.verifier(), OTHER.verifier()])) == 2
