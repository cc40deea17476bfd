"""Writes the ledger out for an auditor, in the form that the stand-alone `verifier` reads.

One JSON object a line: ``{"seq": 0, "entry": "…"}``, where `entry` is the canonical JSON that was hashed, as a string;
the last line is ``{"size": 1, "root": "…"}``.

Not covered:
    The file is as trustworthy as whoever wrote it: an auditor who holds a receipt or an earlier root gives it to the
    verifier.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from app.errors import BadRequest
from app.ledger.merkle import CompactRange, leaf_hash
from app.ledger.reading import LedgerReader, VerifyReport, corrupt

__all__ = ["export"]


def export(ledger: LedgerReader, path: Path) -> VerifyReport:
    """Write every entry that there is now; the file appears only when it is whole, with mode 0600.

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
            report = _write(ledger, draft)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise BadRequest(
            f"The export cannot be written: {error.strerror}.",
            remedy="Choose a folder that can be written, with space.",
        ) from None
    return report


def _write(ledger: LedgerReader, draft: Path) -> VerifyReport:
    tree = CompactRange()
    opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(opened, "w", encoding="utf-8", newline="\n") as file:
        for seq, body in ledger.raw():
            if seq != tree.size:
                raise corrupt(f"Entry {tree.size} is missing.")
            try:
                text = body.decode("utf-8")
            except (UnicodeDecodeError, AttributeError):
                raise corrupt(f"Entry {seq} cannot be read.") from None
            tree.append(leaf_hash(body))
            file.write(json.dumps({"seq": seq, "entry": text}, ensure_ascii=False) + "\n")
        report = VerifyReport(size=tree.size, root=tree.root().hex())
        file.write(json.dumps({"size": report.size, "root": report.root}) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return report
