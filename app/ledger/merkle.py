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

__all__ = [
    "CompactRange",
    "consistency_path",
    "consistency_proof",
    "empty_root",
    "inclusion_path",
    "inclusion_proof",
    "leaf_hash",
    "node_hash",
    "root_of",
    "verify_consistency",
    "verify_inclusion",
]

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"
_HASH_BYTES: Final = 32
_begun_node: Final = hashlib.sha256(_NODE)
"""Copied for each node: to begin a SHA-256 anew costs OpenSSL as much as to hash the node."""


def leaf_hash(data: bytes) -> bytes:
    """Hash an entry."""
    return hashlib.sha256(_LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into the one that holds both."""
    node = _begun_node.copy()
    node.update(left + right)
    return node.digest()


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

    @property
    def last_peak(self) -> bytes | None:
        """The root of the largest perfect subtree that ends at the newest leaf; None of an empty tree."""
        return self._peaks[-1] if self._peaks else None

    def append(self, leaf: bytes) -> bytes:
        """Add a leaf hash at the right end; return the last peak."""
        full = self._size  # each trailing one bit is a perfect subtree that the new leaf completes to twice its size
        while full & 1:
            leaf = node_hash(self._peaks.pop(), leaf)
            full >>= 1
        self._peaks.append(leaf)
        self._size += 1
        return leaf

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


def inclusion_path(index: int, size: int) -> list[tuple[int, int]]:
    """Return the ranges of leaves, start and end, whose roots are the proof that a leaf is in a tree of this size.

    RFC 6962, section 2.1.1, from the leaf's sibling upwards; whoever keeps subtree roots need not read the leaves.

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    path: list[tuple[int, int]] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    return path[::-1]


def inclusion_proof(leaves: Sequence[bytes], index: int, size: int) -> list[bytes]:
    """Return the hashes that lead from one leaf to the root of the first `size` leaves (RFC 6962, section 2.1.1).

    Raises:
        ValueError: there is no such leaf, or there are fewer leaves.
    """
    if size > len(leaves):
        raise ValueError(f"no leaf {index} in a tree of {size}")
    return [root_of(leaves[start:end]) for start, end in inclusion_path(index, size)]


def verify_inclusion(proof: Sequence[bytes], *, index: int, size: int, leaf: bytes, root: bytes) -> bool:
    """Say whether the proof leads from this leaf hash, at this index, to this root of `size` leaves.

    The algorithm of RFC 9162, section 2.1.3.2. Any input is safe: what does not fit is simply no proof.
    """
    if not 0 <= index < size or not _are_hashes(*proof, leaf, root):
        return False
    node, last, reached = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            reached = node_hash(sibling, reached)
            node, last = _skip_single(node, last)
        else:
            reached = node_hash(reached, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and reached == root


def consistency_path(first: int, second: int) -> list[tuple[int, int]]:
    """Return the ranges of leaves whose roots are the proof that one tree begins with the other (section 2.1.2).

    Raises:
        ValueError: the sizes are not in this order, or the first is 0.
    """
    if not 0 < first <= second:
        raise ValueError(f"no trees of {first} and {second} leaves in this order")
    path: list[tuple[int, int]] = []
    start, end, known = 0, second, True  # known: the older root, or the part of it here, is what the verifier holds
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start, known = middle, False
    if not known:
        path.append((start, end))
    return path[::-1]


def consistency_proof(leaves: Sequence[bytes], first: int, second: int) -> list[bytes]:
    """Return the hashes that show the tree of `first` leaves inside that of `second` (RFC 6962, section 2.1.2).

    Raises:
        ValueError: the sizes are not in this order, the first is 0, or there are fewer leaves.
    """
    if second > len(leaves):
        raise ValueError(f"no trees of {first} and {second} leaves in this order")
    return [root_of(leaves[start:end]) for start, end in consistency_path(first, second)]


def verify_consistency(
    proof: Sequence[bytes], *, first: int, second: int, first_root: bytes, second_root: bytes
) -> bool:
    """Say whether the proof shows that the newer tree begins with all the leaves of the older one.

    The algorithm of RFC 9162, section 2.1.4.2. Any input is safe: what does not fit is simply no proof. Nothing is
    proven from the empty tree, which is the beginning of every other.
    """
    if first == second > 0:
        return not proof and first_root == second_root
    if not 0 < first < second or not _are_hashes(*proof, first_root, second_root):
        return False
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not path:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    older = newer = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            older, newer = node_hash(sibling, older), node_hash(sibling, newer)
            node, last = _skip_single(node, last)
        else:
            newer = node_hash(newer, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and older == first_root and newer == second_root


def _split(size: int) -> int:
    """Return the largest power of two smaller than the size."""
    return 1 << (size - 1).bit_length() - 1


def _skip_single(node: int, last: int) -> tuple[int, int]:
    """Climb the levels on which the last node has no sibling and is passed up as it is."""
    while not node & 1 and node:
        node, last = node >> 1, last >> 1
    return node, last


def _are_hashes(*values: bytes) -> bool:
    return all(len(value) == _HASH_BYTES for value in values)
