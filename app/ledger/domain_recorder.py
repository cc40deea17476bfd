"""The part of the ledger that a domain plugin may write: events under its own name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.identity.principal import Principal, Role
from app.ledger.sink import AuditSink

__all__ = ["DomainRecorder"]


class DomainRecorder:
    """Adds events whose action begins with the domain's name, so that no plugin can speak for another part."""

    def __init__(self, domain: str, ledger: AuditSink) -> None:
        self._domain = domain
        self._ledger = ledger
        self._self = Principal(subject=f"domain:{domain}", role=Role.READER, method="plugin")

    def record(self, action: str, *, actor: Any, body: Mapping[str, Any], outcome: str = "ok") -> int:
        """Make an event durable; see `domains.contract.Recorder`.

        Raises:
            LedgerUnavailable: it may not have been recorded; what it was to record must not happen.
            LedgerError: the event breaks a rule.
        """
        who = actor if isinstance(actor, Principal) else self._self
        return self._ledger.append(f"{self._domain}.{action}", actor=who, body=body, outcome=outcome).entry
