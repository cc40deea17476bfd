"""Gives a command or a second worker a way to append: the ledger itself when nobody writes it, else the relay.

with open_sink(settings) as sink:
    sink.append("ledger.read", actor=OPERATOR, body={...})
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.ledger.log import Ledger
from app.ledger.relay_client import RelayClient, is_listening
from app.ledger.sink import AuditSink
from app.settings import Settings
from app.storage.engine import connect

__all__ = ["open_sink", "socket_path"]


def socket_path(settings: Settings) -> Path:
    """Return the place of the relay's socket."""
    return settings.data_dir.absolute() / "ledger.sock"


@contextmanager
def open_sink(settings: Settings) -> Iterator[AuditSink]:
    """Give a sink for as long as the block runs.

    Raises:
        StartFailed: nobody answers at the relay, and the ledger cannot be opened for writing: another process holds it
            that does not relay (the message names it), or its store cannot be used.
    """
    path = socket_path(settings)
    if is_listening(path):
        with RelayClient(path) as client:
            yield client
        return
    engine = connect(settings.ledger, durable=True)
    try:
        with Ledger(engine) as ledger:
            yield ledger
    finally:
        engine.dispose()
