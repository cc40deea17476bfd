"""Lets the oldest entries go when all were kept as long as the policy asks, by the minimum index of C2SP tlog-tiles.

What goes is the longest beginning of the ledger whose entries are all past their retention, and that leaves no intent
without its outcome. Their bodies go; leaf hashes, peaks and roots stay, so the tree is the same, and each proof of a
kept entry holds. An entry under the rule of 20 years keeps everything after it: an index has one minimum.

The order: the intent is recorded, then the sealed content of the answers goes, then the bodies, a few thousand at a
time so that writers do not wait, then the outcome is recorded. Interrupted anywhere, the next pruning goes on.

Not covered:
    Copies: exports, backups and receipts that left the installation. On PostgreSQL, rows until the next VACUUM.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import Engine, select, update
from sqlalchemy.exc import SQLAlchemyError

from app.errors import BadRequest, LedgerError, LedgerUnavailable
from app.identity.principal import Principal
from app.ledger.event import LedgerEvent
from app.ledger.facts import answer_of, domain_of, promise_of
from app.ledger.reading import PRUNE_INTENT, LedgerReader
from app.ledger.retention import Policy, Rule, expired
from app.ledger.schema import entries, meta
from app.ledger.sink import AuditSink
from app.ledger.vault import Vault

__all__ = ["Plan", "plan", "prune"]

_CHUNK: Final = 2000
_log = structlog.get_logger()


@dataclass(slots=True)
class Plan:
    """What would go: the entries from `start` up to `minimum`, by rule; and why it ends there."""

    start: int
    minimum: int
    rules: Counter[Rule] = field(default_factory=Counter)
    answers: list[str] = field(default_factory=list)
    ends: str = "the end of the ledger"

    @property
    def entries(self) -> int:
        """How many entries would go."""
        return self.minimum - self.start

    def body(self) -> dict[str, Any]:
        """Return what the ledger keeps of it."""
        rules = [
            {"name": rule.name, "days": rule.days, "source": rule.source, "entries": count}
            for rule, count in sorted(self.rules.items(), key=lambda item: (item[0].name, item[0].days))
        ]
        return {"start": self.start, "minimum": self.minimum, "rules": rules[:100]}


def plan(reader: LedgerReader, policy: Policy, *, now: datetime) -> Plan:
    """Find the longest beginning of the ledger that may go."""
    made = Plan(start=reader.minimum, minimum=reader.minimum)
    if not policy:
        made.ends = "no policy is stated (setting retention_days), so everything is kept"
        return made
    waiting: dict[int, LedgerEvent] = {}  # intents whose outcome is still to come
    rules: Counter[Rule] = Counter()
    answers: list[str] = []
    for event in _events(reader):
        if event.action.endswith(".intent"):
            waiting[event.seq] = event
            continue
        intent = waiting.pop(event.closes, None) if event.closes is not None else None
        group = [event] if intent is None else [intent, event]
        domain = domain_of(event) or (domain_of(intent) if intent else None)
        rule = policy.rule_for(domain, promise_of(event))
        kept = next((item for item in group if rule is None or not expired(item, rule, now=now)), None)
        if rule is None or kept is not None:
            made.ends = f"entry {(kept or event).seq} ({event.action}), which is kept: " + (
                f"{rule.days} days, {rule.source}" if rule else "the policy has no rule for it, not even '*'"
            )
            break
        rules[rule] += len(group)
        answers += [answer for item in group if (answer := answer_of(item))]
        if not waiting:
            made.minimum = event.seq + 1
            made.rules, made.answers = rules.copy(), sorted({*answers})
    else:
        if waiting:
            made.ends = f"entry {min(waiting)}, an intent that nothing has closed"
    return made


def prune(made: Plan, engine: Engine, sink: AuditSink, *, vault: Vault, actor: Principal, batch: int = _CHUNK) -> int:
    """Do what a plan says; return how many sealed texts went with it.

    Raises:
        BadRequest: there is nothing to prune.
        LedgerUnavailable: it was not done, or not to its end; do it again.
        VaultUnavailable: the same, for the sealed content.
    """
    if not made.entries:
        raise BadRequest(f"Nothing can be pruned: {made.ends}.", remedy="See docs/examination.md on retention.")
    intent = sink.append(PRUNE_INTENT, actor=actor, body=made.body())
    try:
        texts = vault.discard(made.answers)
        _remove(engine, made, batch)
    except LedgerError as error:
        failed = {"error": error.code}
        sink.append("ledger.prune.outcome", actor=actor, body=failed, outcome="error", closes=intent.entry)
        raise
    done = {"minimum": made.minimum, "entries": made.entries, "texts": texts}
    sink.append("ledger.prune.outcome", actor=actor, body=done, closes=intent.entry)
    _log.info("ledger.pruned", minimum=made.minimum, entries=made.entries)
    return texts


def _events(reader: LedgerReader) -> Iterator[LedgerEvent]:
    start, last = reader.minimum, reader.size
    while start < last:
        found = reader.entries(start, min(_CHUNK, last - start))
        if not found:
            return
        for entry in found:
            yield entry.event
        start = found[-1].seq + 1


def _remove(engine: Engine, made: Plan, batch: int) -> None:
    try:
        with engine.connect() as connection:
            sqlite = connection.dialect.name == "sqlite"
            if sqlite:
                connection.exec_driver_sql("PRAGMA secure_delete=ON")
                connection.rollback()
            for upto in [*range(made.start + batch, made.minimum, batch), made.minimum]:
                with connection.begin():
                    if sqlite:
                        connection.exec_driver_sql("BEGIN IMMEDIATE")
                    connection.execute(update(meta).where(meta.c.name == "minimum").values(value=str(upto)))
                    gone = entries.c.seq.in_(
                        select(entries.c.seq).where(entries.c.seq >= upto - batch, entries.c.seq < upto)
                    )
                    connection.execute(update(entries).where(gone).values(body=None))
            if sqlite:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").close()
    except SQLAlchemyError as error:
        _log.error("ledger.prune_failed", error=type(error.__cause__ or error).__name__)
        raise LedgerUnavailable(
            "The entries could not be pruned to the end.", remedy="Check the ledger's disk or server, then prune again."
        ) from None
