"""API keys: made, recognised, revoked.

A key reads ``vch_<id>_<secret>``. The id (48 bit) finds the row and may be shown; the secret part has 256 random
bits. Only an HMAC-SHA-256 of the whole key under the installation's secret is stored, so that neither the database
alone nor the secret alone gives a key away. No slow hash is needed: there is nothing to guess in 256 random bits.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Engine, Row, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from app.errors import BadRequest, NotFound, Unauthenticated
from app.identity.principal import Principal, Role
from app.storage.tables import api_keys

__all__ = ["KeyInfo", "KeyStore", "key_id"]

_FORM: Final = re.compile(r"vch_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_PURPOSE: Final = b"vouch api key\x00"
_LEAST_SECRET: Final = 32
_LONGEST_NAME: Final = 128
_LAST_USED_STEP: Final = timedelta(minutes=1)
_NO_DIGEST: Final = bytes(32)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """A key as its administrator sees it: everything but the key. Times are RFC 3339 in UTC."""

    id: str
    subject: str
    role: Role
    labels: frozenset[str]
    collections: frozenset[str]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None


class KeyStore:
    """The keys of an installation, in the table `api_keys`. Safe to use from many threads."""

    def __init__(
        self, engine: Engine, secret: bytes, *, clock: Callable[[], datetime] = lambda: datetime.now(tz=UTC)
    ) -> None:
        """Use a migrated database and the installation's secret.

        Raises:
            ValueError: the secret is shorter than 32 bytes.
        """
        if len(secret) < _LEAST_SECRET:
            raise ValueError(f"the installation's secret has at least {_LEAST_SECRET} bytes")
        self._engine = engine
        self._secret = secret
        self._clock = clock

    def create(
        self,
        subject: str,
        *,
        role: Role,
        labels: Iterable[str],
        collections: Iterable[str],
        expires_at: datetime | None = None,
    ) -> str:
        """Make a key and return it; it cannot be shown again. Its id, for the record, is `key_id` of it.

        Raises:
            BadRequest: a name is empty, too long or not printable, or the end is past or without a time zone.
        """
        now = self._clock()
        if expires_at is not None and (expires_at.tzinfo is None or expires_at <= now):
            raise BadRequest(
                "The key's end must be a future time with its zone.", remedy="Give it as 2030-01-31T00:00:00Z."
            )
        key = f"vch_{secrets.token_hex(6)}_{secrets.token_urlsafe(32)}"
        row = {
            "id": key_id(key),
            "digest": self._digest(key),
            "subject": _name(subject),
            "role": Role(role).value,
            "labels": sorted({_name(label) for label in labels}),
            "collections": sorted({_name(collection) for collection in collections}),
            "created_at": _written(now),
            "expires_at": None if expires_at is None else _written(expires_at),
        }
        with self._engine.begin() as connection:
            connection.execute(insert(api_keys), row)
        return key

    def authenticate(self, key: str) -> Principal:
        """Return whose key this is.

        Raises:
            Unauthenticated: it is unknown, expired or revoked; which of these is not told.
        """
        form = _FORM.fullmatch(key)
        if form is None:
            raise _unknown()
        with self._engine.connect() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.id == form[1])).first()
        matches = hmac.compare_digest(self._digest(key), _NO_DIGEST if row is None else row.digest)
        now = self._clock()
        if row is None or not matches or row.revoked_at is not None or _is_past(row.expires_at, now):
            raise _unknown()
        if _is_past(row.last_used_at, now - _LAST_USED_STEP, absent=True):
            self._note_use(row.id, now)
        return Principal(
            subject=row.subject,
            role=Role(row.role),
            method="key",
            labels=frozenset(row.labels),
            collections=frozenset(row.collections),
        )

    def revoke(self, id: str) -> None:  # noqa: A002 - the name of the column
        """End a key now. Ending it again changes nothing.

        Raises:
            NotFound: there is no key with this id.
        """
        with self._engine.begin() as connection:
            ended = update(api_keys).where(api_keys.c.id == id, api_keys.c.revoked_at.is_(None))
            if connection.execute(ended.values(revoked_at=_written(self._clock()))).rowcount:
                return
            if connection.execute(select(api_keys.c.id).where(api_keys.c.id == id)).first() is None:
                raise NotFound("There is no such key.", remedy="List the keys and give the id of one of them.")

    def list(self) -> tuple[KeyInfo, ...]:
        """Return all keys, oldest first, those that have ended too."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)).all()
        return tuple(_info(row) for row in rows)

    def _digest(self, key: str) -> bytes:
        return hmac.new(self._secret, _PURPOSE + key.encode("ascii"), hashlib.sha256).digest()

    def _note_use(self, id: str, now: datetime) -> None:  # noqa: A002 - the name of the column
        try:
            with self._engine.begin() as connection:
                used = update(api_keys).where(api_keys.c.id == id)
                connection.execute(used.values(last_used_at=_written(now)))
        except SQLAlchemyError as error:  # a convenience for the administrator; a full disk must not lock people out
            _log.warning("keys.last_use_not_noted", key=id, error=type(error).__name__)


def key_id(key: str) -> str:
    """Return the part of a key that is not secret.

    Raises:
        Unauthenticated: this is no key.
    """
    form = _FORM.fullmatch(key)
    if form is None:
        raise _unknown()
    return form[1]


def _name(name: str) -> str:
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise BadRequest(
            "A subject, label or collection is empty, too long or not printable.",
            remedy=f"Use 1 to {_LONGEST_NAME} printable characters without spaces around them.",
        )
    return name


def _written(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _is_past(written: str | None, now: datetime, *, absent: bool = False) -> bool:
    return absent if written is None else written <= _written(now)


def _info(row: Row[Any]) -> KeyInfo:
    return KeyInfo(
        id=row.id,
        subject=row.subject,
        role=Role(row.role),
        labels=frozenset(row.labels),
        collections=frozenset(row.collections),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )


def _unknown() -> Unauthenticated:
    return Unauthenticated(
        "This API key is not valid.", remedy="Ask your administrator for a key, and send it as it was shown."
    )
