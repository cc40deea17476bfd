"""One answer's whole story, read from the ledger itself: asked, answered, on what evidence, with which verdicts."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from sqlalchemy import Engine

from app.errors import NotFound, Pruned
from app.ledger.examine import answer_entries
from app.ledger.facts import answer_of, documents_of, domain_of, verdicts_of
from app.ledger.reading import Entry, LedgerReader
from app.ledger.vault import Vault

__all__ = ["story"]


def story(reader: LedgerReader, database: Engine, vault: Vault, *, answer_id: str) -> dict[str, Any]:
    """Return what the ledger says of an answer.

    Returns:
        The ``entries`` in order; its ``domain``, ``verdicts`` and ``documents``; ``state``: ``open`` until there is an
        outcome, then that; ``content``: whether what opens its commitments is ``kept`` or ``gone``; ``receipt``: where
        the outcome stands in the tree as it is now (the one that was given names an earlier tree).

    Raises:
        NotFound: the ledger knows no such answer.
        LedgerUnavailable, LedgerCorrupt: it cannot be read.
    """
    found, pruned = [], []
    for seq in answer_entries(database, answer_id):
        try:
            entry = reader.get(seq)
        except Pruned:
            pruned.append(seq)
            continue
        if answer_of(entry.event) == answer_id:  # the copy only says where to look
            found.append(entry)
    if not found and not pruned:
        raise NotFound(
            "The ledger knows no such answer.", remedy="Take the id from an answer, or search /v1/audit/search."
        )
    closed_by = {entry.event.closes: entry for entry in found if entry.event.closes is not None}
    intents = [entry for entry in found if entry.event.action.endswith(".intent")]
    if len(intents) == 1 and intents[0].seq not in closed_by:  # closed at a start: such an outcome knows no answer
        found += reader.find(closes=intents[0].seq, limit=1)
    outcomes = [entry for entry in found if entry.event.closes is not None]
    verdicts: Counter[str] = Counter()
    for entry in found:
        verdicts.update(verdicts_of(entry.event))
    return {
        "answer_id": answer_id,
        "state": outcomes[-1].event.outcome if outcomes else "open",
        "domain": next((name for entry in reversed(found) if (name := domain_of(entry.event))), None),
        "verdicts": dict(verdicts),
        "documents": [asdict(use) for entry in found for use in documents_of(entry.event)],
        "content": "kept" if vault.holds(answer_id) else "gone",
        "receipt": _receipt(reader, outcomes[-1]) if outcomes else None,
        "pruned": pruned,
        "entries": [{"entry": entry.seq, "leaf": entry.leaf, **asdict(entry.event)} for entry in found],
    }


def _receipt(reader: LedgerReader, entry: Entry) -> dict[str, Any]:
    size = reader.size
    return {
        "entry": entry.seq,
        "leaf": entry.leaf,
        "time": entry.event.time,
        "size": size,
        "root": reader.root_at(size),
    }
