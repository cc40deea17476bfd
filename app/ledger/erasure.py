"""Erases what is kept of a person: destroys the key of their content, and the content, and records that it was done.

The ledger is not changed. Its entries hold commitments whose text and salt are gone: nobody can open them, and nobody
can guess a text and try it, since the 32 random bytes of the salt would have to be guessed too. Every proof and every
verification holds as before.

The key's bytes are overwritten before they are deleted, SQLite zeroes what it frees (`secure_delete`), and the
write-ahead log is emptied, so that the database's files no longer hold them; on PostgreSQL the dead rows are vacuumed.

Not covered:
    Copies: a backup from before holds the key until it is thrown away. Blocks that a disk or file system keeps of
    overwritten data. PostgreSQL's write-ahead log and its archive. The person's name in the ledger's entries.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from app.errors import LedgerError, VaultUnavailable
from app.identity.principal import Principal
from app.ledger.sealing import KEY_BYTES
from app.ledger.sink import AuditSink
from app.ledger.vault import Vault
from app.storage.tables import vault_items, vault_keys

__all__ = ["Erasure", "clean", "erase"]


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was destroyed. `keys` is 0 where nothing was kept; `clean` is false while old bytes lie in a log file."""

    subject: str
    keys: int
    items: int
    clean: bool
    entry: int


def erase(vault: Vault, sink: AuditSink, *, subject: str, actor: Principal) -> Erasure:
    """Destroy a subject's key and content; the intent is recorded before, what was done after.

    Doing it again is harmless, and ends what an interrupted erasure left. A question of the same subject that comes
    later gets a new key.

    Raises:
        LedgerUnavailable: it cannot be recorded, and was not done; or was done, and only its end is not recorded.
        VaultUnavailable: it was not done.
    """
    intent = sink.append("subject.erase.intent", actor=actor, body={"subject": subject})
    try:
        keys, items = _destroy(vault, subject)
        emptied = clean(vault)
    except LedgerError as error:
        failed = {"subject": subject, "error": error.code}
        sink.append("subject.erase.outcome", actor=actor, body=failed, outcome="error", closes=intent.entry)
        raise
    body = {"subject": subject, "keys": keys, "items": items, "clean": emptied}
    receipt = sink.append("subject.erased", actor=actor, body=body, closes=intent.entry)
    return Erasure(subject=subject, keys=keys, items=items, clean=emptied, entry=receipt.entry)


def _destroy(vault: Vault, subject: str) -> tuple[int, int]:
    mine = select(vault_keys.c.id).where(vault_keys.c.subject == subject)
    try:
        with vault.writing() as connection:
            ids = connection.scalars(mine.with_for_update()).all()  # a write under way ends first, and is erased too
            held = select(func.count()).select_from(vault_items).where(vault_items.c.key_id.in_(ids))
            items = connection.scalar(held) or 0
            zeros = bytes(12 + KEY_BYTES + 16)  # as long as what stands there, so that it is written over in its place
            connection.execute(update(vault_keys).where(vault_keys.c.id.in_(ids)).values(wrapped=zeros))
            connection.execute(delete(vault_items).where(vault_items.c.key_id.in_(ids)))
            connection.execute(delete(vault_keys).where(vault_keys.c.id.in_(ids)))
    except SQLAlchemyError:
        raise VaultUnavailable(
            "The content could not be erased; it is as it was.",
            remedy="Check the database's disk or server, then erase again.",
        ) from None
    return len(ids), int(items)


def clean(vault: Vault) -> bool:
    """Drive what was deleted out of the database's files; say whether that was possible now.

    SQLite waits for whoever still reads a state from before, as long as its busy timeout allows; erase again when that
    reader has ended.
    """
    engine = vault.engine
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if engine.dialect.name != "sqlite":
                connection.exec_driver_sql(f"VACUUM {vault_items.name}, {vault_keys.name}")
                return True
            busy, _frames, _moved = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
            return not busy
    except SQLAlchemyError:
        return False
