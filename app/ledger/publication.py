"""Wires what signs and publishes a ledger's checkpoints, from the settings; and says where its files lie."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from app.errors import ProofInvalid, SettingsError
from app.identity.principal import Principal
from app.ledger.checkpoint_folder import CheckpointFolder
from app.ledger.checkpoint_signer import CheckpointSigner
from app.ledger.log import Ledger
from app.ledger.proving import Prover
from app.ledger.publishing import Publisher
from app.ledger.signing import open_identity, retire
from app.ledger.witness_client import WitnessClient, witness_key
from app.settings import Settings

__all__ = ["LAST_SIGNED", "checkpoint_folders", "open_publisher", "open_signer", "signing_folder"]

LAST_SIGNED: Final = "signed.json"


def signing_folder(settings: Settings) -> Path:
    """Where the key, the list of keys and the last signed checkpoint lie."""
    return settings.data_dir / "signing"


def checkpoint_folders(settings: Settings) -> list[CheckpointFolder]:
    """Return the folders that checkpoints are published to: the service's own, then the outside one."""
    folders = [CheckpointFolder(settings.data_dir / "checkpoints")]
    if settings.checkpoint_dir is not None:
        folders.append(CheckpointFolder(settings.checkpoint_dir))
    return folders


def open_signer(settings: Settings, ledger: Ledger, engine: Engine, *, actor: Principal) -> CheckpointSigner:
    """Open the signing identity of a ledger that is open for writing, and end a rotation that was begun.

    Raises:
        StartFailed: the key is missing or not the ledger's.
        LedgerCorrupt: the ledger is not the one that was signed last, or an older copy of it.
    """
    folder, prover = signing_folder(settings), Prover(engine)
    identity, before = open_identity(ledger, engine, folder, actor=actor)
    if before is not None:
        rotated = identity.keys[-1].first + 1
        both = CheckpointSigner(before, prover, folder / LAST_SIGNED, size=lambda: rotated).sign(identity.signer)
        checkpoint_folders(settings)[0].publish(both)
        retire(folder)
    return CheckpointSigner(identity, prover, folder / LAST_SIGNED, size=lambda: ledger.size)


def open_publisher(settings: Settings, ledger: Ledger, engine: Engine, *, actor: Principal) -> Publisher:
    """Return the publisher of a ledger that is open for writing, not yet started.

    Raises:
        SettingsError: a witness's key is none.
        StartFailed, LedgerCorrupt: as `open_signer`.
    """
    witnesses = []
    for url, key in zip(settings.witness_urls, settings.witness_keys, strict=True):
        try:
            witnesses.append(WitnessClient(url, witness_key(key)))
        except ProofInvalid as error:
            raise SettingsError(f"witness_keys: {error.message}", remedy=error.remedy) from None
    return Publisher(
        open_signer(settings, ledger, engine, actor=actor),
        Prover(engine),
        size=lambda: ledger.size,
        folders=checkpoint_folders(settings),
        witnesses=witnesses,
        events=settings.checkpoint_events,
        seconds=settings.checkpoint_seconds,
    )
