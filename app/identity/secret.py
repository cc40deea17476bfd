"""The installation's secret: it keys the hashes of API keys, and the vault's master key is derived from it.

Whoever loses it loses the use of every API key and all content that lies sealed beside the ledger: keep a copy of the
file with the backups of the ledger, apart from the database.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from app.errors import StartFailed

__all__ = ["SECRET", "installation_secret"]

SECRET: Final = "secret"  # noqa: S105 - the name of a file
"""File in the data folder that holds it, mode 0600."""
_BYTES: Final = 32
_LARGEST: Final = 4096


def installation_secret(data_dir: Path, configured: str) -> bytes:
    """Return the configured secret, or that in ``<data_dir>/secret``, made at the first start with mode 0600.

    Raises:
        StartFailed: the file can be read by others, belongs to somebody else, is too short or cannot be made.
    """
    if configured:
        return configured.encode("utf-8")
    path = data_dir / SECRET
    try:
        if not path.exists():
            _make(path)
        return _read(path)
    except OSError as error:
        raise _refused(path, error.strerror or type(error).__name__) from None


def _make(path: Path) -> None:
    """Write a new secret beside its place, then link it there, so that a second process finds it whole or not."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{SECRET}.{os.getpid()}.{secrets.token_hex(4)}")
    opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(opened, "wb") as file:
            file.write(secrets.token_hex(_BYTES).encode("ascii"))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return  # the other one was first
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> bytes:
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(opened, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise _refused(path, "it is no file")
        if status.st_mode & 0o077:
            raise _refused(path, "others may read it")
        if status.st_uid not in {os.geteuid(), 0}:
            raise _refused(path, "it belongs to another account")
        secret = file.read(_LARGEST).strip()
    if len(secret) < _BYTES:
        raise _refused(path, f"it has fewer than {_BYTES} bytes")
    return secret


def _refused(path: Path, problem: str) -> StartFailed:
    return StartFailed(
        f"The installation's secret {path} cannot be used: {problem}.",
        remedy="Make it a file of this account alone (chmod 600), or set VOUCH_SECRET.",
    )
