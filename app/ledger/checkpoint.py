"""Checkpoints (c2sp.org/tlog-checkpoint): what a log's tree is at a size, as the text of a signed note.

    <origin>
    <size, decimal>
    <root, base64>

A log signs no two checkpoints of which one does not begin with the other. Two that do are evidence against it, which
`hold_together` turns into an error.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from app.ledger.merkle import empty_root, verify_consistency
from app.ledger.note import Note, VerifierKey, base64_decoded, invalid

__all__ = ["Checkpoint", "hold_together", "opened", "parse_size"]

_HASH_BYTES: Final = 32
_LARGEST: Final = 2**63
_DIGITS: Final = 19


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tree of a log at one size.

    `extensions` are further lines, which the standard allows and advises against. This log writes none; a witness
    cosigns those of others without saying anything of them.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the text to sign."""
        root = base64.b64encode(self.root).decode("ascii")
        return "".join(f"{line}\n" for line in (self.origin, self.size, root, *self.extensions))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text of a note.

        Raises:
            ProofInvalid: it is no checkpoint.
        """
        if not text.endswith("\n"):
            raise invalid("A checkpoint does not end in a newline.")
        origin, *lines = text[:-1].split("\n")
        if not origin or len(lines) < 2 or not all(lines):
            raise invalid("A checkpoint has fewer than three lines, or an empty one.")
        root = base64_decoded(lines[1])
        if len(root) != _HASH_BYTES:
            raise invalid("A checkpoint's root is no SHA-256.")
        size = parse_size(lines[0])
        if size == 0 and root != empty_root():
            raise invalid("A checkpoint of no entries has a root of some.")
        return cls(origin, size, root, tuple(lines[2:]))


def parse_size(text: str) -> int:
    """Read a tree size: decimal digits, no leading zero.

    Raises:
        ProofInvalid: it is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS) or (text[0] == "0" and text != "0"):
        raise invalid("A tree size is no decimal number.")
    size = int(text)
    if size >= _LARGEST:
        raise invalid("A tree size is larger than any tree.")
    return size


def opened(data: bytes, *, origin: str, keys: Iterable[VerifierKey]) -> tuple[Checkpoint, Note]:
    """Read and verify a checkpoint of one log.

    Args:
        data: A signed note.
        origin: The log whose checkpoint it has to be.
        keys: The keys that this log may sign with; those of other names are passed over.

    Raises:
        ProofInvalid: it is no checkpoint, of another log, not signed by a known key of it, or has lines that no auditor
            can check.
    """
    note = Note.parse(data)
    checkpoint = Checkpoint.parse(note.text)
    if checkpoint.origin != origin:
        raise invalid("The checkpoint is of another log.")
    if checkpoint.extensions:
        raise invalid("The checkpoint has lines after its root.")
    note.verified(key for key in keys if key.name == origin)
    return checkpoint, note


def hold_together(older: Checkpoint, newer: Checkpoint, proof: Sequence[bytes]) -> None:
    """Check that the newer tree begins with the older one.

    Raises:
        ProofInvalid: it does not, or the proof does not show it: the log shows different people different histories,
            or its history was rewritten.
    """
    if older.origin != newer.origin:
        raise invalid("The checkpoints are of two logs.")
    if older.size > newer.size:
        raise invalid(f"The log had {older.size} entries and has {newer.size}: its end was cut off.")
    if older.size == newer.size and older.root != newer.root:
        raise invalid(f"The log has two histories of {older.size} entries.")
    if older.size == 0 and not proof:
        return
    sizes = {"first": older.size, "second": newer.size}
    if not verify_consistency(proof, **sizes, first_root=older.root, second_root=newer.root):
        raise invalid(f"The log of {newer.size} entries is not proven to begin with that of {older.size}.")
