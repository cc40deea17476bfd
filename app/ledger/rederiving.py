"""Re-derives a ledger's tree from raw rows and holds every hash, number and search column against them.

A row is the tuple (seq, body, leaf, peak, root, action, closes) as it lies in the store, of whatever types: nothing of
it is trusted. Each is checked in the order of the ledger, so the first wrong entry is the one that is named:

    seq     is the number of rows before it: nothing is missing, nothing stands in between
    body    hashes to the leaf, and is an event of this number, action and closed intent; gone where it was pruned
    peak    the root of the largest perfect subtree that ends here
    root    of the tree that ends here, where a transaction ended here
    known   the roots, by size of tree, of receipts that were kept elsewhere

It can begin anywhere with the tree of the entries before, which makes it the same check for a range as for the whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from app.errors import LedgerCorrupt
from app.ledger.merkle import CompactRange, leaf_hash

__all__ = ["PRUNE_INTENT", "Rederivation", "VerifyReport", "corrupt"]

PRUNE_INTENT: Final = "ledger.prune.intent"
"""The event that a pruning writes first; its body's `minimum` is the index below which the bodies go."""

_HASH_BYTES: Final = 32

Rows = Iterable[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a verification that found nothing wrong went through: `size` entries, whose root is `root`.

    Of those below `minimum`, which were pruned, the hashes were verified, and that an entry says that they were pruned.
    """

    size: int
    root: str
    minimum: int = 0


@dataclass(slots=True)
class Rederivation:
    """How far a verification is: the tree of the entries that were checked, and what has to be said at the end.

    `minimum` reads the minimum index from the store, which may rise meanwhile; `lowest` is what it was when it was
    last read, and `stated` the largest one that an entry speaks of.
    """

    minimum: Callable[[], int]
    known: dict[int, str] = field(default_factory=dict)
    tree: CompactRange = field(default_factory=CompactRange)
    stated: int = 0
    lowest: int = field(init=False)

    def __post_init__(self) -> None:
        self.lowest = self.minimum()

    def take(self, rows: Rows) -> None:
        """Check the entries that come next.

        Raises:
            LedgerCorrupt: names the first entry that is wrong.
        """
        tree, known, lowest = self.tree, self.known, self.lowest
        size = tree.size
        for seq, body, leaf, peak, root, action, closes in rows:
            if seq != size:
                raise corrupt(f"Entry {size} is missing." if seq > size else f"There is an entry {seq}.")
            if body is None and seq >= lowest:
                lowest = self.lowest = self.minimum()  # it may have risen since
            if seq < lowest:
                _check_pruned(seq, body, leaf)
            else:
                if type(body) is not bytes or leaf_hash(body) != leaf:
                    raise corrupt(f"Entry {seq} does not hash to the leaf that was recorded for it.")
                try:
                    said = orjson.loads(body)
                    fits = said["seq"] == seq and said["action"] == action and said["closes"] == closes
                except (ValueError, TypeError, KeyError):
                    fits = False
                if not fits:
                    raise corrupt(f"Entry {seq} is not the event that stands in its place.")
                if action == PRUNE_INTENT:
                    self.stated = max(self.stated, _stated_minimum(body))
            if tree.append(leaf) != peak or (root is not None and root != tree.root()):
                raise corrupt(f"The root recorded after entry {seq} is not that of the entries up to it.")
            size += 1
            if size in known and known.pop(size) != tree.root().hex():
                raise corrupt(f"Entry {seq}, or one before it, is not the one that a receipt was given for.")

    def report(self) -> VerifyReport:
        """Say what was found, after the last entry.

        Raises:
            LedgerCorrupt: a receipt is of a longer ledger, or bodies are gone without an entry that says so.
        """
        size = self.tree.size
        if beyond := [known for known in self.known if known > size]:
            raise corrupt(f"Entry {size} is missing: a receipt was given for {max(beyond)} entries.")
        if self.lowest > self.stated:  # less is a pruning that was interrupted, and goes on with the next
            problem = (
                f"The bodies of the entries below {self.lowest} are gone, and no entry says that they were pruned."
            )
            raise corrupt(problem)
        return VerifyReport(size=size, root=self.tree.root().hex(), minimum=self.lowest)


def corrupt(problem: str) -> LedgerCorrupt:
    """Say what is wrong with the store, and what to do."""
    return LedgerCorrupt(
        problem,
        remedy="Stop the service, keep the store as evidence, restore the last good copy and verify it with receipts.",
    )


def _check_pruned(seq: int, body: object, leaf: object) -> None:
    if body is not None or type(leaf) is not bytes or len(leaf) != _HASH_BYTES:
        raise corrupt(f"Entry {seq} was pruned, but has a body, or has no hash.")


def _stated_minimum(body: bytes) -> int:
    try:
        return int(json.loads(body)["body"]["minimum"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return 0
