"""A small record to examine: a ledger with answers of several people, its copy and its vault, on real stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from app.answering.record import stated
from app.identity.principal import OPERATOR, Principal, Role
from app.ledger.copying import LedgerCopy
from app.ledger.examination import Examination
from app.ledger.log import Ledger
from app.ledger.vault import Vault

__all__ = ["DIGEST", "FILE", "Record", "person"]

DIGEST = "ab" * 32
FILE = "cd" * 32


def person(name: str, role: Role = Role.READER) -> Principal:
    return Principal(subject=name, role=role, method="key")


@dataclass
class Record:
    """A ledger whose clock goes one day with each answer."""

    ledger_engine: Engine
    database: Engine
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    answers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.ledger_engine, clock=lambda: self.now)
        self.vault = Vault(self.database, b"s" * 32)
        self.copy = LedgerCopy(self.database, self.ledger)
        self.examination = Examination(self.ledger, self.copy, self.vault, self.ledger)

    def add_document(self, document: str = "d1", digest: str = FILE) -> int:
        intent = self.ledger.append("document.add.intent", actor=OPERATOR, body={"label": "internal"})
        body = {"document": document, "sha256": digest, "label": "internal"}
        return self.ledger.append("document.add.outcome", actor=OPERATOR, body=body, closes=intent.entry).entry

    def ask(
        self,
        who: str = "alice",
        *,
        domain: str = "general",
        verdicts: Sequence[str] = ("supported",),
        document: str = "d1",
        digest: str = DIGEST,
        outcome: str = "ok",
        answer_id: str | None = None,
    ) -> int:
        """Record an answer as the pipeline does; return the entry of its outcome."""
        name = answer_id or f"{len(self.answers):032x}"
        self.answers.append(name)
        asker = person(who)
        made = self.vault.seal(who, name, {"question": f"CANARY of {who}?"})
        body: dict[str, Any] = {"answer_id": name, "question": made["question"], "domain_asked": None}
        intent = self.ledger.append("answer.intent", actor=asker, body=body)
        texts = {f"claim.{number}": f"CANARY {number}" for number in range(len(verdicts))} | {"answer": "CANARY"}
        made = self.vault.seal(who, name, texts)
        body = {
            "answer_id": name,
            "domain": domain,
            "retention_days": 183,
            "evidence": [{"id": "1", "document_id": document, "digest": digest, "page": 1}],
            "claims": [{"verdict": word, "commitment": made[f"claim.{n}"]} for n, word in enumerate(verdicts)],
            "answer": made["answer"],
        }
        assert stated(body) == made
        end = self.ledger.append("answer.outcome", actor=asker, body=body, outcome=outcome, closes=intent.entry)
        self.now += timedelta(days=1)
        return end.entry
