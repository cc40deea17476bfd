"""A private key on disk: Ed25519 as unencrypted PKCS #8 in PEM, mode 0600, made once and never replaced silently.

Not covered:
    Who can read the files of this account can sign in its name: put the folder on an encrypted disk, and the witness,
    whose key has to be another's, on another machine.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.errors import StartFailed
from app.ledger.durable_file import create

__all__ = ["load_key", "make_key"]


def make_key(path: Path) -> Ed25519PrivateKey:
    """Make a key and keep it, durable before it is used for anything.

    Raises:
        StartFailed: there is a file already, or it cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    data = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        create(path, data)
    except OSError as error:
        raise StartFailed(
            f"The signing key cannot be written to {path}: {error.strerror}.",
            remedy="Give the folder to this account, with space left; a key that is there is never written over.",
        ) from None
    return key


def load_key(path: Path) -> Ed25519PrivateKey:
    """Read a key.

    Raises:
        StartFailed: it is missing, others can read it, or it is no Ed25519 key.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = file.read(65_536)
    except FileNotFoundError:
        raise StartFailed(
            f"The signing key {path} is missing.",
            remedy="Put it back from the copy of the data folder. A new key would be another identity, which nobody who"
            " kept a checkpoint would believe; none was made.",
        ) from None
    except OSError as error:
        raise StartFailed(
            f"The signing key {path} cannot be read: {error.strerror}.",
            remedy=f"Give it to this account: chown and chmod 600 {path}.",
        ) from None
    if mode & 0o077:
        raise StartFailed(
            f"The signing key {path} can be read by others (mode {mode:04o}).",
            remedy=f"chmod 600 {path}; where somebody may have read it, rotate it with ./vouch audit rotate.",
        )
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise StartFailed(
            f"The signing key {path} is no Ed25519 key in PEM.",
            remedy="Put it back from the copy of the data folder; nothing was changed.",
        )
    return key
