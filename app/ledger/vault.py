"""Content beside the ledger: questions, histories, answers and claims, encrypted under a key for each person.

The ledger holds commitments (`app.ledger.commitment`); what opens them, the text and its salt, lies here, in the
database, sealed under a data key of the subject who asked. Destroying that one key makes all of a person's content
unreadable and unguessable, and changes not a byte of the ledger (`app.ledger.erasure`).

A write is durable when `seal` returns, and comes before the ledger's entry that names the commitments: no sealed
content, no entry, no answer. Content whose entry was then not written is under no entry's name; it goes with its
subject's key.

Not covered:
    Names: a subject's name stands in the entries themselves and is not erased. Use names that say nothing.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy import Connection, Engine, delete, insert, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from app.errors import StartFailed, VaultUnavailable
from app.ledger.commitment import Opening
from app.ledger.sealing import KEY_BYTES, NotOpened, master_key, seal, unseal
from app.storage.tables import vault_items, vault_keys, vault_master

__all__ = ["Vault"]

_KNOWN: Final = b"vouch"
_TRIES: Final = 4
"""A key can be made by another process, or erased, between the two statements of a write."""

_log = structlog.get_logger()


class Vault:
    """The sealed content of an installation. Safe to use from many threads and processes."""

    def __init__(
        self, engine: Engine, secret: bytes, *, clock: Callable[[], datetime] = lambda: datetime.now(tz=UTC)
    ) -> None:
        """Open the vault, and make its master key's proof where there is none.

        Args:
            engine: A migrated database, opened with `durable=True`.
            secret: The installation's secret.
            clock: Gives the time for the keys' dates.

        Raises:
            StartFailed: the secret is not the one that the vault was sealed under, or the database cannot be used.
        """
        self._engine = engine
        self._master = master_key(secret)
        self._clock = clock
        try:
            self._prove()
        except SQLAlchemyError:
            raise StartFailed(
                "The vault cannot be read.", remedy="Check VOUCH_DATABASE_URL, the disk and its free space."
            ) from None

    @property
    def engine(self) -> Engine:
        """The database that holds it."""
        return self._engine

    def seal(self, subject: str, answer_id: str, texts: Mapping[str, str]) -> dict[str, str]:
        """Keep texts under their names and return the commitment of each, when they are durable.

        Raises:
            VaultUnavailable: they may not have been kept; what they belong to must not be recorded or shown.
        """
        if not texts:
            return {}
        openings = {name: Opening.of(text) for name, text in texts.items()}
        for _ in range(_TRIES):
            try:
                with self.writing() as connection:
                    key_id, key = self._key(connection, subject)
                    rows = [
                        {
                            "answer_id": answer_id,
                            "name": name,
                            "key_id": key_id,
                            "sealed": seal(key, _packed(opening), about=("item", key_id, subject, answer_id, name)),
                        }
                        for name, opening in openings.items()
                    ]
                    connection.execute(insert(vault_items), rows)
            except IntegrityError:  # another process made the subject's key first, or erased it meanwhile
                continue
            except SQLAlchemyError as error:
                _log.error("vault.write_failed", error=type(error.__cause__ or error).__name__, items=len(texts))
                raise _unavailable() from None
            return {name: opening.commitment for name, opening in openings.items()}
        raise _unavailable()

    def open(self, subject: str, answer_id: str) -> dict[str, Opening]:
        """Return what opens the commitments of an answer, by name; empty where it was erased or pruned.

        Raises:
            VaultUnavailable: the vault cannot be read, or what it holds was changed.
        """
        query = (
            select(vault_items.c.name, vault_items.c.sealed, vault_keys.c.id, vault_keys.c.wrapped)
            .join(vault_keys, vault_keys.c.id == vault_items.c.key_id)
            .where(vault_items.c.answer_id == answer_id, vault_keys.c.subject == subject)
            .order_by(vault_items.c.name)
        )
        try:
            with self._engine.connect() as connection:
                rows = connection.execute(query).all()
        except SQLAlchemyError:
            raise _unreadable() from None
        found: dict[str, Opening] = {}
        try:
            for name, sealed, key_id, wrapped in rows:
                key = unseal(self._master, wrapped, about=("key", key_id, subject))
                found[name] = _unpacked(unseal(key, sealed, about=("item", key_id, subject, answer_id, name)))
        except NotOpened:
            raise VaultUnavailable(
                "The kept content does not open: it was changed, or sealed under another secret.",
                remedy="Restore the database and the installation's secret from the same copy.",
            ) from None
        return found

    def holds(self, answer_id: str) -> bool:
        """Say whether there is content of an answer."""
        try:
            with self._engine.connect() as connection:
                query = select(vault_items.c.name).where(vault_items.c.answer_id == answer_id).limit(1)
                return connection.scalar(query) is not None
        except SQLAlchemyError:
            raise _unreadable() from None

    def discard(self, answer_ids: Iterable[str]) -> int:
        """Delete the content of answers, for the retention; return how many texts went.

        Raises:
            VaultUnavailable: some of it may be left.
        """
        gone = 0
        try:
            for answer_id in answer_ids:
                with self.writing() as connection:
                    query = delete(vault_items).where(vault_items.c.answer_id == answer_id)
                    gone += connection.execute(query).rowcount
        except SQLAlchemyError:
            raise _unavailable() from None
        return gone

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a transaction that has SQLite's right to write from its beginning, and zeroes what it deletes."""
        with self._engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA secure_delete=ON")
                connection.rollback()  # SQLAlchemy counted that as the beginning of a transaction
            with connection.begin():
                if connection.dialect.name == "sqlite":
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection

    def _key(self, connection: Connection, subject: str) -> tuple[str, bytes]:
        query = select(vault_keys.c.id, vault_keys.c.wrapped).where(vault_keys.c.subject == subject)
        row = connection.execute(query).first()
        if row is not None:
            try:
                return row.id, unseal(self._master, row.wrapped, about=("key", row.id, subject))
            except NotOpened:
                raise VaultUnavailable(
                    "A person's key in the vault does not open: it was changed.",
                    remedy="Restore the database from a good copy; nothing was written.",
                ) from None
        key_id, key = secrets.token_hex(16), secrets.token_bytes(KEY_BYTES)
        wrapped = seal(self._master, key, about=("key", key_id, subject))
        created = self._clock().astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        made = {"id": key_id, "subject": subject, "wrapped": wrapped, "created_at": created}
        connection.execute(insert(vault_keys), made)
        return key_id, key

    def _prove(self) -> None:
        """Hold the secret against a known sealed text, so that a wrong one is told at the start."""
        with self._engine.connect() as connection:
            sealed = connection.scalar(select(vault_master.c.sealed).where(vault_master.c.id == 1))
        if sealed is None:
            sealed = self._first_proof()
        try:
            unseal(self._master, sealed, about=("master",))
        except NotOpened:
            raise StartFailed(
                "The kept content was sealed under another secret than this one.",
                remedy="Put back the `secret` file of the data folder, or VOUCH_SECRET, that this database was used"
                " with. Nothing was changed, and nothing is lost while that secret exists.",
            ) from None

    def _first_proof(self) -> bytes:
        row = {"id": 1, "sealed": seal(self._master, _KNOWN, about=("master",))}
        try:
            with self.writing() as connection:
                connection.execute(insert(vault_master), row)
        except IntegrityError:
            _log.info("vault.proved_elsewhere")  # another process was first, and its proof counts
        with self._engine.connect() as connection:
            return bytes(connection.scalars(select(vault_master.c.sealed).where(vault_master.c.id == 1)).one())


def _packed(opening: Opening) -> bytes:
    return json.dumps([opening.salt, opening.text]).encode("ascii")


def _unpacked(data: bytes) -> Opening:
    salt, text = json.loads(data)
    return Opening(text=text, salt=salt)


def _unavailable() -> VaultUnavailable:
    return VaultUnavailable(
        "The content of the answer cannot be kept, so nothing was done.",
        remedy="Free space on the database's disk or bring the database back; then try again.",
    )


def _unreadable() -> VaultUnavailable:
    return VaultUnavailable("The vault cannot be read.", remedy="Check the disk or the database server.")
