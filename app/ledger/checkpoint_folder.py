"""A folder of published checkpoints: one file for each, written once, never changed.

    00000000000000000042.checkpoint                the log's own note over 42 entries
    00000000000000000042.1a2b3c4d.cosigned         the same note with a witness's cosignature; its key id in the name

The outside folder (setting `checkpoint_dir`) should be a place that the service can add to and not rewrite: an
append-only directory (``chattr +a``), a mount of a server that keeps versions, a WORM store. Files get their names
when they are whole, so no reader meets half of one.

Not covered:
    Whether the place is such a one. A folder that the operator can rewrite proves nothing against him.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from app.errors import LedgerCorrupt, LedgerUnavailable, ProofInvalid
from app.ledger.checkpoint import Checkpoint
from app.ledger.durable_file import create
from app.ledger.note import Note

__all__ = ["CheckpointFolder"]

_NAME: Final = re.compile(r"(\d{20})\.(checkpoint|[0-9a-f]{8}\.cosigned)")
_LARGEST: Final = 65_536


class CheckpointFolder:
    """Where checkpoints are published to, and read from."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def publish(self, note: Note, *, witness: bytes | None = None) -> None:
        """Write a checkpoint, or one with a witness's cosignature; it may be there already, the same.

        Args:
            note: A signed checkpoint.
            witness: The key id of the witness that cosigned it.

        Raises:
            LedgerUnavailable: it cannot be written.
            LedgerCorrupt: another one of the same size is there: the log has two histories.
        """
        checkpoint = Checkpoint.parse(note.text)
        kind = "checkpoint" if witness is None else f"{witness.hex()}.cosigned"
        path = self.path / f"{checkpoint.size:020}.{kind}"
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            create(path, str(note).encode("utf-8"), mode=0o644)
        except FileExistsError:
            there = self._read(path)
            if there is None or Checkpoint.parse(there.text) != checkpoint:
                raise LedgerCorrupt(
                    f"{path} holds another checkpoint of {checkpoint.size} entries.",
                    remedy="Keep both as evidence: the log has two histories. Stop the service and verify the ledger.",
                ) from None
        except OSError as error:
            raise LedgerUnavailable(
                f"A checkpoint cannot be written to {self.path}: {error.strerror}.",
                remedy="Mount the folder, and give it to this account with space left. It is tried again.",
            ) from None

    def checkpoints(self) -> Iterator[Note]:
        """Give the checkpoints in the order of their sizes, each with the cosignatures that came.

        A file that is no checkpoint is passed over; a folder that is not there has none.
        """
        for names in self._by_size():
            if (note := self._joined(names)) is not None:
                yield note

    def covering(self, entry: int) -> Note | None:
        """Return the newest published checkpoint whose tree has this entry."""
        for names in reversed(self._by_size()):
            if (note := self._joined(names)) is not None:
                return note if Checkpoint.parse(note.text).size > entry else None
        return None

    def _by_size(self) -> list[list[str]]:
        names = sorted(item.name for item in self.path.iterdir()) if self.path.is_dir() else []
        known = [name for name in names if _NAME.fullmatch(name)]
        return [list(group) for _, group in groupby(known, key=lambda name: name.partition(".")[0])]

    def _joined(self, names: list[str]) -> Note | None:
        joined: Note | None = None
        for note in (self._read(self.path / name) for name in names):
            if joined is None:
                joined = note
            elif note is not None and note.text == joined.text:
                joined = joined.signed(*note.signatures)
        return joined

    def _read(self, path: Path) -> Note | None:
        try:
            with path.open("rb") as file:
                note = Note.parse(file.read(_LARGEST + 1))
            Checkpoint.parse(note.text)
        except (OSError, ProofInvalid):
            return None
        return note
