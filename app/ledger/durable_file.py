"""Small files that are whole or absent, whenever the power goes: keys, the last signed tree, published checkpoints."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path
from typing import Final

__all__ = ["create", "replace"]

_NOT_HERE: Final = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT, errno.EPERM, errno.EXDEV})
"""How file systems and kernels say that a file without a name cannot be made there, or cannot be given one."""


def replace(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Put a file in the place of the one that is there, durably: either of the two is found, never a mixture.

    Raises:
        OSError: it could not be; what was there is unchanged.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        _write(draft, data, mode)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _flush(path.parent)


def create(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Make a file that must not be there yet, durably.

    The file gets its name when it is whole, and nothing is renamed or deleted where the file system can make files
    without a name: so it works in a folder that only allows additions (``chattr +a``).

    Raises:
        FileExistsError: there is one of this name; it is unchanged.
        OSError: it could not be made.
    """
    try:
        _link_nameless(path, data, mode)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NOT_HERE:
            raise
        draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
        try:
            _write(draft, data, mode)
            os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    _flush(path.parent)


def _link_nameless(path: Path, data: bytes, mode: int) -> None:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        opened = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, mode)
        with os.fdopen(opened, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            # the folder's descriptor makes Python call linkat, which can follow the link to the nameless file
            os.link(f"/proc/self/fd/{file.fileno()}", path.name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)


def _write(path: Path, data: bytes, mode: int) -> None:
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    with os.fdopen(opened, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
