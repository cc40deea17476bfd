"""What the body of an entry says of an answer, a domain, its documents and its verdicts.

Bodies are written by many parts of the service, by plugins, and by versions before this one: what is not there, or is
of another kind than expected, is simply not known. Nothing here raises.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.ledger.event import LedgerEvent

__all__ = ["DocumentUse", "answer_of", "documents_of", "domain_of", "promise_of", "verdicts_of"]

_PARTS: Final = frozenset(
    {
        *("admin", "answer", "ask", "audit", "checkpoint", "content", "document", "key", "ledger", "read"),
        *("service", "subject", "user", "witness", "write"),
    }
)
"""First words of actions that belong to the service itself; another first word is the name of a domain."""


@dataclass(frozen=True, slots=True)
class DocumentUse:
    """A document in an entry: `digest` is the SHA-256 of the passage that was used, or of the file that was added."""

    document_id: str
    digest: str
    role: str


def domain_of(event: LedgerEvent) -> str | None:
    """Return the domain of an entry: that of the answer, or that of the plugin which recorded it."""
    for name in ("domain", "domain_asked"):
        if found := _word(event.body.get(name)):
            return found
    first = event.action.partition(".")[0]
    return None if first in _PARTS else first


def answer_of(event: LedgerEvent) -> str | None:
    """Return the id of the answer that an entry belongs to."""
    return _word(event.body.get("answer_id"))


def promise_of(event: LedgerEvent) -> int | None:
    """Return the days that the domain promised to keep the entry."""
    days = event.body.get("retention_days")
    return days if type(days) is int and days >= 0 else None


def documents_of(event: LedgerEvent) -> tuple[DocumentUse, ...]:
    """Return the documents that an entry names, in its order."""
    if event.action == "document.add.outcome":
        document, digest = _word(event.body.get("document")), _word(event.body.get("sha256"))
        return (DocumentUse(document, digest, "added"),) if document and digest else ()
    found = []
    for item in _listed(event.body.get("evidence")):
        document, digest = _word(item.get("document_id")), _word(item.get("digest"))
        if document and digest:
            found.append(DocumentUse(document, digest, "evidence"))
    return tuple(found)


def verdicts_of(event: LedgerEvent) -> dict[str, int]:
    """Return how many claims of an entry had which verdict."""
    verdicts = (_word(item.get("verdict")) for item in _listed(event.body.get("claims")))
    return dict(Counter(verdict[:64] for verdict in verdicts if verdict))


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _listed(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
