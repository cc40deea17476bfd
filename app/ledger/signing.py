"""The signing identity of a log: its private key, and the list of keys that it has signed with.

It lies in one folder, made at the first start: ``signing.pem`` (mode 0600) and ``keys.json``, which is public. The
ledger names each key in an event: ``ledger.key`` for the first, ``ledger.key_rotation`` for each later one, with the
old key's endorsement of the new. A key that is missing after the first start, or that is not the one the ledger names
last, stops the start: a new identity is never made silently.

A rotation is durable step by step: the new key as ``next.pem``; the event; the tree that ends with this event, signed
by both keys; the new key in the place of the old one, which is destroyed. Whatever step it is stopped after, the next
start completes it, or takes it back where the event was not recorded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from app.errors import LedgerUnavailable, ProofInvalid, StartFailed
from app.identity.principal import Principal
from app.ledger.durable_file import replace
from app.ledger.key_file import load_key, make_key
from app.ledger.key_list import KeyPeriod, endorse, following, read_keys, write_keys
from app.ledger.log import Ledger
from app.ledger.note import Signer, VerifierKey
from app.ledger.schema import entries, meta

__all__ = ["KEY", "ROTATION", "Identity", "begin_rotation", "open_identity", "origin_of", "published_keys", "retire"]

KEY: Final = "ledger.key"
ROTATION: Final = "ledger.key_rotation"
_PRIVATE: Final = "signing.pem"
_NEXT: Final = "next.pem"
_PUBLIC: Final = "keys.json"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a log signs with. `keys` is the list whose last key is the signer's."""

    origin: str
    signer: Signer = field(repr=False)
    keys: tuple[KeyPeriod, ...]


def origin_of(engine: Engine) -> str:
    """Return the name of a ledger, which is that of its keys too.

    Raises:
        LedgerUnavailable: the store cannot be read.
    """
    try:
        with engine.connect() as connection:
            return f"vouch/{connection.scalar(select(meta.c.value).where(meta.c.name == 'origin'))}"
    except SQLAlchemyError:
        raise LedgerUnavailable(
            "The ledger's store cannot be read.", remedy="Check the disk or the database server of the ledger."
        ) from None


def published_keys(folder: Path, origin: str) -> tuple[KeyPeriod, ...]:
    """Return the public list as it was last written; empty where none was.

    Raises:
        StartFailed: the file is damaged, or of another ledger.
    """
    try:
        data = (folder / _PUBLIC).read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StartFailed(
            f"{folder / _PUBLIC} cannot be read: {error.strerror}.", remedy="Give it to this account."
        ) from None
    try:
        keys = read_keys(data)
    except ProofInvalid as error:
        raise StartFailed(
            f"{folder / _PUBLIC} is damaged: {error.message}", remedy="Put it back from the copy of the data folder."
        ) from None
    for period in keys:
        if period.key.name != origin:
            raise StartFailed(
                f"The signing key in {folder} is that of the ledger {period.key.name}; this ledger is {origin}.",
                remedy="Put that ledger back. To begin another log instead, move this folder away: what the old one"
                " signed stays true of the old one alone.",
            )
    return keys


def open_identity(
    ledger: Ledger, engine: Engine, folder: Path, *, actor: Principal
) -> tuple[Identity, Identity | None]:
    """Bring the key, the public list and the ledger's events together; make a key at the very first start.

    Returns:
        The identity in force and, where a rotation to it was begun and not ended, the one before. Its key has to sign
        the tree that ends with the rotation, then `retire` it.

    Args:
        ledger: The ledger, open for writing.
        engine: Its store.
        folder: Where the key lies.
        actor: Who starts it, for the event of the first key.

    Raises:
        StartFailed: the key is missing, unreadable, or not the one that the ledger names.
        LedgerUnavailable: the ledger cannot be read, or the event not be written.
    """
    origin = origin_of(engine)
    keys = published_keys(folder, origin)
    named = list(_named(ledger, engine))
    if not keys and not named and not (folder / _PRIVATE).exists():
        make_key(folder / _PRIVATE)
    upcoming = _upcoming(folder, named[-1].key if named else None)
    signer = Signer(origin, upcoming or load_key(folder / _PRIVATE))
    if not named and not keys:
        receipt = ledger.append(KEY, actor=actor, body={"key": str(signer.verifier())})
        named = [KeyPeriod(signer.verifier(), receipt.entry)]
    keys = _merged(keys, named, origin)
    if keys[-1].key != signer.verifier():
        raise StartFailed(
            f"The signing key in {folder} is not the one that the ledger names in entry {keys[-1].first}.",
            remedy="Put the key back from the copy of the data folder that belongs to this ledger.",
        )
    _publish(folder, keys)
    before = Identity(origin, Signer(origin, load_key(folder / _PRIVATE)), keys[:-1]) if upcoming else None
    return Identity(origin, signer, keys), before


