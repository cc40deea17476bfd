"""The ledger: an append-only, durable log of events whose order and content one root commits to.

Concurrent appenders are committed together: the cost of an append is the flush to disk, and a transaction pays it once
for all events that gathered during the last one. What does not depend on an event's place, its checks and nearly all
of its bytes, is done before it waits for its turn.

The states of an entry have the names that Tessera gave them. It is *sequenced* when it has its number and *integrated*
when it is durable and part of the tree: both before `append` returns, and `Ledger.size` counts them. It is *published*
when a signed checkpoint that covers it has left the process (`app.ledger.publishing`).

Not covered:
    A hash tree on the operator's own disk proves nothing against that operator, who can compute another one. It shows
    damage and careless tampering; against the operator, only a root that has left his reach counts (a receipt that was
    handed out, a signed checkpoint).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

import structlog
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import SQLAlchemyError

from app.answering.types import Receipt
from app.errors import LedgerError, LedgerUnavailable, StartFailed
from app.identity.principal import Principal
from app.ledger.clock import Clock
from app.ledger.event import Draft
from app.ledger.gathering import Gathering
from app.ledger.reading import LedgerReader, VerifyReport, load_tree
from app.ledger.schema import entries, prepare
from app.ledger.sequencing import INTENT, Request, Tip, sequence
from app.ledger.writer import ExclusiveWriter

__all__ = ["Ledger"]

_BATCH: Final = 512
"""Most events in a transaction; bounds how long the first of a batch waits for the last."""

_log = structlog.get_logger()


class Ledger(LedgerReader):
    """The one writer of a ledger. Implements `AuditSink`; reads as `LedgerReader` does."""

    def __init__(self, engine: Engine, *, clock: Callable[[], datetime] | None = None) -> None:
        """Open the ledger for writing, and make it where there is none.

        Raises:
            StartFailed: another process writes it, its format is not known, or it cannot be written.
            LedgerCorrupt: its stored tree does not fit together.
        """
        self._clock = Clock(clock)
        self._turn = threading.Lock()  # held by whoever uses the writing connection
        self._gathering = Gathering(self._commit, most=_BATCH)
        self._tip = Tip()
        self._settled = False  # whether `_tip` is known to be what is durable
        try:
            self._writer = ExclusiveWriter(engine)
        except SQLAlchemyError:
            raise _cannot_open() from None
        try:
            prepare(self._writer.connection())
            super().__init__(engine)
            self._settle()
        except SQLAlchemyError:
            self._writer.close()
            raise _cannot_open() from None
        except BaseException:
            self._writer.close()
            raise

    @property
    def size(self) -> int:
        """Number of integrated entries: durable, and in the tree."""
        return self._durable().tree.size

    @property
    def root(self) -> str:
        """Root over all durable entries, in hexadecimal."""
        return self._durable().tree.root().hex()

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
        [done] = self.append_together([draft])
        if done.receipt is None:
            raise done.error or _unavailable()
        return done.receipt

    def append_together(self, drafts: Sequence[Draft]) -> list[Request]:
        """Record several events with one wait, in their order; each has its own receipt or error afterwards.

        Those that are refused do not keep the others out.
        """
        requests = [Request(draft) for draft in drafts]
        if requests:
            self._gathering.submit(*requests)
        return requests

    def close_dangling(self, actor: Principal) -> int:
        """Close each intent that nothing closed with an outcome event of outcome "unknown"; return how many there were.

        For the start, before the first request: an intent of a request that is under way would be closed too.
        """
        dangling = sorted(self._durable().open)
        for seq in dangling:
            action = self.get(seq).event.action.removesuffix(INTENT) + ".outcome"
            self.append(action, actor=actor, body={"reason": "interrupted"}, outcome="unknown", closes=seq)
        if dangling:
            _log.warning("ledger.closed_dangling", intents=len(dangling))
        return len(dangling)

    def verify(self, *, known: Iterable[Receipt] = ()) -> VerifyReport:
        """Re-derive the ledger from its raw entries; see `LedgerReader.verify`.

        What this process itself wrote or found at its start is held against the store too, so that a change made
        under a running service is found even where all hashes were made to fit.
        """
        tree = self._durable().tree
        own = Receipt(entry=tree.size - 1, leaf="", size=tree.size, root=tree.root().hex(), time="")
        return super().verify(known=(*known, own))

    def close(self) -> None:
        """Give the right to write back. No append may be under way or come after."""
        with self._turn:
            self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _durable(self) -> Tip:
        if not self._settled:
            with self._turn:
                self._settle()
        return self._tip

    def _settle(self) -> None:
        """Read from the store what is durable, unless that is known. The caller has the turn."""
        if self._settled and self._writer.is_open:  # while it was not, another process may have written
            return
        self._settled = False
        try:
            connection = self._writer.connection()
            tree = load_tree(connection)
            self._tip = Tip(tree, _open_intents(connection))
            connection.rollback()
        except SQLAlchemyError:
            self._writer.drop()
            raise _unavailable() from None
        self._settled = True

    def _commit(self, batch: Sequence[Request]) -> None:
        """Write a batch in one transaction and settle every request of it."""
        failure: LedgerError = _unavailable()
        try:
            with self._turn:
                self._settle()
                self._record(batch)
        except LedgerError as error:
            failure = error
        finally:
            for request in batch:
                if request.receipt is None and request.error is None:
                    # an error for each: a raised one carries the traceback of its thread
                    request.error = type(failure)(failure.message, remedy=failure.remedy)

    def _record(self, batch: Sequence[Request]) -> None:
        sequenced = sequence(self._tip, batch, self._clock.read())
        if sequenced.rows:
            self._settled = False  # until the commit has returned, nobody knows whether it took place
            self._writer.insert(sequenced.rows)
            sequenced.settle(self._tip)
            self._settled = True


def _open_intents(connection: Connection) -> set[int]:
    closing = entries.alias()
    unclosed = ~select(closing.c.seq).where(closing.c.closes == entries.c.seq).exists()
    return set(connection.scalars(select(entries.c.seq).where(entries.c.action.endswith(INTENT), unclosed)))


def _unavailable() -> LedgerUnavailable:
    return LedgerUnavailable(
        "The record cannot be written, so nothing was done.",
        remedy="Free space on the ledger's disk or bring its database back; then try again.",
    )


def _cannot_open() -> StartFailed:
    return StartFailed(
        "The ledger cannot be opened for writing.", remedy="Check VOUCH_LEDGER_URL, the disk and its free space."
    )
