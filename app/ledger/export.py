"""Writes the ledger out for an auditor, in the form that the stand-alone `verifier` reads.

One JSON object a line:

    {"checkpoint": "..."}               each published checkpoint, a signed note, with the cosignatures that came
    {"seq": 0, "leaf": "..."}           an entry whose body was pruned, by its hash
    {"seq": 1, "entry": "..."}          an entry: the canonical JSON that was hashed, as a string
    {"size": 2, "root": "..."}          the end

The keys are in the entries: each is named by an event, with the old key's endorsement of the new.

Not covered:
    The file is as trustworthy as whoever wrote it: an auditor who holds a receipt, a checkpoint or an earlier root
    gives it to the verifier.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from app.errors import BadRequest
from app.ledger.merkle import CompactRange, leaf_hash
from app.ledger.note import Note
from app.ledger.reading import LedgerReader, VerifyReport, corrupt

__all__ = ["export"]

_HASH_BYTES = 32


def export(ledger: LedgerReader, path: Path, *, checkpoints: Iterable[Note] = ()) -> VerifyReport:
    """Write every entry that there is now; the file appears only when it is whole, with mode 0600.

    Args:
        ledger: The ledger.
        path: The file.
        checkpoints: Signed checkpoints of it, of any sizes.

    Returns:
        Size and root that the last line states, computed from the entries that were written.

    Raises:
        LedgerCorrupt: an entry is missing or is no text.
        LedgerUnavailable: the ledger cannot be read.
        BadRequest: the file cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            report = _write(ledger, draft, checkpoints)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise BadRequest(
            f"The export cannot be written: {error.strerror}.",
            remedy="Choose a folder that can be written, with space.",
        ) from None
    return report


def _write(ledger: LedgerReader, draft: Path, checkpoints: Iterable[Note]) -> VerifyReport:
    tree, minimum = CompactRange(), ledger.minimum
    opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(opened, "w", encoding="utf-8", newline="\n") as file:
        for note in checkpoints:  # before the entries, so that the verifier need not keep every root
            _line(file, {"checkpoint": str(note)})
        for seq, body, leaf in ledger.hashed():
            if seq != tree.size:
                raise corrupt(f"Entry {tree.size} is missing.")
            if body is None:
                minimum = minimum if seq < minimum else ledger.minimum  # it may have risen since
            if seq < minimum:
                if not isinstance(leaf, bytes) or len(leaf) != _HASH_BYTES:
                    raise corrupt(f"Entry {seq} was pruned, and has no hash.")
                tree.append(leaf)
                _line(file, {"seq": seq, "leaf": leaf.hex()})
                continue
            text = _text(seq, body)
            tree.append(leaf_hash(text.encode("utf-8")))
            _line(file, {"seq": seq, "entry": text})
        report = VerifyReport(size=tree.size, root=tree.root().hex(), minimum=minimum)
        _line(file, {"size": report.size, "root": report.root})
        file.flush()
        os.fsync(file.fileno())
    return report


def _text(seq: int, body: bytes | None) -> str:
    try:
        return body.decode("utf-8")  # type: ignore[union-attr]  # None has no such attribute: it is damage here
    except (UnicodeDecodeError, AttributeError):
        raise corrupt(f"Entry {seq} cannot be read.") from None


def _line(file: TextIO, fields: dict[str, Any]) -> None:
    file.write(json.dumps(fields, ensure_ascii=False) + "\n")
