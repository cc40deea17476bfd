"""A process that appends to a ledger until it is killed, and says each entry that was acknowledged."""

from __future__ import annotations

import os
import sys
import threading
import time
from multiprocessing.connection import Connection

from app.errors import LedgerUnavailable, VouchError
from app.identity.principal import OPERATOR
from app.ledger.log import Ledger
from app.storage.engine import connect


def run(url: str, threads: int, out: Connection) -> None:
    """Append from this many threads; where the ledger refuses, say why and exit with status 3."""

    def say(line: object) -> None:
        os.write(out.fileno(), f"{line}\n".encode("ascii"))  # one write a line: no thread cuts into another's

    try:
        ledger = Ledger(connect(url, durable=True))
    except VouchError as error:
        say(f"{type(error).__name__}: {error.message}")
        sys.exit(3)
    say("ready")

    def append() -> None:
        while True:
            try:
                entry = ledger.append("test.intent", actor=OPERATOR, body={"text": "x" * 200}).entry
            except LedgerUnavailable:  # as a service does, which lives on and asks again
                time.sleep(0.02)
            else:
                say(entry)

    for _ in range(threads - 1):
        threading.Thread(target=append, daemon=True).start()
    append()
