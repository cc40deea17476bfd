"""The folder of a store: where files are made, how they get their lasting names, and what is swept out of it.

Files are made in a folder of this process's own, ``.work-…``, whose lock says that its maker is alive, and are moved to
their lasting names while a snapshot is taken, of which there is one at a time, also between processes. What no manifest
lists, and what a killed process left half-made, is removed at the next snapshot.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

__all__ = ["Workshop", "new_name"]

_HALF: Final = ".part"  # of a file that `write_whole` had not finished
_WORK: Final = ".work-"
_LOCK: Final = ".lock"


def new_name() -> str:
    """Return a name that no segment had before."""
    return uuid.uuid4().hex[:16]


class Workshop:
    """Files in the making, and the folder of those that are made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._place: Path | None = None
        self._locked: int | None = None
        self._making = threading.Lock()  # a migration and a writer may both be the first to need the folder

    @property
    def place(self) -> Path:
        """Where this process makes files; the folder is made at the first use."""
        with self._making:
            if self._place is None:
                place = self.folder / f"{_WORK}{new_name()}"
                place.mkdir(mode=0o700, parents=True)
                self._locked = _lock(place, fcntl.LOCK_EX)
                self._place = place
            return self._place

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder against other processes that would take a snapshot in it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        locked = _lock(self.folder, fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(locked)

    def publish(self, name: str) -> bool:
        """Give a file that was made here its lasting name; say whether it is there."""
        if self._place is not None and (self._place / name).exists():
            (self._place / name).replace(self.folder / name)
        return (self.folder / name).exists()

    def flush(self) -> None:
        """Bring the names of the folder to the disk."""
        opened = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)

    def discard(self, name: str) -> None:
        """Remove the files of a segment that were made here and not published."""
        if self._place is not None:
            for path in self._place.glob(f"{name}.*"):
                path.unlink(missing_ok=True)

    def sweep(self, listed: set[str]) -> None:
        """Remove everything but what is listed, what is hidden, and the folders of living processes.

        Called by the one that holds the folder `alone`, so a half-written file of another process is a dead one's.
        """
        for path in self.folder.iterdir():
            if path.name.startswith(_WORK):
                if path != self._place:
                    _remove_abandoned(path)
            elif path.name not in listed and (path.suffix == _HALF or not path.name.startswith(".")):
                _remove(path)

    def close(self) -> None:
        """Remove what was made here and not published."""
        if self._place is not None and self._locked is not None:
            shutil.rmtree(self._place, ignore_errors=True)
            os.close(self._locked)
            self._place = self._locked = None


def _lock(folder: Path, how: int) -> int:
    opened = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(opened, how)
    except BaseException:
        os.close(opened)
        raise
    return opened


def _remove_abandoned(place: Path) -> None:
    with suppress(OSError):  # BlockingIOError: its maker lives; others: it is going away as we look
        locked = _lock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(place, ignore_errors=True)
        os.close(locked)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
