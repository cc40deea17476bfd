"""A process that appends a few events while its system calls are made to fail, and says what was acknowledged."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

from app.errors import VouchError
from app.identity.principal import OPERATOR
from app.ledger.log import Ledger
from app.storage.engine import connect

APPENDS = 3
BROKEN = 70
"""Exit status where anything but our own errors came out."""


def run(folder: str, out: Connection, go: Connection) -> None:
    """Append once undisturbed, so that everything is imported; then wait for the tracer and append in earnest."""
    append(Path(folder) / "rehearsal.db", -1)
    os.write(out.fileno(), b"ready\n")
    os.read(go.fileno(), 1)
    try:
        append(Path(folder) / "ledger.db", out.fileno())
    except VouchError:
        sys.exit(0)  # a refusal is an answer
    except BaseException:  # noqa: BLE001 - the parent looks at it
        traceback.print_exc()
        os._exit(BROKEN)
    os._exit(0)


def append(path: Path, out: int) -> None:
    """Open, append, close; go on after a refusal, as a service does."""
    engine = connect(f"sqlite:///{path}", durable=True)
    with Ledger(engine) as ledger:
        for n in range(APPENDS):
            try:
                entry = ledger.append("test.intent", actor=OPERATOR, body={"n": n, "text": "x" * 400}).entry
            except VouchError:
                continue
            if out >= 0:
                with contextlib.suppress(OSError):  # the acknowledgement itself was struck: nobody heard it
                    os.write(out, f"{entry}\n".encode("ascii"))
    engine.dispose()