def begin_rotation(ledger: Ledger, identity: Identity, folder: Path, *, actor: Principal) -> None:
    """Make a new key and have the old one endorse it, in an event of the ledger; `open_identity` goes on from here.

    Raises:
        StartFailed: the new key cannot be written; the old one signs on.
        LedgerUnavailable: the event could not be recorded; the old key signs on.
    """
    (folder / _NEXT).unlink(missing_ok=True)
    signer = Signer(identity.origin, make_key(folder / _NEXT))
    endorsement = endorse(identity.signer, signer.verifier())
    body = {"key": str(signer.verifier()), "retired": str(identity.keys[-1].key), "endorsement": endorsement}
    ledger.append(ROTATION, actor=actor, body=body)


def retire(folder: Path) -> None:
    """Put the new key in the place of the old one, for good.

    Raises:
        StartFailed: it cannot be; both are still there.
    """
    try:
        (folder / _NEXT).replace(folder / _PRIVATE)
    except OSError as error:
        raise _not_in_place(folder, error) from None


def _upcoming(folder: Path, named: VerifierKey | None) -> Ed25519PrivateKey | None:
    """Return the key of a rotation whose event was recorded and that has not ended; forget one without event."""
    path = folder / _NEXT
    if not path.exists():
        return None
    key = load_key(path)
    if named is not None and key.public_key().public_bytes_raw() == named.public:
        return key
    try:
        path.unlink()
    except OSError as error:
        raise _not_in_place(folder, error) from None
    return None


def _not_in_place(folder: Path, error: OSError) -> StartFailed:
    return StartFailed(
        f"The signing key cannot be put in place: {error.strerror}.",
        remedy=f"Give {folder} to this account, with space left.",
    )


def _named(ledger: Ledger, engine: Engine) -> Iterator[KeyPeriod]:
    """Give the keys that the ledger's events name, as far as they were not pruned."""
    try:
        with engine.connect() as connection:
            query = select(entries.c.seq).where(entries.c.action.in_([KEY, ROTATION]), entries.c.body.is_not(None))
            seqs = connection.scalars(query.order_by(entries.c.seq)).all()
    except SQLAlchemyError:
        raise LedgerUnavailable(
            "The ledger's store cannot be read.", remedy="Check the disk or the database server of the ledger."
        ) from None
    for seq in seqs:
        if seq < ledger.minimum:
            continue
        body: Any = ledger.get(seq).event.body
        try:
            yield KeyPeriod(VerifierKey.parse(body["key"]), seq, None, body.get("endorsement"))
        except (ProofInvalid, KeyError, TypeError, AttributeError):
            raise StartFailed(
                f"Entry {seq} of the ledger names no key that this version knows.",
                remedy="Start the version that wrote it, or a newer one.",
            ) from None


def _merged(kept: tuple[KeyPeriod, ...], named: list[KeyPeriod], origin: str) -> tuple[KeyPeriod, ...]:
    """Add to the kept list what the ledger names beyond it; what both say must be the same."""
    known = {period.first: period.key for period in kept}
    try:
        for period in named:
            if period.first not in known:
                kept = following(kept, period)
            elif known[period.first] != period.key:
                raise StartFailed(
                    f"The key list and entry {period.first} of the ledger {origin} name different keys.",
                    remedy="Put keys.json and the ledger back from the same copy.",
                )
    except ProofInvalid as error:
        raise StartFailed(
            f"The keys that the ledger {origin} names do not follow each other: {error.message}",
            remedy="Verify the ledger with ./vouch audit verify and put back the copy that holds.",
        ) from None
    return kept


def _publish(folder: Path, keys: tuple[KeyPeriod, ...]) -> None:
    data = (json.dumps(write_keys(keys), indent=2) + "\n").encode("ascii")
    try:
        if not (folder / _PUBLIC).exists() or (folder / _PUBLIC).read_bytes() != data:
            replace(folder / _PUBLIC, data, mode=0o644)
    except OSError as error:
        raise StartFailed(
            f"The list of keys cannot be written: {error.strerror}.",
            remedy=f"Give {folder} to this account, with space left.",
        ) from None
