"""Encrypts for the vault: AES-256-GCM (NIST SP 800-38D), keys from the installation's secret by HKDF (RFC 5869).

    master    = HKDF-SHA-256(secret, no salt, info "vouch vault master 1"), 32 bytes
    data key  = 32 random bytes for each subject, stored as seal(master, data key, about=("key", key id, subject))
    sealed    = nonce (12 random bytes) || ciphertext || tag (16 bytes)

`about` says what a sealed value is and whose; it is the additional authenticated data, so that a value put in another's
place does not open. Random nonces are safe for 2**32 values under one key, far more than one person's questions.

Not covered:
    Who holds the secret and the database can open everything that was not erased: the encryption lets one person's
    content be destroyed, and keeps the database alone (a stolen disk, a copy) from telling it.
"""

from __future__ import annotations

import json
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = ["KEY_BYTES", "NotOpened", "master_key", "seal", "unseal"]

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_MASTER: Final = b"vouch vault master 1"


class NotOpened(Exception):
    """A sealed value does not open: another key, another place, or changed bytes. Never leaves the vault."""


def master_key(secret: bytes) -> bytes:
    """Derive the key that wraps the data keys from the installation's secret."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=_MASTER).derive(secret)


def seal(key: bytes, value: bytes, *, about: tuple[str, ...]) -> bytes:
    """Encrypt a value and bind it to what it is about."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, value, _bound(about))


def unseal(key: bytes, sealed: bytes, *, about: tuple[str, ...]) -> bytes:
    """Decrypt a sealed value.

    Raises:
        NotOpened: it was not sealed under this key for this place, or was changed since.
    """
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound(about))
    except (InvalidTag, ValueError, TypeError):  # too short, or of another type: SQLite keeps any type in any column
        raise NotOpened from None


def _bound(about: tuple[str, ...]) -> bytes:
    return json.dumps(["vouch vault 1", *about], ensure_ascii=True).encode("ascii")
