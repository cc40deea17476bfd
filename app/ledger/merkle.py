"""The Merkle tree of RFC 6962, section 2.1: a root that commits to every entry and to their order.

    MTH({})     = SHA-256()
    MTH({d})    = SHA-256(0x00 || d)
    MTH(D[0:n]) = SHA-256(0x01 || MTH(D[0:k]) || MTH(D[k:n]))     k: the largest power of two smaller than n

The two prefixes keep a leaf from being taken for a node. Nothing here knows what an entry is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, Self

__all__ = ["CompactRange", "empty_root", "leaf_hash", "node_hash", "root_of"]

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"
_HASH_BYTES: Final = 32


def leaf_hash(data: bytes) -> bytes:
    """Hash an entry."""
    return hashlib.sha256(_LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into the one that holds both."""
    return hashlib.sha256(_NODE + left + right).digest()


def empty_root() -> bytes:
    """Return the root of a tree without entries: SHA-256 of nothing."""
    return hashlib.sha256().digest()


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes, in their order."""
    tree = CompactRange()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


class CompactRange:
    """A tree that forgets its leaves: the roots of its perfect subtrees, largest first.

    The sizes of those subtrees are the powers of two in the tree's size, so n entries leave at most log2(n) + 1 of
    them. They are called peaks here; the last peak is the largest perfect subtree that ends at the newest leaf.
    """

    __slots__ = ("_peaks", "_size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """Start empty, or from the peaks of a tree of this size.

        Raises:
            ValueError: the number or the length of the peaks does not fit the size.
        """
        if size < 0 or len(peaks) != size.bit_count() or any(len(peak) != _HASH_BYTES for peak in peaks):
            raise ValueError(f"{len(peaks)} peaks do not make a tree of {size} entries")
        self._size = size
        self._peaks = list(peaks)

    @property
    def size(self) -> int:
        """How many leaves were appended."""
        return self._size

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The roots of the perfect subtrees, largest first: enough to go on from here."""
        return tuple(self._peaks)

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash at the right end."""
        full = self._size  # each trailing one bit is a perfect subtree that the new leaf completes to twice its size
        while full & 1:
            leaf = node_hash(self._peaks.pop(), leaf)
            full >>= 1
        self._peaks.append(leaf)
        self._size += 1

    def root(self) -> bytes:
        """Return the root of all leaves so far."""
        if not self._peaks:
            return empty_root()
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root

    def copy(self) -> Self:
        """Return a tree that can go on without changing this one."""
        return type(self)(self._size, self._peaks)
