"""Bytes on disk: written whole or not at all, and kept by their content."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Final

from retrieval.errors import EmptyFile, FileTooLarge, RetrievalError, StorageFull

__all__ = ["FileStore", "Received", "storage_full", "write_whole"]

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_PIECE: Final = 1 << 20
_DOUBT: Final = ".doubt"
_MIB: Final = 1 << 20


def storage_full() -> StorageFull:
    """Build the error for a disk, quota or file-size limit that is used up."""
    return StorageFull(
        "No space is left where documents are kept; nothing was stored.",
        remedy="Free space on the disk of the data folder, or delete documents, and try again.",
    )


def write_whole(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Write a file so that it is there whole or not at all, also after a crash: temporary name, flush, rename.

    Raises:
        StorageFull: there is no space; what was at `path` before is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with draft.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        if error.errno in _FULL:
            raise storage_full() from error
        raise
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _flush_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes that arrived completely and are on disk, but not yet kept."""

    draft: Path
    sha256: str
    size: int


class FileStore:
    """Files by the SHA-256 of their bytes: ``ab/ab12…``. A file that is kept never changes.

    A file and the row that names it cannot be written at once. Between the two stands a mark, so that what a crash
    leaves there is found by `sweep` without looking through all files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._drafts = folder / "incoming"

    def receive(self, source: BinaryIO, *, max_bytes: int) -> Received:
        """Copy a stream to disk, and stop as soon as it is too long. Nothing stays behind when it fails.

        Raises:
            EmptyFile: there are no bytes.
            FileTooLarge: there are more than `max_bytes`; no more than that was written.
            StorageFull: there is no space.
        """
        draft = self._drafts / uuid.uuid4().hex
        try:
            self._drafts.mkdir(parents=True, exist_ok=True)
            sha256, size = _copy(source, draft, max_bytes=max_bytes)
        except OSError as error:
            draft.unlink(missing_ok=True)
            if error.errno in _FULL:
                raise storage_full() from error
            raise
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        return Received(draft=draft, sha256=sha256, size=size)

    def keep(self, received: Received) -> Path:
        """Give received bytes their lasting name and return it."""
        path = self.path_of(received.sha256)
        try:
            path.parent.mkdir(exist_ok=True)
            received.draft.replace(path)
            _flush_folder(path.parent)
        except OSError as error:
            self.discard(received)
            if error.errno in _FULL:
                raise storage_full() from error
            raise
        return path

    def discard(self, received: Received) -> None:
        """Forget received bytes."""
        received.draft.unlink(missing_ok=True)

    def path_of(self, sha256: str) -> Path:
        """Return where the file with these bytes is, or would be."""
        return self._folder / sha256[:2] / sha256

    def remove(self, sha256: str) -> None:
        """Remove a file; one that is not there is no error."""
        self.path_of(sha256).unlink(missing_ok=True)

    @contextlib.contextmanager
    def in_doubt(self, sha256: str) -> Iterator[None]:
        """Mark a file while its row is written or deleted; the mark stays when the block never ends.

        It stays as well when the block raises anything but one of our errors, which say that all is in order.

        Raises:
            StorageFull: there is no space for the mark; the block is not entered.
        """
        mark = self._drafts / f"{sha256}.{uuid.uuid4().hex}{_DOUBT}"
        try:
            self._drafts.mkdir(parents=True, exist_ok=True)
            mark.touch(exist_ok=False)
            _flush_folder(self._drafts)
        except OSError as error:
            if error.errno in _FULL:
                raise storage_full() from error
            raise
        try:
            yield
        except RetrievalError:
            mark.unlink(missing_ok=True)
            raise
        mark.unlink(missing_ok=True)

    def sweep(self, *, older_than_s: float, wanted: Callable[[str], bool]) -> int:
        """Clear up what processes that ended half-way left behind, unless touched within so many seconds.

        Args:
            older_than_s: longer than any upload takes, where other processes may be alive.
            wanted: says of the SHA-256 of a file in doubt whether a row names it.

        Returns:
            How many uploads and files were removed.
        """
        before = time.time() - older_than_s
        swept = 0
        for draft in self._drafts.glob("*"):
            with contextlib.suppress(FileNotFoundError):  # its upload ended just now
                if draft.stat().st_mtime > before:
                    continue
                swept += self._decide(draft, wanted)
                draft.unlink()
        return swept

    def _decide(self, draft: Path, wanted: Callable[[str], bool]) -> bool:
        if draft.suffix != _DOUBT:
            return True
        sha256 = draft.name.partition(".")[0]
        lost = self.path_of(sha256).exists() and not wanted(sha256)
        if lost:
            self.remove(sha256)
        return lost


def _copy(source: BinaryIO, draft: Path, *, max_bytes: int) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with draft.open("xb") as file:
        while piece := source.read(_PIECE):
            size += len(piece)
            if size > max_bytes:
                raise FileTooLarge(
                    f"The file has more than {max_bytes / _MIB:.1f} MiB.",
                    remedy="Split the file, or ask the operator for a higher limit.",
                )
            digest.update(piece)
            file.write(piece)
        if not size:
            raise EmptyFile("The file has no bytes.", remedy="Check that the file was saved, and add it again.")
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest(), size
