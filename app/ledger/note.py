"""Signed notes (c2sp.org/signed-note): a text and, under it, who signed it.

    <text, ending in a newline>
    <empty line>
    — <key name> base64(key id, 4 bytes || signature)          one line a signature

    key id       = SHA-256(key name || 0x0A || algorithm byte || public key)[:4]
    verifier key = <key name>+<key id, hexadecimal>+base64(algorithm byte || public key)

The algorithm byte says what was signed and how: 0x01 is Ed25519 over the text; 0x04 is a witness's cosignature/v1
(c2sp.org/tlog-cosignature), Ed25519 over a time and the text. Another algorithm, such as ML-DSA-44 (0x06), is another
row of `_ALGORITHMS`.

Whatever bytes come, only `ProofInvalid` is raised. Every field has one spelling: a note that is read and written again
is the same bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.errors import ProofInvalid

__all__ = [
    "COSIGNATURE",
    "ED25519",
    "Note",
    "Signature",
    "Signer",
    "VerifierKey",
    "base64_decoded",
    "invalid",
]

ED25519: Final = 0x01
COSIGNATURE: Final = 0x04

_DASH: Final = "— "
_ID_BYTES: Final = 4
_TIME_BYTES: Final = 8
_LARGEST: Final = 65_536
_MOST_SIGNATURES: Final = 64
"""The standard asks for at least 16; a bound, so that a note of any origin costs a bounded number of verifications."""


def invalid(problem: str) -> ProofInvalid:
    """Say what is wrong with a note or with what it holds."""
    return ProofInvalid(
        problem, remedy="Do not rely on it: get it again from where it was published, and compare the keys."
    )


def base64_decoded(text: str) -> bytes:
    """Decode standard base64 that is spelled as an encoder spells it: no blanks, whole padding, no stray bits.

    Raises:
        ProofInvalid: it is none.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise invalid("It holds something that is not base64.") from None
    if base64.b64encode(data).decode("ascii") != text:
        raise invalid("It holds base64 in another spelling than the standard one.")
    return data


def _verified_text(key: Ed25519PublicKey, text: str, signature: bytes) -> bool:
    return _is_signed(key, text.encode("utf-8"), signature)


def _verified_cosignature(key: Ed25519PublicKey, text: str, signature: bytes) -> bool:
    seconds = int.from_bytes(signature[:_TIME_BYTES], "big")
    return seconds < 2**63 and _is_signed(key, _cosigned(text, seconds), signature[_TIME_BYTES:])


