"""Proofs of single entries, for whoever holds one: as JSON, and in the text form of c2sp.org/tlog-proof.

The JSON has the fields of an answer's receipt, and `event`, the canonical JSON whose hash is the leaf. It stands alone:
``python verifier.py receipt FILE --key KEY`` needs nothing else.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Engine

from app.answering.types import Receipt
from app.errors import NotFound
from app.ledger.checkpoint_signer import with_proof
from app.ledger.note import Note
from app.ledger.proving import Prover
from app.ledger.reading import Entry, LedgerReader

__all__ = ["outcome_of", "prove", "tlog_proof"]

_PAGE = 500


def prove(engine: Engine, what: str, *, checkpoint: Callable[[int], Note]) -> dict[str, Any]:
    """Return the proof of an entry.

    Args:
        engine: The ledger's store.
        what: The number of an entry, or the id of an answer, which means the entry of its outcome.
        checkpoint: Gives a signed checkpoint that contains an entry.

    Raises:
        NotFound: there is no such entry, answer or checkpoint.
        Pruned: its body went as the retention policy says.
        LedgerError: the ledger cannot be read, or the entry is not in the signed tree.
    """
    reader = LedgerReader(engine)
    entry = (
        reader.get(int(what)) if what.isascii() and what.isdecimal() and len(what) < 16 else outcome_of(reader, what)
    )
    bare = Receipt(entry=entry.seq, leaf=entry.leaf, size=0, root="", time=entry.event.time)
    receipt = with_proof(bare, checkpoint(entry.seq), Prover(engine))
    return receipt.model_dump(mode="json") | {"event": entry.body.decode("utf-8")}


def tlog_proof(proof: Mapping[str, Any]) -> str:
    """Return a proof in the text form of the standard."""
    hashes = [base64.b64encode(bytes.fromhex(item)).decode("ascii") for item in proof["proof"]]
    return "\n".join(["c2sp.org/tlog-proof@v1", f"index {proof['entry']}", *hashes, "", proof["checkpoint"]])


def outcome_of(reader: LedgerReader, answer_id: str) -> Entry:
    """Return the outcome of an answer.

    Raises:
        NotFound: the ledger has none of that id.
    """
    start = 0
    while found := reader.find(action="answer.outcome", start=start, limit=_PAGE):
        for entry in found:
            if entry.event.body.get("answer_id") == answer_id:
                return entry
        start = found[-1].seq + 1
    raise NotFound(
        f"The ledger has no answer {answer_id[:64]!r}.",
        remedy="Give the `id` of an answer, or the `entry` of a receipt.",
    )
