"""Makes proofs from the hashes that stand beside the entries, without reading the entries.

Beside entry i stand its leaf hash and its peak, the root of the largest perfect subtree that ends at it (`schema`). A
subtree of 2^k leaves that is the LEFT child of its parent is the largest one that ends there, so its root is stored.
A RIGHT child's is not, and is made from its own two halves: the left half is stored, and the right one is a right
child again, down to a leaf. A proof has at most log2(n) + 1 hashes, each of at most log2(n) + 1 such reads: O(log^2 n)
rows in one query, whatever the size of the ledger, and none of their bodies, so pruned entries do not matter.

Not covered:
    What is stored is taken as it is: a proof made from damaged hashes does not hold, and whoever checks it says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from app.errors import LedgerUnavailable, NotFound
from app.ledger.merkle import consistency_path, empty_root, inclusion_path, node_hash
from app.ledger.reading import corrupt
from app.ledger.schema import entries

__all__ = ["Prover"]

_HASH_BYTES: Final = 32
_Range = tuple[int, int]
_Known = Mapping[int, tuple[bytes, bytes]]
"""Leaf hash and peak by entry."""


class Prover:
    """Roots and proofs of any size that a ledger has had. Safe to use from many threads and beside a writer."""

    def __init__(self, engine: Engine) -> None:
        """Read from the store of a ledger."""
        self._engine = engine

    def root(self, size: int) -> bytes:
        """Return the root of the first `size` entries.

        Raises:
            NotFound: there are fewer.
            LedgerCorrupt: a hash that it needs is missing.
            LedgerUnavailable: the store cannot be read.
        """
        if size == 0:
            return empty_root()
        [root] = self._roots([(0, size)])
        return root

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the proof that an entry is in the tree of the first `size` entries.

        Raises:
            ValueError: the tree has no such entry.
            NotFound, LedgerError: as `root`.
        """
        return self._roots(inclusion_path(index, size))

    def consistency(self, first: int, second: int) -> list[bytes]:
        """Return the proof that the tree of `second` entries begins with that of `first`.

        Raises:
            ValueError: the sizes are not in this order, or the first is 0.
            NotFound, LedgerError: as `root`.
        """
        return self._roots(consistency_path(first, second))

    def leaf(self, index: int) -> bytes:
        """Return the leaf hash of an entry; raises as `root`."""
        return self._read([index])[index][0]

    def _roots(self, ranges: Sequence[_Range]) -> list[bytes]:
        perfect = [_perfect(start, end) for start, end in ranges]
        known = self._read(seq for parts in perfect for start, end in parts for seq in _needed(start, end))
        return [_joined([_root(known, start, end) for start, end in parts]) for parts in perfect]

    def _read(self, wanted: Iterable[int]) -> dict[int, tuple[bytes, bytes]]:
        seqs = sorted(set(wanted))
        query = select(entries.c.seq, entries.c.leaf, entries.c.peak).where(entries.c.seq.in_(seqs))
        try:
            with self._engine.connect() as connection:
                found = {row.seq: (row.leaf, row.peak) for row in connection.execute(query)}
        except SQLAlchemyError:
            raise LedgerUnavailable(
                "The ledger's store cannot be read.", remedy="Check the disk or the database server of the ledger."
            ) from None
        except TypeError:  # SQLite keeps any type in any column
            raise corrupt("A hash that stands beside an entry is no hash.") from None
        if missing := [seq for seq in seqs if seq not in found]:
            if found and missing[0] < max(found):
                raise corrupt(f"Entry {missing[0]} is missing.")
            raise NotFound(
                f"The ledger has no entry {missing[-1]}.", remedy="Ask for an entry and a size that it has reached."
            )
        for seq, hashes in found.items():
            if any(not isinstance(value, bytes) or len(value) != _HASH_BYTES for value in hashes):
                raise corrupt(f"A hash that stands beside entry {seq} is no hash.")
        return found


def _perfect(start: int, end: int) -> list[_Range]:
    """Cut a range of leaves that a tree has as a node into perfect subtrees, largest first."""
    parts = []
    while start < end:
        length = 1 << (end - start).bit_length() - 1
        parts.append((start, start + length))
        start += length
    return parts


def _is_stored(start: int, end: int) -> bool:
    """Whether a perfect subtree is a left child, whose root is the peak of its last entry."""
    return not start // (end - start) & 1


def _needed(start: int, end: int) -> list[int]:
    """Return the entries beside which the hashes of a perfect subtree stand."""
    seqs = [end - 1]
    while not _is_stored(start, end) and end - start > 1:
        start = (start + end) // 2
        seqs.append(start - 1)
    return seqs


def _root(known: _Known, start: int, end: int) -> bytes:
    leaf, peak = known[end - 1]
    if end - start == 1:
        return leaf
    if _is_stored(start, end):
        return peak
    middle = (start + end) // 2
    return node_hash(known[middle - 1][1], _root(known, middle, end))


def _joined(roots: list[bytes]) -> bytes:
    root = roots[-1]
    for left in reversed(roots[:-1]):
        root = node_hash(left, root)
    return root
