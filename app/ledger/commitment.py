r"""Pins a text in the ledger without holding it, so that whoever is given the text and its salt can check it.

    commitment = SHA-256( "vouch commitment 2" || 0x00 || salt || UTF-8(text) )        salt: 32 random bytes

in lower-case hexadecimal. Every text has a salt of its own, so that equal texts cannot be recognised and a short one
cannot be found by trying. The salt is as secret as the text, and is kept and destroyed with it (`app.ledger.vault`). No
key takes part: text and salt (an `Opening`) are enough for anyone, with any SHA-256:

    printf 'vouch commitment 2\0' > d; xxd -r -p salt.hex >> d; cat text.txt >> d; sha256sum d

Not covered:
    Half a character (a lone surrogate) has no UTF-8; it is hashed as the three bytes that it would have.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final, Self

__all__ = ["SALT_BYTES", "Opening", "commitment"]

SALT_BYTES: Final = 32
_PURPOSE: Final = b"vouch commitment 2\x00"


def commitment(text: str, salt: bytes) -> str:
    """Return the commitment to a text under a salt.

    Raises:
        ValueError: the salt does not have 32 bytes.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a commitment's salt has {SALT_BYTES} bytes")
    return hashlib.sha256(_PURPOSE + salt + text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens a commitment: the text, and the salt in hexadecimal."""

    text: str
    salt: str

    @classmethod
    def of(cls, text: str) -> Self:
        """Make an opening with a new salt."""
        return cls(text, secrets.token_hex(SALT_BYTES))

    @property
    def commitment(self) -> str:
        """The commitment that this opens."""
        return commitment(self.text, bytes.fromhex(self.salt))

    def opens(self, stated: str) -> bool:
        """Say whether a commitment is to this text."""
        return hmac.compare_digest(self.commitment, stated)
