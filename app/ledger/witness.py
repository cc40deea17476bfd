"""A witness (c2sp.org/tlog-witness): cosigns a log's checkpoint only when it extends what it cosigned before.

For each log, by its origin, it keeps the latest checkpoint that it cosigned. The check against it and the keeping of
the new one are one transaction of its own SQLite file, durable before the cosignature is made, so that neither two
requests at once nor a crash at any moment can lead to two cosigned histories.

    400  the request is malformed, or its old size is above the checkpoint's
    403  no trusted key of the log signed the checkpoint
    404  the log is not known here
    409  the old size is not the size cosigned last (the body says that one), or the same size has another root
    422  the consistency proof does not hold
    200  one signature line, cosignature/v1

Not covered:
    A witness whose state is lost must not go on under its key: it could cosign a second history. It refuses to start
    with a key and no state. Who runs the log should not run its only witness.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, Text, delete, insert, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from app.errors import ProofInvalid, StartFailed
from app.ledger.checkpoint import Checkpoint, hold_together, parse_size
from app.ledger.key_file import load_key, make_key
from app.ledger.note import COSIGNATURE, Note, Signature, Signer, VerifierKey, base64_decoded, invalid
from app.ledger.witness_client import SIZE_TYPE
from app.storage.engine import connect

__all__ = ["Answer", "Witness"]

_MOST_PROOF_LINES: Final = 63
_KEY: Final = "witness.pem"
_STATE: Final = "witness.db"
_metadata: Final = MetaData()
_logs: Final = Table(
    "witnessed", _metadata, Column("origin", String(512), primary_key=True), Column("note", Text, nullable=False)
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back over HTTP."""

    status: int
    body: str
    kind: str = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class _Request:
    old: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint

    @classmethod
    def parse(cls, data: bytes) -> _Request:
        head, gap, note = data.partition(b"\n\n")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise invalid("The lines before the checkpoint are not ASCII.") from None
        word, _, size = lines[0].partition(" ")
        if not gap or word != "old" or len(lines) - 1 > _MOST_PROOF_LINES:
            raise invalid("The request does not begin with an old size, at most 63 hashes and an empty line.")
        parsed = Note.parse(note)
        proof = tuple(base64_decoded(line) for line in lines[1:])
        return cls(parse_size(size), proof, parsed, Checkpoint.parse(parsed.text))


class Witness:
    """A witness with its key and its state, both in one folder of its own."""

    def __init__(
        self, folder: Path, name: str, logs: Iterable[VerifierKey], *, clock: Callable[[], float] = time.time
    ) -> None:
        """Open a witness, and make it where the folder has none.

        Args:
            folder: Its key and its state.
            name: Its name, in its key and its signatures.
            logs: The keys of the logs that it knows; the name of a key is the origin of its log.
            clock: Seconds since 1970.

        Raises:
            StartFailed: key or state are missing or cannot be used.
        """
        state = folder / _STATE
        begun, keyed = state.exists(), (folder / _KEY).exists()
        if keyed and not begun:
            raise StartFailed(
                f"The witness's state {state} is missing, and its key is there.",
                remedy="Put the state back. Where it is lost, retire this witness: without it the same key could cosign"
                " a second history. Begin another in an empty folder, and give out its key.",
            )
        self._engine: Engine = connect(f"sqlite:///{state.absolute()}", durable=True)
        self._turn = threading.Lock()
        self._clock = clock
        try:
            with self._engine.begin() as connection:
                if not inspect(connection).has_table(_logs.name):
                    _metadata.create_all(connection)
                used = connection.scalar(select(_logs.c.origin).limit(1)) is not None
        except SQLAlchemyError:
            raise _unusable(state) from None
        key = load_key(folder / _KEY) if keyed or used else make_key(folder / _KEY)
        try:
            self._signer = Signer(name, key)
        except ProofInvalid as error:
            raise StartFailed(error.message, remedy="Name it like example.org/witness.") from None
        self._keys: dict[str, list[VerifierKey]] = {}
        for log in logs:
            self._keys.setdefault(log.name, []).append(log)

    @property
    def key(self) -> VerifierKey:
        """Its verifier key, for the logs and their auditors."""
        return self._signer.verifier(COSIGNATURE)

    @property
    def logs(self) -> tuple[str, ...]:
        """The origins of the logs that it knows."""
        return tuple(self._keys)

    def latest(self) -> list[Note]:
        """Return the latest cosigned checkpoint of each log, cosigned as of now: what an auditor holds against a log.

        Raises:
            StartFailed: the state cannot be read.
        """
        try:
            with self._turn, self._engine.connect() as connection:
                kept = connection.scalars(select(_logs.c.note).order_by(_logs.c.origin)).all()
        except SQLAlchemyError:
            raise _unusable(Path(_STATE)) from None
        notes = [Note.parse(text.encode("utf-8")) for text in kept]
        return [note.signed(self._cosigned(note)) for note in notes]

    def add_checkpoint(self, data: bytes) -> Answer:
        """Answer an ``add-checkpoint`` request.

        Raises:
            SQLAlchemyError: the state cannot be kept; nothing was cosigned.
        """
        try:
            request = _Request.parse(data)
        except ProofInvalid as error:
            return Answer(400, error.message + "\n")
        checkpoint = request.checkpoint
        if checkpoint.origin not in self._keys:
            return Answer(404, "This witness does not know the log.\n")
        try:
            request.note.verified(self._keys[checkpoint.origin])
        except ProofInvalid as error:
            return Answer(403, error.message + "\n")
        if request.old > checkpoint.size:
            return Answer(400, "The old size is above the checkpoint's.\n")
        with self._turn:  # held for the signature too: its time must not be later than that of a larger tree
            with self._engine.connect() as connection, connection.begin():
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                refusal = self._kept(connection, request)
            return refusal or Answer(200, self._cosigned(request.note).line())

    def close(self) -> None:
        """Let go of the state."""
        self._engine.dispose()

    def _kept(self, connection: Connection, request: _Request) -> Answer | None:
        """Keep the checkpoint as the latest one, or say why not. The caller has the turn, and commits."""
        newer = request.checkpoint
        stored = connection.scalar(select(_logs.c.note).where(_logs.c.origin == newer.origin))
        older = None if stored is None else Checkpoint.parse(Note.parse(stored.encode("utf-8")).text)
        known = 0 if older is None else older.size
        if request.old != known or (older is not None and older.size == newer.size and older.root != newer.root):
            return Answer(409, f"{known}\n", SIZE_TYPE)
        if not _extends(older, newer, request.proof):
            return Answer(422, "The consistency proof does not hold.\n")
        connection.execute(delete(_logs).where(_logs.c.origin == newer.origin))
        connection.execute(insert(_logs), {"origin": newer.origin, "note": str(request.note)})
        return None

    def _cosigned(self, note: Note) -> Signature:
        return self._signer.cosign(note.text, seconds=int(self._clock()))


def _extends(older: Checkpoint | None, newer: Checkpoint, proof: Sequence[bytes]) -> bool:
    if older is None or older.size == 0:
        return not proof
    try:
        hold_together(older, newer, proof)
    except ProofInvalid:
        return False
    return True


def _unusable(state: Path) -> StartFailed:
    return StartFailed(
        f"The witness's state {state} cannot be used.", remedy="Check the disk and whether the file is a witness's."
    )
