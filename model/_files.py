"""Files that are trusted by their digest: checked once, remembered, set aside when wrong; and room on the disk."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from model.catalog import WeightFile
from model.errors import DiskFull, ModelError

__all__ = ["VerifiedFiles", "disk_errors", "exclusive", "require_space", "set_aside", "sha256_of", "write_json"]

_BLOCK: Final = 1 << 20
_SPARE: Final = 256 << 20
"""Bytes that a fetch or build leaves free for everything else on the disk."""


def sha256_of(path: Path, *, seen: Callable[[int], None] | None = None) -> str:
    """Return a file's SHA-256 in hexadecimal; `seen` is told the bytes read so far."""
    digest = hashlib.sha256()
    done = 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            done += len(block)
            if seen is not None:
                seen(done)
    return digest.hexdigest()


def set_aside(path: Path) -> Path:
    """Rename a file so that nothing loads it; returns the new name, of which only the latest is kept."""
    rejected = path.with_name(path.name + ".rejected")
    path.replace(rejected)
    return rejected


def write_json(path: Path, value: object) -> None:
    """Write a small JSON file so that readers see the old one or the new one, whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)


class VerifiedFiles:
    """Which files of a folder have the digest of the catalog.

    A right digest is remembered with size and time of change, so that a second start does not read 1.1 GB again.

    Not covered: someone who may write to the folder can write this memory too. It saves time; it is no defence.
    """

    _MEMORY: Final = "verified.json"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._memory = folder / self._MEMORY

    def holds(self, file: WeightFile, *, seen: Callable[[int], None] | None = None) -> bool | None:
        """Whether the file is there with the right digest: True, False (wrong bytes), None (absent)."""
        path = self._folder / file.name
        try:
            status = path.stat()
        except FileNotFoundError:
            return None
        if status.st_size != file.size:
            return False
        remembered = self._read()
        mark = {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": file.sha256}
        if remembered.get(file.name) == mark:
            return True
        if sha256_of(path, seen=seen) != file.sha256:
            return False
        write_json(self._memory, {**remembered, file.name: mark})
        return True

    def _read(self) -> dict[str, object]:
        try:
            value = json.loads(self._memory.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}


def require_space(folder: Path, needed: int) -> None:
    """Raise DiskFull unless `needed` bytes, and a little to spare, are free where `folder` lies."""
    free = shutil.disk_usage(folder).free
    if free < needed + _SPARE:
        raise DiskFull(
            f"The disk of the model folder has {free / 1e9:.1f} GB free; {(needed + _SPARE) / 1e9:.1f} GB are needed.",
            remedy="Free some space, or set VOUCH_MODEL_DIR to a folder on a larger disk. What was fetched stays.",
        )


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """Turn what the disk refuses (no space, no permission, read-only) into our errors."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise DiskFull(
                "No space is left on the disk of the model folder.",
                remedy="Free some space, or set VOUCH_MODEL_DIR to a folder on a larger disk. What was fetched stays.",
            ) from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}:
            raise ModelError(
                f"The model folder cannot be written: {os.strerror(error.errno)}.",
                remedy="Set VOUCH_MODEL_DIR to a folder that Vouch may write to.",
            ) from error
        raise


@contextlib.contextmanager
def exclusive(lock: Path, *, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a lock file; another process, such as the tests beside a running service, waits.

    `waiting` is called several times a second meanwhile; what it raises comes out of here.
    """
    with lock.open("ab") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waiting()
                time.sleep(0.2)
        yield
