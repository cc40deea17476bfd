"""Signs checkpoints, each an extension of the one before, and remembers the last one before anybody sees it.

    last signed tree (durable) --consistency proof from the store--> tree now --> remembered, durable --> given out

A ledger that was rolled back, or whose store was exchanged for another, does not begin with the tree that was signed
last: nothing is signed then, whoever asks, until the right ledger is back.

Not covered:
    An operator who rolls back this memory together with the ledger. A witness, or a checkpoint that left his reach,
    shows it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from app.answering.types import Receipt
from app.errors import LedgerCorrupt, LedgerError, LedgerUnavailable, NotFound, ProofInvalid, StartFailed
from app.ledger.checkpoint import Checkpoint, hold_together
from app.ledger.durable_file import replace
from app.ledger.merkle import verify_inclusion
from app.ledger.note import Note, Signer
from app.ledger.proving import Prover
from app.ledger.signing import Identity

__all__ = ["CheckpointSigner", "last_signed", "remember", "with_proof"]

_log = structlog.get_logger()


class CheckpointSigner:
    """The only signer of a ledger's checkpoints, in the process that writes it. Safe to use from many threads."""

    def __init__(self, identity: Identity, prover: Prover, path: Path, *, size: Callable[[], int]) -> None:
        """Go on from what was signed last.

        Args:
            identity: Signs.
            prover: Proves, from the store.
            path: The file that remembers the last signed tree.
            size: Gives the number of durable entries.

        Raises:
            LedgerCorrupt: the ledger is not the one that was signed last, or ends before it.
            StartFailed: the file cannot be read.
        """
        self._identity = identity
        self._prover = prover
        self._path = path
        self._size = size
        self._turn = threading.Lock()
        self._last = last_signed(path)
        if self._last is not None:
            older = Checkpoint.parse(self._last.text)
            self._extend(older, self._now(older))

    @property
    def identity(self) -> Identity:
        """Who signs."""
        return self._identity

    @property
    def last(self) -> Note | None:
        """What was signed last, also by an earlier process."""
        return self._last

    def sign(self, *also: Signer) -> Note:
        """Sign the tree as it is now, or return the last signature where nothing was added since.

        Args:
            also: Further keys of the log that sign it: at a rotation, the new one.

        Raises:
            LedgerCorrupt: the ledger does not begin with what was signed before.
            LedgerUnavailable: it cannot be read, or the signature not be remembered.
        """
        with self._turn:
            return self._sign(*also)

    def certify(self, receipt: Receipt) -> Receipt:
        """Return a receipt with the proof that its entry is in a signed tree, and that tree's checkpoint.

        Receipts of the same moment share a signature.

        Raises:
            LedgerError: as `sign`, and where the entry is not in the tree.
        """
        with self._turn:
            note = self._last
            if note is None or Checkpoint.parse(note.text).size <= receipt.entry:
                note = self._sign()
        return with_proof(receipt, note, self._prover)

    def _sign(self, *also: Signer) -> Note:
        older = None if self._last is None else Checkpoint.parse(self._last.text)
        newer = self._now(older)
        if self._last is not None and older is not None:
            self._extend(older, newer)
            if older.size == newer.size:
                return self._last
        text = newer.text()
        note = Note(text, tuple(signer.sign(text) for signer in (self._identity.signer, *also)))
        remember(self._path, note)
        self._last = note
        return note

    def _now(self, older: Checkpoint | None) -> Checkpoint:
        size = self._size()
        if older is not None and size < older.size:
            raise _other_history(older, f"it has {size}")
        return Checkpoint(self._identity.origin, size, self._prover.root(size))

    def _extend(self, older: Checkpoint, newer: Checkpoint) -> None:
        try:
            proof = self._prover.consistency(older.size, newer.size) if older.size else []
            hold_together(older, newer, proof)
        except (ProofInvalid, NotFound):
            _log.error("checkpoint.other_history", signed=older.size, found=newer.size)
            raise _other_history(older, "it begins with others") from None


def with_proof(receipt: Receipt, note: Note, prover: Prover) -> Receipt:
    """Return a receipt for the tree of a checkpoint that contains its entry.

    Raises:
        LedgerCorrupt: the entry's leaf is not in that tree.
        LedgerError: the store cannot be read.
    """
    checkpoint = Checkpoint.parse(note.text)
    proof = prover.inclusion(receipt.entry, checkpoint.size)
    place = {"index": receipt.entry, "size": checkpoint.size}
    if not verify_inclusion(proof, **place, leaf=bytes.fromhex(receipt.leaf), root=checkpoint.root):
        raise LedgerCorrupt(
            f"Entry {receipt.entry} is not in the tree of {checkpoint.size} entries that was signed.",
            remedy="Stop the service, keep the store as evidence, and run ./vouch audit verify.",
        )
    update = {
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "proof": tuple(item.hex() for item in proof),
        "checkpoint": str(note),
    }
    return receipt.model_copy(update=update)


def last_signed(path: Path) -> Note | None:
    """Return the checkpoint that was signed last; None before the first.

    Raises:
        StartFailed: the file cannot be read or is damaged.
    """
    try:
        note = Note.parse(json.loads(path.read_bytes())["note"].encode("utf-8"))
        Checkpoint.parse(note.text)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, ProofInvalid):
        raise StartFailed(
            f"{path}, which remembers the last signed checkpoint, cannot be read.",
            remedy="Put it back from the copy of the data folder, or from the newest published checkpoint:"
            ' {"note": "..."}. Without it two histories could be signed.',
        ) from None
    return note


def remember(path: Path, note: Note) -> None:
    """Keep a checkpoint as the last one, before it is given to anybody.

    Raises:
        LedgerUnavailable: it cannot be kept, and so must not be given out.
    """
    try:
        replace(path, json.dumps({"note": str(note)}).encode("ascii"))
    except OSError as error:
        raise LedgerUnavailable(
            f"The checkpoint cannot be kept: {error.strerror}.",
            remedy=f"Give {path.parent} to this account, with space left; then ask again.",
        ) from None


def _other_history(older: Checkpoint, found: str) -> LedgerError:
    return LedgerCorrupt(
        f"A tree of {older.size} entries was signed for this ledger, and {found}: it was rolled back or exchanged.",
        remedy="Put back the newest copy of the ledger; nothing was signed. An older one can only be kept as it is, and"
        " a new log begun in a new data folder (docs/ledger.md).",
    )
