"""Opens what an entry commits to: gives text and salt, so that an auditor can check that this text is what it pins.

A person may open their own content, an administrator anyone's; a role without questions of its own (the auditor) has no
way to content. Every opening, and every refusal, is recorded before anything is given.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from app.answering.record import stated
from app.errors import NotFound
from app.identity.principal import Permission, Principal
from app.ledger.facts import answer_of
from app.ledger.reading import LedgerReader, corrupt
from app.ledger.sink import AuditSink
from app.ledger.vault import Vault

__all__ = ["OPEN", "open_entry"]

OPEN: Final = "content.open"


def open_entry(reader: LedgerReader, vault: Vault, sink: AuditSink, *, seq: int, caller: Principal) -> dict[str, Any]:
    """Return the texts and salts that open the commitments of an entry.

    Returns:
        ``texts`` by name, each with its ``commitment``, ``text`` and ``salt``; ``gone`` names commitments whose content
        was erased or pruned.

    Raises:
        NotFound: there is no such entry, it commits to no content, or it is another person's, and the caller is no
            administrator.
        Pruned: the entry went as the retention policy says.
        LedgerCorrupt: the kept content is not what the entry commits to.
        LedgerUnavailable, VaultUnavailable: it cannot be recorded or read; nothing was given.
    """
    event = reader.get(seq).event
    commitments, answer = stated(event.body), answer_of(event)
    allowed = event.actor.subject == caller.subject or caller.may(Permission.ADMIN)
    if not allowed or not commitments or answer is None:
        sink.append(OPEN, actor=caller, body={"entry": seq}, outcome="nothing" if allowed else "denied")
        raise NotFound(
            f"Entry {seq} commits to no content of yours.", remedy="Name `entry` of a receipt, or the intent before it."
        )
    openings = vault.open(event.actor.subject, answer)
    found = {name: opening for name, opening in openings.items() if name in commitments}
    for name, opening in found.items():
        if not opening.opens(commitments[name]):
            raise corrupt(f"The kept text of {name!r} is not the one that entry {seq} commits to.")
    gone = sorted(commitments.keys() - found.keys())
    body = {"entry": seq, "answer_id": answer, "subject": event.actor.subject, "texts": len(found), "gone": len(gone)}
    sink.append(OPEN, actor=caller, body=body)
    texts = {name: {"commitment": commitments[name], **asdict(opening)} for name, opening in found.items()}
    return {"entry": seq, "answer_id": answer, "subject": event.actor.subject, "texts": texts, "gone": gone}
