"""The other end of the relay: an `AuditSink` in a process that does not write the ledger itself.

Threads of this process share a connection, and what they append at the same time goes in one frame, so that the writer
commits it together.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from app.answering.types import Receipt
from app.errors import LedgerError, LedgerUnavailable
from app.identity.principal import Principal
from app.ledger.event import Draft
from app.ledger.framing import MOST_EVENTS, is_ours, outcomes_of, receive, request, send, short_name
from app.ledger.gathering import Gathering
from app.ledger.sequencing import Request

__all__ = ["RelayClient", "is_listening"]

_REPLY_S: Final = 60.0
"""How long the writer may take; a commit that waits for a slow disk takes seconds."""


class RelayClient:
    """Appends to a ledger that another process writes. Implements `AuditSink`. Safe to use from many threads."""

    def __init__(self, path: Path) -> None:
        """Use the socket at this place; it is connected when there is something to append."""
        self._path = path
        self._connection: socket.socket | None = None
        self._gathering = Gathering(self._exchange, most=MOST_EVENTS)

    def append(
        self,
        action: str,
        *,
        actor: Principal,
        body: Mapping[str, Any],
        outcome: str = "ok",
        closes: int | None = None,
    ) -> Receipt:
        """Record an event and return when it is durable; see `AuditSink.append`."""
        draft = Draft.of(action, subject=actor.subject, method=actor.method, body=body, outcome=outcome, closes=closes)
        item = Request(draft)
        self._gathering.submit(item)
        if item.receipt is None:
            raise item.error or _lost()
        return item.receipt

    def close(self) -> None:
        """End the connection. No append may be under way."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _exchange(self, batch: Sequence[Request]) -> None:
        """Send what has gathered and wait for what became of it."""
        failure: LedgerError = _lost()
        try:
            outcomes = self._ask([item.draft for item in batch])
            for item, outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, LedgerError):
                    item.error = outcome
                else:
                    item.receipt = outcome
        except LedgerError as error:
            failure = error
        finally:
            for item in batch:
                if item.receipt is None and item.error is None:  # an error for each thread
                    item.error = LedgerUnavailable(failure.message, remedy=failure.remedy)

    def _ask(self, drafts: Sequence[Draft]) -> list[Receipt | LedgerError]:
        connection = self._connected()
        whole = False
        try:
            send(connection, request(drafts))
            payload = receive(connection)
            if payload is None:
                raise _lost()
            outcomes = outcomes_of(payload, count=len(drafts))
            whole = True
        except OSError:
            raise _lost() from None
        finally:
            if not whole:  # also after an interrupt: the reply that is still to come is not that of the next request
                self.close()
        return outcomes

    def _connected(self) -> socket.socket:
        if self._connection is not None and _has_ended(self._connection):
            self.close()  # nothing was sent yet, so nothing is in doubt
        if self._connection is None:
            try:
                self._connection = _connect(self._path)
            except OSError:
                raise LedgerUnavailable(
                    "The process that writes the ledger cannot be reached, so nothing was done.",
                    remedy="Start the service (./vouch up); then try again.",
                ) from None
        return self._connection


def is_listening(path: Path) -> bool:
    """Say whether a process takes appends at this socket."""
    try:
        _connect(path).close()
    except (OSError, LedgerError):
        return False
    return True


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(_REPLY_S)
        with short_name(path) as name:
            connection.connect(name)
        if not is_ours(connection):
            raise LedgerUnavailable(
                "The ledger's socket belongs to another account, so nothing was done.",
                remedy="Run this command under the account of the service.",
            )
    except BaseException:
        connection.close()
        raise
    return connection


def _has_ended(connection: socket.socket) -> bool:
    """Whether the other end is gone, or has said something that nobody asked for."""
    waiting = select.poll()
    waiting.register(connection, select.POLLIN)
    return bool(waiting.poll(0))


def _lost() -> LedgerUnavailable:
    return LedgerUnavailable(
        "The connection to the process that writes the ledger was lost; the event may not have been recorded.",
        remedy="Start the service again (./vouch up), see whether the entry is there, and try again where it is not.",
    )
