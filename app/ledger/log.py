"""The ledger: an append-only, durable log of events whose order and content one root commits to.

Concurrent appenders are committed together: the cost of an append is the flush to disk, and a transaction pays it once
for all events that gathered during the last one.

Not covered:
    A hash tree on the operator's own disk proves nothing against that operator, who can compute another one. It shows
    damage and careless tampering; against the operator, only a root that has left his reach counts (a receipt that was
    handed out, later a signed checkpoint).
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

import structlog
from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import SQLAlchemyError

from app.answering.types import Receipt
from app.errors import LedgerError, LedgerUnavailable, StartFailed
from app.identity.principal import Principal
from app.ledger.event import Actor, LedgerEvent
from app.ledger.gathering import Gathering
from app.ledger.merkle import CompactRange, leaf_hash
from app.ledger.reading import LedgerReader, VerifyReport, load_tree
from app.ledger.schema import entries, prepare
from app.ledger.writer import ExclusiveWriter

__all__ = ["Ledger"]

_INTENT: Final = ".intent"
_BATCH: Final = 512
"""Most events in a transaction; bounds how long the first of a batch waits for the last."""

_log = structlog.get_logger()


@dataclass(slots=True)
class _Tip:
    """Where the tree ends, and which intents nothing has closed yet."""

    tree: CompactRange = field(default_factory=CompactRange)
    open: set[int] = field(default_factory=set)

    def copy(self) -> _Tip:
        return _Tip(self.tree.copy(), set(self.open))


@dataclass(slots=True)
class _Request:
    """One call of `append` and, once it was somebody's turn, what became of it."""

    action: str
    actor: Actor
    body: Mapping[str, Any]
    outcome: str
    closes: int | None
    receipt: Receipt | None = None
    error: LedgerError | None = None

    @property
    def done(self) -> bool:
        return self.receipt is not None or self.error is not None


class Ledger(LedgerReader):
    """The one writer of a ledger. Implements `AuditSink`; reads as `LedgerReader` does."""

    def __init__(self, engine: Engine, *, clock: Callable[[], datetime] = lambda: datetime.now(tz=UTC)) -> None:
        """Open the ledger for writing, and make it where there is none.

        Raises:
            StartFailed: another process writes it, its format is not known, or it cannot be written.
            LedgerCorrupt: its stored tree does not fit together.
        """
        self._clock = clock
        self._turn = threading.Lock()  # held by whoever uses the writing connection
        self._gathering = Gathering(self._commit, most=_BATCH)
        self._tip = _Tip()
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
        """Number of durable entries."""
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
        request = _Request(action, Actor(subject=actor.subject, method=actor.method), body, outcome, closes)
        self._gathering.submit(request)
        if request.receipt is None:
            raise request.error or _unavailable()
        return request.receipt

    def close_dangling(self, actor: Principal) -> int:
        """Close each intent that nothing closed with an outcome event of outcome "unknown"; return how many there were.

        For the start, before the first request: an intent of a request that is under way would be closed too.
        """
        dangling = sorted(self._durable().open)
        for seq in dangling:
            action = self.get(seq).event.action.removesuffix(_INTENT) + ".outcome"
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

    def _durable(self) -> _Tip:
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
            self._tip = _Tip(tree, _open_intents(connection))
            connection.rollback()
        except SQLAlchemyError:
            self._writer.drop()
            raise _unavailable() from None
        self._settled = True

    def _commit(self, batch: Sequence[_Request]) -> None:
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
                if not request.done:  # an error for each: a raised one carries the traceback of its thread
                    request.error = type(failure)(failure.message, remedy=failure.remedy)

    def _record(self, batch: Sequence[_Request]) -> None:
        tip, rows, accepted = self._tip.copy(), [], []
        for request in batch:
            try:
                row, receipt = self._extend(tip, request)
            except LedgerError as error:  # the fault of this event alone
                request.error = error
            else:
                rows.append(row)
                accepted.append((request, receipt))
        if rows:
            self._settled = False  # until the commit has returned, nobody knows whether it took place
            self._write(rows)
            self._tip = tip
            self._settled = True
        for request, receipt in accepted:
            request.receipt = receipt

    def _extend(self, tip: _Tip, request: _Request) -> tuple[dict[str, Any], Receipt]:
        seq = tip.tree.size
        if request.closes is not None and request.closes not in tip.open:
            raise LedgerError(
                f"Entry {request.closes} is no open intent.", remedy="Report this: it is a fault in the program."
            )
        event = LedgerEvent(
            seq=seq,
            id=uuid.uuid4().hex,
            time=self._clock().astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            action=request.action,
            actor=request.actor,
            outcome=request.outcome,
            body=request.body,
            closes=request.closes,
        )
        body = event.canonical()
        leaf = leaf_hash(body)
        tip.tree.append(leaf)
        root = tip.tree.root()
        if event.action.endswith(_INTENT):
            tip.open.add(seq)
        if event.closes is not None:
            tip.open.discard(event.closes)
        row = {"seq": seq, "body": body, "leaf": leaf, "peak": tip.tree.peaks[-1], "root": root}
        row |= {"action": event.action, "closes": event.closes}
        return row, Receipt(entry=seq, leaf=leaf.hex(), size=seq + 1, root=root.hex(), time=event.time)

    def _write(self, rows: Sequence[dict[str, Any]]) -> None:
        connection = self._writer.connection()
        try:
            with connection.begin():
                connection.execute(insert(entries), rows)
        except SQLAlchemyError as error:
            _log.error("ledger.write_failed", error=type(error.__cause__ or error).__name__, events=len(rows))
            self._writer.drop()
            raise _unavailable() from None
        except BaseException:
            self._writer.drop()
            raise


def _open_intents(connection: Connection) -> set[int]:
    closing = entries.alias()
    unclosed = ~select(closing.c.seq).where(closing.c.closes == entries.c.seq).exists()
    return set(connection.scalars(select(entries.c.seq).where(entries.c.action.endswith(_INTENT), unclosed)))


def _unavailable() -> LedgerUnavailable:
    return LedgerUnavailable(
        "The record cannot be written, so nothing was done.",
        remedy="Free space on the ledger's disk or bring its database back; then try again.",
    )


def _cannot_open() -> StartFailed:
    return StartFailed(
        "The ledger cannot be opened for writing.", remedy="Check VOUCH_LEDGER_URL, the disk and its free space."
    )
