"""Gives events their place: the next number, the time, the leaf in the tree. Only computes: nothing is durable yet.

The events of one transaction share their time, and the root of the tree after the last of them: a root for each would
cost more than the rest of its hashing. Their receipts name that root and its size.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from app.answering.types import Receipt
from app.errors import LedgerError
from app.ledger.canonical import encoded
from app.ledger.clock import Reading
from app.ledger.event import Draft
from app.ledger.merkle import CompactRange, leaf_hash

__all__ = ["INTENT", "Request", "Row", "Tip", "sequence"]

INTENT: Final = ".intent"
"""How the action of an event ends that a later one has to close."""
_ID_BYTES: Final = 16


class Row(NamedTuple):
    """A row of the entries' table, in the order of its columns."""

    seq: int
    body: bytes
    leaf: bytes
    peak: bytes | None
    root: bytes | None
    action: str
    closes: int | None


@dataclass(slots=True)
class Tip:
    """Where the tree ends, and which intents nothing has closed yet."""

    tree: CompactRange = field(default_factory=CompactRange)
    open: set[int] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Request:
    """An event to append and, once it was somebody's turn, what became of it: exactly one of receipt and error."""

    draft: Draft
    receipt: Receipt | None = None
    error: LedgerError | None = None


@dataclass(slots=True)
class _Changes:
    """What a batch does to the open intents, apart from them until it is durable."""

    opened: set[int] = field(default_factory=set)
    closed: set[int] = field(default_factory=set)


class Sequenced(NamedTuple):
    """A batch with its places: rows to write, the receipts to hand out after that, and the tip after that."""

    rows: list[Row]
    receipts: list[tuple[Request, Receipt]]
    tree: CompactRange
    changes: _Changes

    def settle(self, tip: Tip) -> None:
        """Move the tip on and hand out the receipts; only once the rows are durable."""
        tip.tree = self.tree
        tip.open |= self.changes.opened
        tip.open -= self.changes.closed
        for request, receipt in self.receipts:
            request.receipt = receipt


def sequence(tip: Tip, requests: Sequence[Request], now: Reading) -> Sequenced:
    """Place a batch after the tip, which stays as it is; an event that breaks a rule gets its error, others go on."""
    tree, changes, rows, accepted = tip.tree.copy(), _Changes(), [], []
    clock = encoded(now.state.fields())
    ids = os.urandom(_ID_BYTES * len(requests)).hex()
    for number, request in enumerate(requests):
        draft, seq = request.draft, tree.size
        start = 2 * _ID_BYTES * number
        try:
            if draft.closes is not None:
                _check_open(draft.closes, tip, changes)
            body = draft.at(seq, id=ids[start : start + 2 * _ID_BYTES], time=now.time, clock=clock)
        except LedgerError as error:  # the fault of this event alone
            request.error = error
            continue
        leaf = leaf_hash(body)
        tree.append(leaf)
        if draft.action.endswith(INTENT):
            changes.opened.add(seq)
        if draft.closes is not None:
            changes.closed.add(draft.closes)
        rows.append(Row(seq, body, leaf, tree.last_peak, None, draft.action, draft.closes))
        accepted.append(request)
    if not rows:
        return Sequenced([], [], tree, changes)
    root = tree.root()
    rows[-1] = rows[-1]._replace(root=root)
    end: dict[str, Any] = {"size": tree.size, "root": root.hex(), "time": now.time}
    receipts = [
        (request, Receipt(entry=row.seq, leaf=row.leaf.hex(), **end))
        for request, row in zip(accepted, rows, strict=True)
    ]
    return Sequenced(rows, receipts, tree, changes)


def _check_open(intent: int, tip: Tip, changes: _Changes) -> None:
    if intent in changes.closed or not (intent in tip.open or intent in changes.opened):
        raise LedgerError(f"Entry {intent} is no open intent.", remedy="Report this: it is a fault in the program.")