def _is_signed(key: Ed25519PublicKey, message: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _cosigned(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


_ALGORITHMS: Final[dict[int, Callable[[Ed25519PublicKey, str, bytes], bool]]] = {
    ED25519: _verified_text,
    COSIGNATURE: _verified_cosignature,
}
_PUBLIC_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line. `data` is what follows the key id: 64 bytes of Ed25519, with a time before it for 0x04."""

    name: str
    key_id: bytes
    data: bytes

    def line(self) -> str:
        """Return the line as it stands in a note, with its newline."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.data).decode('ascii')}\n"

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read a line without its newline.

        Raises:
            ProofInvalid: it is no signature line.
        """
        fields = line.removeprefix(_DASH).split(" ")
        if not line.startswith(_DASH) or len(fields) != 2:  # dash, name and signature, each once
            raise invalid("A signature line has another form than the standard one.")
        data = base64_decoded(fields[1])
        if len(data) <= _ID_BYTES:
            raise invalid("A signature is shorter than a key id.")
        return cls(_checked_name(fields[0]), data[:_ID_BYTES], data[_ID_BYTES:])

    @property
    def seconds(self) -> int:
        """When a cosignature was made, in seconds since 1970."""
        return int.from_bytes(self.data[:_TIME_BYTES], "big")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name and the algorithm that it signs under. `str` gives the form that `parse` reads."""

    name: str
    algorithm: int
    public: bytes

    def __post_init__(self) -> None:
        _checked_name(self.name)
        if self.algorithm not in _ALGORITHMS or len(self.public) != _PUBLIC_BYTES:
            raise invalid("A key has an algorithm or a length that this version does not know.")

    @property
    def key_id(self) -> bytes:
        """The four bytes by which signature lines name the key."""
        named = self.name.encode("utf-8") + b"\n" + bytes([self.algorithm]) + self.public
        return hashlib.sha256(named).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        material = base64.b64encode(bytes([self.algorithm]) + self.public).decode("ascii")
        return f"{self.name}+{self.key_id.hex()}+{material}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a verifier key.

        Raises:
            ProofInvalid: the text is none, or its key id is not that of its key.
        """
        name, _, rest = text.partition("+")  # a name has no plus; the base64 may have some
        key_id, _, material = rest.partition("+")
        data = base64_decoded(material)
        if not data:
            raise invalid("A verifier key has no key.")
        key = cls(name, data[0], data[1:])
        if key.key_id.hex() != key_id:
            raise invalid("A verifier key does not have the key id that it states.")
        return key

    def made(self, signature: Signature) -> bool:
        """Say whether a signature names this key; not yet whether it holds."""
        return (signature.name, signature.key_id) == (self.name, self.key_id)

    def verifies(self, text: str, signature: Signature) -> bool:
        """Say whether a signature of this key holds over a note's text."""
        return _ALGORITHMS[self.algorithm](Ed25519PublicKey.from_public_bytes(self.public), text, signature.data)


class Signer:
    """A private key with its name. Nothing of it shows in a log or a traceback."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self._name = _checked_name(name)
        self._key = key

    def verifier(self, algorithm: int = ED25519) -> VerifierKey:
        """Return the public key for one of the algorithms."""
        return VerifierKey(self._name, algorithm, self._key.public_key().public_bytes_raw())

    def sign(self, text: str) -> Signature:
        """Sign a note's text as 0x01."""
        return Signature(self._name, self.verifier().key_id, self._key.sign(text.encode("utf-8")))

    def cosign(self, text: str, *, seconds: int) -> Signature:
        """Sign a checkpoint's text as a witness, at a time in seconds since 1970."""
        signed = seconds.to_bytes(_TIME_BYTES, "big") + self._key.sign(_cosigned(text, seconds))
        return Signature(self._name, self.verifier(COSIGNATURE).key_id, signed)


@dataclass(frozen=True, slots=True)
class Note:
    """A text and its signatures, as they were read: nothing is verified before `verified` says so."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return self.text + "\n" + "".join(signature.line() for signature in self.signatures)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a note.

        Raises:
            ProofInvalid: the bytes are no signed note.
        """
        try:
            whole = data.decode("utf-8") if len(data) <= _LARGEST else ""
        except UnicodeDecodeError:
            raise invalid("A note is not UTF-8.") from None
        text, gap, lines = whole.rpartition("\n\n")
        if not gap or not text or not lines.endswith("\n"):
            raise invalid("A note has no text, no signature, no end, or too many bytes.")
        if any(char < " " and char != "\n" for char in whole):
            raise invalid("A note holds a control character.")
        signatures = lines[:-1].split("\n")
        if len(signatures) > _MOST_SIGNATURES:
            raise invalid(f"A note has more than {_MOST_SIGNATURES} signatures.")
        return cls(text + "\n", tuple(Signature.parse(line) for line in signatures))

    def verified(self, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
        """Return those of the keys that signed the text; signatures of other keys are passed over.

        Raises:
            ProofInvalid: none of them did, or one is named by a signature that does not hold.
        """
        found: list[VerifierKey] = []
        for key in keys:
            signed = [signature for signature in self.signatures if key.made(signature)]
            if not all(key.verifies(self.text, signature) for signature in signed):
                raise invalid(f"A signature of {key.name} does not hold.")
            if signed:
                found.append(key)
        if not found:
            raise invalid("No known key signed the note.")
        return tuple(found)

    def signed(self, *more: Signature) -> Self:
        """Return the note with further signatures under it; one that is there already is not repeated."""
        added = tuple(signature for signature in more if signature not in self.signatures)
        return type(self)(self.text, self.signatures + added)


def _checked_name(name: str) -> str:
    if not name or "+" in name or any(char.isspace() or char < " " for char in name):
        raise invalid("A key has an empty name, or one with a blank or a plus sign.")
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise invalid("A key's name holds half of a character.") from None
    return name
