"""What is kept: database, ledger and its signing key, documents and their indexes. Nothing is made or changed."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from app.connection import is_running
from app.doctor.finding import Finding, Health
from app.embedders import embedders_for
from app.identity.secret import SECRET, installation_secret
from app.ledger.checkpoint import Checkpoint
from app.ledger.checkpoint_signer import last_signed
from app.ledger.publication import LAST_SIGNED, signing_folder
from app.ledger.reading import LedgerReader
from app.settings import Settings
from app.storage.engine import connect
from app.storage.migrate import current
from app.up import OPERATOR_KEY
from app.vector_stores import INDEX_FOLDER, builder
from retrieval.catalog import Catalog
from retrieval.index import PassageIndex
from retrieval.reconciliation.check import check

__all__ = ["database", "index", "ledger", "secrets"]

_SQLITE: Final = "sqlite:///"
_FRESH: Final = "not there yet: the first start makes it"


def database(settings: Settings) -> Iterator[Finding]:
    """Look whether the database can be reached and written.

    Raises:
        StartFailed: it cannot; the error says why.
    """
    with_engine = _opened(settings.database)
    if with_engine is None:
        yield Finding("database", Health.WELL, _FRESH)
        return
    try:
        revision = current(with_engine)
    finally:
        with_engine.dispose()
    yield Finding("database", Health.WELL, f"{with_engine.dialect.name}, revision {revision or 'none yet'}")


def ledger(settings: Settings) -> Iterator[Finding]:
    """Hash the whole ledger anew, and hold it against the last checkpoint that was signed.

    Raises:
        LedgerError: it is not what was recorded; the error says where.
    """
    engine = _opened(settings.ledger)
    if engine is None:
        yield Finding("ledger", Health.WELL, _FRESH)
        return
    try:
        report = LedgerReader(engine).verify()
        signed = last_signed(signing_folder(settings) / LAST_SIGNED)
        if signed is not None:
            yield _held_against(LedgerReader(engine), Checkpoint.parse(signed.text))
    finally:
        engine.dispose()
    yield Finding("ledger", Health.WELL, f"{report.size} entries, each hashed anew")


def _held_against(reader: LedgerReader, signed: Checkpoint) -> Finding:
    part = "signed checkpoint"
    if signed.size > reader.size:
        message = f"{signed.size} entries were signed for, and the ledger has {reader.size}."
        return Finding(part, Health.BROKEN, message, "Restore the ledger from a backup that is not older than that.")
    if reader.root_at(signed.size) != signed.root.hex():
        message = f"The first {signed.size} entries are not those that were signed for."
        return Finding(part, Health.BROKEN, message, "Keep both, and show them to your auditors before anything else.")
    return Finding(part, Health.WELL, f"covers {signed.size} of {reader.size} entries")


def secrets(settings: Settings) -> Iterator[Finding]:
    """Look whether a stranger on this machine could read the installation's secret or its signing key."""
    files = [path for path in _secret_files(settings) if path.exists()]
    loose = [path for path in files if path.stat().st_mode & (stat.S_IRWXO | stat.S_IRWXG)]
    if loose:
        names = " ".join(str(path) for path in loose)
        message = f"Others on this machine may read or change {names}."
        yield Finding("secrets", Health.BROKEN, message, f"chmod go-rwx {names}; then make new keys if it mattered.")
    elif files:
        yield Finding("secrets", Health.WELL, "readable by their owner alone")


def _secret_files(settings: Settings) -> Iterator[Path]:
    yield settings.data_dir / SECRET
    yield settings.data_dir / OPERATOR_KEY
    yield from signing_folder(settings).glob("*.pem")


def index(settings: Settings) -> Iterator[Finding]:
    """Hold documents, words and vectors against the catalog; a running service is asked by `./vouch retrieval check`.

    Raises:
        RetrievalError: an index cannot be read.
    """
    engine = _opened(settings.database)
    if engine is None or current(engine) is None:
        yield Finding("index", Health.WELL, "no documents yet")
        return
    if is_running(settings):
        yield Finding("index", Health.WELL, "in use by the running service: ./vouch retrieval check looks closer")
        return
    try:
        catalog = Catalog(engine)
        secret = installation_secret(settings.data_dir, settings.secret)
        opened = PassageIndex(
            catalog,
            embedders_for(settings),
            folder=settings.data_dir / INDEX_FOLDER,
            store_for=builder(settings, catalog, secret),
        )
        report = check(engine, opened, settings.data_dir / "files", deep=False)
    finally:
        engine.dispose()
    if report.agrees:
        yield Finding("index", Health.WELL, ", ".join(f"{number} {name}" for name, number in report.counts.items()))
        return
    kinds = ", ".join(f"{kind} {number}" for kind, number in report.kinds.items())
    remedy = "./vouch retrieval check --repair; what it cannot mend, add again."
    yield Finding("index", Health.BROKEN, f"It does not agree with the documents: {kinds}.", remedy)


def _opened(url: str) -> Engine | None:
    """Open a store that exists; None for a SQLite file that does not, which opening would make."""
    if url.startswith(_SQLITE) and not Path(url.removeprefix(_SQLITE)).exists():
        return None
    return connect(url)
