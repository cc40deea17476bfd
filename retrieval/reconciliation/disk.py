"""What the files say: every document has its bytes, and every file is a document's."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from retrieval.files import FileStore
from retrieval.reconciliation.rows import Kept
from retrieval.reconciliation.types import Finding, Kind

__all__ = ["file_findings"]

_NAME: Final = re.compile(r"[0-9a-f]{64}")
_INCOMING: Final = "incoming"
_SETTLED_S: Final = 3600.0
"""A file is kept a moment before its row is written; one so old that still has none is nobody's."""


def file_findings(folder: Path, kept: Sequence[Kept], *, deep: bool, now: float | None = None) -> Iterator[Finding]:
    """Give what does not fit between files and documents.

    Args:
        folder: where the files are.
        kept: what the documents say they have.
        deep: hash every file; else only its size is compared.
        now: seconds since the epoch; the present by default.
    """
    store = FileStore(folder)
    right: dict[str, bool] = {}
    for item in kept:
        path = store.path_of(item.sha256)
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            yield Finding(Kind.FILE_MISSING, item.document)
            continue
        if size != item.size:
            yield Finding(Kind.FILE_SIZE, item.document)
        elif deep and not right.setdefault(item.sha256, _digest(path) == item.sha256):
            yield Finding(Kind.FILE_DIGEST, item.document)
    known = {item.sha256 for item in kept}
    before = (time.time() if now is None else now) - _SETTLED_S
    strange = 0
    for path in _files(folder):
        if not _NAME.fullmatch(path.name) or path.parent.name != path.name[:2]:
            strange += 1
        elif path.name not in known and path.stat().st_mtime <= before:
            yield Finding(Kind.FILE_ORPHAN, path.name)
    if strange:
        yield Finding(Kind.FILE_STRANGE, "files", strange)


def _files(folder: Path) -> Iterator[Path]:
    """Give all files but those that are on their way in."""
    if folder.is_dir():
        for part in sorted(folder.iterdir()):
            if part.is_dir() and part.name != _INCOMING:
                yield from (path for path in sorted(part.rglob("*")) if not path.is_dir())
            elif not part.is_dir():
                yield part


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
