"""What the rest of the service knows of the ledger: one method that returns when the record is durable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from app.answering.types import Receipt
from app.identity.principal import Principal

__all__ = ["AuditSink"]


class AuditSink(Protocol):
    """A place that keeps events, in order, for good."""

    def append(
        self,
        action: str,
        *,
        actor: Principal,
        body: Mapping[str, Any],
        outcome: str = "ok",
        closes: int | None = None,
    ) -> Receipt:
        """Record an event and return only when it is durable. May be called from many threads.

        Args:
            action: Dotted lower-case name. A name that ends in ``.intent`` opens something that a later event has to
                close.
            actor: Who did it; `subject` and `method` are recorded.
            body: Digests, ids, versions and counts as plain JSON; never content.
            outcome: What came of it, as a lower-case code.
            closes: Entry of the open intent that this event ends; each intent is closed once.

        Raises:
            LedgerUnavailable: the event may not have been recorded; what it was to record must not happen.
            LedgerError: the event itself breaks a rule (see `LedgerEvent`) or closes what is not open.
        """
        ...
